//! U-Boot's environment without addresses and serials: each is replaced by as
//! many zeros or `x`, so that every text stays where it is. Pure.

use super::secrets::{Secrets, is_secret_key};
use crate::formats::crc32;
use crate::formats::uboot_env;

/// Bytes of the CRC in front.
const TEXT: usize = 4;

/// What became of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EnvNote {
    /// The names of the entries whose value was replaced, in whole or in part.
    pub replaced: Vec<String>,
    /// Whether the CRC was right before, and so is right now.
    pub crc_ok: bool,
}

/// Redacts an environment of [`uboot_env::SIZE`] bytes, or any other size, in
/// place. Its CRC is renewed only if it was right: with a wrong one U-Boot
/// takes the environment that is built into it, and must continue doing so.
pub fn redact(region: &mut [u8], secrets: &Secrets) -> EnvNote {
    let Some(crc_ok) = uboot_env::parse(region).map(|env| env.crc_ok()) else {
        return EnvNote::default();
    };
    let mut note = EnvNote { crc_ok, ..EnvNote::default() };
    let text = &mut region[TEXT..];
    if !text.iter().all(|b| *b == 0xFF) {
        let end = entries(text, secrets, &mut note.replaced);
        // What an older, longer environment left behind.
        if let Some(rest) = text.get_mut(end..) {
            let clean = rest.iter().all(|b| *b == 0) || rest.iter().all(|b| *b == 0xFF);
            if !clean {
                rest.fill(0);
            }
        }
        secrets.blank_short(text);
    }
    let computed = crc32::hash(&region[TEXT..]);
    // A wrong one stays as it is, unless it became right by chance.
    let stored = if crc_ok {
        computed
    } else {
        let old = uboot_env::parse(region).map_or(0, |env| env.stored_crc);
        if old == computed { !old } else { old }
    };
    region[..TEXT].copy_from_slice(&stored.to_le_bytes());
    note
}

/// Redacts the texts up to the empty one that ends them; gives its place.
fn entries(text: &mut [u8], secrets: &Secrets, replaced: &mut Vec<String>) -> usize {
    let mut at = 0;
    while at < text.len() && text[at] != 0 {
        let end = text[at..].iter().position(|b| *b == 0).map_or(text.len(), |n| at + n);
        let entry = &mut text[at..end];
        let split = entry.iter().position(|b| *b == b'=');
        let (name, value) = match split {
            Some(split) => {
                let (name, value) = entry.split_at_mut(split);
                (&*name, &mut value[1..])
            }
            // No name: all of it is checked.
            None => (&[][..], entry),
        };
        let hide = split.is_some() && is_secret_key(name);
        let changed = if hide { mask(value) } else { mask_within(value) };
        if changed | secrets.blank(value) {
            replaced.push(String::from_utf8_lossy(name).into_owned());
        }
        at = end + 1;
    }
    at
}

/// Replaces a whole value; whether that changed it.
fn mask(value: &mut [u8]) -> bool {
    let mut changed = false;
    for byte in value {
        let masked = match *byte {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => b'0',
            b':' | b'.' | b'-' | b' ' => *byte,
            _ => b'x',
        };
        changed |= masked != *byte;
        *byte = masked;
    }
    changed
}

/// Replaces addresses and serials inside a longer value, such as `bootargs`.
fn mask_within(value: &mut [u8]) -> bool {
    let mut changed = false;
    for piece in value.split_mut(|b| matches!(b, b' ' | b';' | b',' | b'"' | b'\'')) {
        let named = piece.iter().position(|b| *b == b'=');
        let secret = named.is_some_and(|at| is_secret_key(&piece[..at]));
        let from = named.map_or(0, |at| at + 1);
        let inner = &mut piece[from..];
        if secret || is_mac(inner) || is_ip(inner) {
            changed |= mask(inner);
        } else if inner.len() >= 17 {
            for at in 0..=inner.len() - 17 {
                if is_mac(&inner[at..at + 17]) {
                    changed |= mask(&mut inner[at..at + 17]);
                }
            }
        }
    }
    changed
}

