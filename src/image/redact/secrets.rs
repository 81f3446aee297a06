//! The secrets of one dump, and where they are: read from what FACTORY,
//! CONFIG and DATA contain, and looked for, as text and as bytes, in all else.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use crate::formats::flsh;
use crate::identity::mac_bytes;
use crate::image::source::{Source, peek};

/// Values of FACTORY that every camera of a kind has, or half of them.
const PUBLIC: [&[u8]; 6] =
    [b"vendor", b"model", b"factory_partition", b"language", b"regioncode", b"ver"];
/// Keys whose value is one owner's, by parts of their names.
const SECRET: [&str; 14] = [
    "ssid", "pass", "psk", "pwd", "token", "key", "secret", "did", "uid", "serial", "hostname",
    "user", "cert", "login",
];
/// Keys that are one owner's by all of their name. Addresses in memory are none.
const SECRET_WHOLE: [&str; 16] = [
    "sn",
    "id",
    "hid",
    "fid",
    "mac",
    "macaddr",
    "ethaddr",
    "hwaddr",
    "ipaddr",
    "serverip",
    "gatewayip",
    "netmask",
    "dnsip",
    "dnsip2",
    "rootpath",
    "domain",
];
/// Names that contain such a part and are none.
const NOT_SECRET: [&str; 2] = ["bootdelaykey", "bootstopkey"];
/// The fewest bytes that are looked for in anything: fewer are in compressed
/// data by chance.
const LEAST: usize = 5;
/// The fewest bytes that are looked for in texts.
const LEAST_IN_TEXT: usize = 3;
/// The longest value that is looked for, in bytes.
const MOST: usize = 128;
/// The most values: a camera has some twenty.
const MOST_VALUES: usize = 512;
/// The most FLSHs that are read in one part: each takes 64 KiB to read.
const MOST_PLACES: usize = 256;
/// Texts of the stock settings, wherever they are: what follows is secret.
const TELLING: [&[u8]; 4] = [b"miio_ssid=", b"miio_passwd=", b"miio_token=", b"miio_key="];

/// Whether the value behind this key is one owner's.
pub fn is_secret_key(key: &[u8]) -> bool {
    let key = String::from_utf8_lossy(key).to_ascii_lowercase();
    let key = key.trim();
    !NOT_SECRET.contains(&key)
        && (SECRET_WHOLE.contains(&key) || SECRET.iter().any(|part| key.contains(part)))
}

/// What must not be found in a copy that is safe to post.
#[derive(Clone, Default)]
pub struct Secrets {
    /// In all its forms; at least [`LEAST_IN_TEXT`] bytes each.
    forms: BTreeSet<Vec<u8>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("forms", &self.forms.len()).finish()
    }
}

impl Secrets {
    /// Takes what is in the bytes of a FACTORY or CONFIG, damaged or not.
    pub fn read_flsh(&mut self, bytes: &[u8]) {
        let flsh = flsh::parse(bytes).ok().or_else(|| flsh::parse_by_header(bytes));
        for (key, value) in flsh.iter().flat_map(flsh::Flsh::entries) {
            let is_setting = flsh.as_ref().is_some_and(|f| f.get("did").is_none());
            if !PUBLIC.contains(&key) && (!is_setting || is_secret_key(key)) {
                self.add(value);
            }
        }
        self.read_text(bytes);
    }

    /// Takes what can still be read of a damaged FACTORY or CONFIG. Elsewhere
    /// `key=` may be anything.
    pub fn salvage(&mut self, bytes: &[u8]) {
        for key in ["did", "key", "mac", "fid", "hid"] {
            for value in flsh::values(bytes, key) {
                self.add(value);
            }
        }
    }

    /// Takes what is behind the names of the stock settings.
    pub fn read_text(&mut self, bytes: &[u8]) {
        for range in told(bytes) {
            self.add(&bytes[range]);
        }
    }