/// `aa:bb:cc:dd:ee:ff`, or with `-` between.
fn is_mac(text: &[u8]) -> bool {
    text.len() == 17
        && text.iter().enumerate().all(|(i, b)| match i % 3 {
            2 => matches!(b, b':' | b'-'),
            _ => b.is_ascii_hexdigit(),
        })
}

/// Four numbers with dots between, `:` and a number behind it or not.
fn is_ip(text: &[u8]) -> bool {
    let host = text.split(|b| *b == b':').next().unwrap_or_default();
    let numbers: Vec<&[u8]> = host.split(|b| *b == b'.').collect();
    numbers.len() == 4
        && numbers.iter().all(|n| (1..=3).contains(&n.len()) && n.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(entries: &[(&str, &str)]) -> Vec<u8> {
        let entries: Vec<(&[u8], &[u8])> =
            entries.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        uboot_env::build(&entries, uboot_env::SIZE).unwrap()
    }

    const ENTRIES: [(&str, &str); 8] = [
        ("baudrate", "115200"),
        ("bootargs", "console=ttyS0,115200 root=/dev/mtdblock2 mac=AA:BB:CC:11:22:33"),
        ("bootcmd", "sf probe 0;sf read 0x22000000 ${sf_kernel_start}"),
        ("ethaddr", "00:30:1b:ba:02:db"),
        ("gatewayip", "172.17.190.1"),
        ("serial#", "SN12345678"),
        ("sf_kernel_size", "200000"),
        ("updater", "http 10.0.0.7:80 5A-5B-5C-5D-5E-5F"),
    ];

    #[test]
    fn addresses_and_serials_go_and_all_else_stays() {
        let mut region = env(&ENTRIES);
        let note = redact(&mut region, &Secrets::default());
        assert_eq!(note.replaced, ["bootargs", "ethaddr", "gatewayip", "serial#", "updater"]);
        let env = uboot_env::parse(&region).unwrap();
        assert!(note.crc_ok && env.crc_ok());
        let get = |key| String::from_utf8_lossy(env.get(key).unwrap()).into_owned();
        assert_eq!(get("baudrate"), "115200");
        assert_eq!(get("bootcmd"), ENTRIES[2].1);
        assert_eq!(get("sf_kernel_size"), "200000");
        assert_eq!(get("ethaddr"), "00:00:00:00:00:00");
        assert_eq!(get("gatewayip"), "000.00.000.0");
        assert!(!get("serial#").contains("345"));
        assert!(get("bootargs").starts_with("console=ttyS0,115200 root=/dev/mtdblock2 mac=00:00"));
        assert!(!get("updater").contains("10.0.0.7") && !get("updater").contains("5B"));
    }

    #[test]
    fn a_bad_crc_stays_bad_and_the_texts_go_all_the_same() {
        let mut region = env(&ENTRIES);
        region[0] ^= 1;
        let note = redact(&mut region, &Secrets::default());
        let env = uboot_env::parse(&region).unwrap();
        assert!(!note.crc_ok && !env.crc_ok());
        assert_eq!(env.get("ethaddr"), Some(&b"00:00:00:00:00:00"[..]));
        // The one CRC that the redacted texts would make right.
        let right = env.computed_crc;
        let mut region = super::tests::env(&ENTRIES);
        region[..4].copy_from_slice(&right.to_le_bytes());
        redact(&mut region, &Secrets::default());
        assert!(!uboot_env::parse(&region).unwrap().crc_ok());
    }

    #[test]
    fn what_an_older_environment_left_behind_goes() {
        let mut region = env(&ENTRIES);
        region[0x800..0x811].copy_from_slice(b"ssid=my-neighbour");
        redact(&mut region, &Secrets::default());
        assert!(region[0x800..].iter().all(|b| *b == 0));
    }

    #[test]
    fn an_erased_environment_stays_erased() {
        let mut region = vec![0xFF; uboot_env::SIZE];
        redact(&mut region, &Secrets::default());
        assert!(region.iter().all(|b| *b == 0xFF));
    }
}