    /// Takes all FLSHs of a part of a source, wherever they are, and all
    /// that [`Secrets::read_text`] takes. Says where those FLSHs are.
    ///
    /// # Errors
    /// Where the source cannot be read.
    pub fn read_part(
        &mut self,
        source: &dyn Source,
        part: Range<u64>,
    ) -> io::Result<Vec<Range<u64>>> {
        const STEP: u64 = 0x1_0000;
        let mut places = Vec::new();
        let mut scan = flsh::Scan::new();
        let mut at = part.start;
        while at < part.end {
            let there = (part.end - at).min(STEP) as usize;
            let more = (part.end - at).min(STEP + 2 * MOST as u64) as usize;
            let bytes = peek(source, at, more)?;
            self.read_text(&bytes);
            scan.feed(&bytes[..bytes.len().min(there)]);
            for found in scan.take() {
                if places.len() == MOST_PLACES {
                    break;
                }
                let from = part.start + found;
                let bytes = peek(source, from, STEP as usize)?;
                // Only what has entries: a bare header may be code that looks for one.
                let flsh = flsh::parse_by_header(&bytes).filter(|f| f.at == 0);
                if let Some(flsh) = flsh.filter(|f| f.entries().next().is_some()) {
                    let length = flsh::HEADER as u64 + u64::from(flsh.length);
                    let end = from.saturating_add(length.min(bytes.len() as u64));
                    places.push(from..end.min(part.end));
                    self.read_flsh(&bytes);
                }
            }
            at += STEP;
        }
        Ok(places)
    }

    /// How many forms of values are known.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    fn add(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if !(LEAST_IN_TEXT..=MOST).contains(&value.len()) || self.forms.len() >= MOST_VALUES {
            return;
        }
        // Nothing but one character says nothing, and is everywhere.
        if value.iter().all(|b| *b == value[0]) {
            return;
        }
        let mut forms =
            vec![value.to_vec(), value.to_ascii_lowercase(), value.to_ascii_uppercase()];
        if let Some(mac) = mac_bytes(value) {
            let text = |between: &str| {
                mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(between)
            };
            for text in [text(":"), text("-"), text("")] {
                forms.push(text.to_ascii_uppercase().into_bytes());
                forms.push(text.into_bytes());
            }
            forms.push(mac.to_vec());
            forms.push(mac.iter().rev().copied().collect());
        } else if let Some(bytes) = hex_bytes(value) {
            forms.push(bytes);
        }
        if let Some(number) = std::str::from_utf8(value).ok().and_then(|t| t.parse::<u64>().ok())
            && value.len() >= 8
        {
            forms.push(number.to_le_bytes().to_vec());
            forms.push(number.to_be_bytes().to_vec());
        }
        self.forms.extend(forms);
    }

    /// Where secrets are in bytes that may be anything.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = self.search(bytes, LEAST);
        found.extend(told(bytes));
        found
    }

    /// Blanks what is in a text; whether something did.
    pub fn blank(&self, text: &mut [u8]) -> bool {
        let found = self.search(text, LEAST_IN_TEXT);
        for range in &found {
            text[range.clone()].fill(b'x');
        }
        !found.is_empty()
    }

    /// The same for texts of many, in which only longer ones are sure.
    pub(super) fn blank_short(&self, texts: &mut [u8]) {
        for range in self.search(texts, LEAST) {
            texts[range].fill(b'x');
        }
    }

    fn search(&self, bytes: &[u8], least: usize) -> Vec<Range<usize>> {
        let mut by_first: [Vec<&Vec<u8>>; 256] = [const { Vec::new() }; 256];
        for form in self.forms.iter().filter(|f| f.len() >= least) {
            by_first[usize::from(form[0])].push(form);
        }
        let mut found = Vec::new();
        for (at, first) in bytes.iter().enumerate() {
            for form in &by_first[usize::from(*first)] {
                if bytes[at..].starts_with(form) {
                    found.push(at..at + form.len());
                }
            }
        }
        found
    }
}

/// The longest form that is looked for, in bytes: what a search must see
/// beyond the end of what it is for.
pub const REACH: usize = MOST + 16;

/// The values behind the telling names.
fn told(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for name in TELLING {
        for (at, _) in bytes.windows(name.len()).enumerate().filter(|(_, w)| *w == name) {
            let from = at + name.len();
            let rest = &bytes[from..bytes.len().min(from + MOST)];
            let end = rest.iter().position(|b| *b < 0x20 || *b == 0xFF).unwrap_or(rest.len());
            if end > 0 {
                found.push(from..from + end);
            }
        }
    }
    found
}

/// The bytes that hex digits stand for, where there are at least 8 of them.
fn hex_bytes(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() < 16 || !text.len().is_multiple_of(2) || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    Some(text.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
}
