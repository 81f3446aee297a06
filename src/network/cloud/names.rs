//! The vendor's names, answered on the camera: a copy of `/etc/hosts` that also has them, laid over
//! the real file by a bind mount. uClibc, glibc and c-ares all read that file before they ask a name
//! server, so every program of the firmware gets this answer. ROOTFS itself is not changed, and the
//! mount ends with the camera's power.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// The file that the C library reads.
const HOSTS: &str = "/etc/hosts";
/// Our copy, on tmpfs.
const COPY: &str = "/tmp/mi360d-hosts";
/// Starts the lines that are ours.
const MARK: &str = "# mi360d: the vendor's cloud is blocked";
/// Bytes of the firmware's own file that are kept.
const LIMIT: u64 = 0x1_0000;

/// Where blocked names lead: an address that no network has (RFC 5737). Not 127.0.0.1 and not
/// 0.0.0.0, where the camera's own page listens.
pub fn nowhere() -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 1)
}

/// What the file says with `names` blocked. Pure.
fn with_names(own: &str, names: impl Iterator<Item = String>) -> String {
    let mut text = without_ours(own).to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(MARK);
    text.push('\n');
    for name in names {
        text.push_str(&format!("{}\t{name}\n", nowhere()));
    }
    text
}

/// The firmware's own lines. Pure.
fn without_ours(text: &str) -> &str {
    text.find(MARK).map_or(text, |at| &text[..at])
}

/// Blocks `names`; nothing is done where they are blocked already.
///
/// # Errors
/// What prevents it, in words.
pub fn block(names: impl Iterator<Item = String>) -> Result<(), String> {
    let failed =
        |what: &str, e: io::Error| format!("the vendor's names are not blocked: {what}: {e}");
    let own = read().map_err(|e| failed(HOSTS, e))?;
    if own.contains(MARK) {
        return Ok(()); // by us, before a restart of the daemon
    }
    let real = fs::canonicalize(HOSTS).map_err(|e| failed(HOSTS, e))?;
    if !may_be_covered(&real) {
        // A mount below DATA would keep DATA from being unmounted for a flash.
        return Err(format!("{HOSTS} points to {}: the names are not blocked", real.display()));
    }
    write_copy(&with_names(&own, names)).map_err(|e| failed(COPY, e))?;
    let none = None::<&str>;
    mount(Some(COPY), &real, none, MsFlags::MS_BIND, none).map_err(|e| failed("mount", e.into()))
}

/// Takes the names back; nothing is done where none of ours are blocked.
pub fn release() {
    if !read().is_ok_and(|text| text.contains(MARK)) {
        return;
    }
    let real = fs::canonicalize(HOSTS).unwrap_or_else(|_| PathBuf::from(HOSTS));
    if let Err(e) = umount2(&real, MntFlags::MNT_DETACH) {
        log::warn!("the vendor's names stay blocked until the camera restarts: {e}");
        return;
    }
    let _ = fs::remove_file(COPY);
}

fn may_be_covered(real: &Path) -> bool {
    !real.starts_with("/mnt")
}

fn read() -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(HOSTS)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_copy(text: &str) -> io::Result<()> {
    // Whatever exists in /tmp: nothing is written through a link.
    match fs::remove_file(COPY) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(COPY)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_s_own_lines_stay_and_ours_come_once() {
        let names = || ["a.example", "b.example"].iter().map(|name| (*name).to_owned());
        let ours = format!("{MARK}\n192.0.2.1\ta.example\n192.0.2.1\tb.example\n");
        for own in ["", "127.0.0.1 localhost\n"] {
            let once = with_names(own, names());
            assert_eq!(once, format!("{own}{ours}"));
            assert_eq!(with_names(&once, names()), once);
            assert_eq!(without_ours(&once), own);
        }
        assert_eq!(with_names("1.2.3.4 end", names()), format!("1.2.3.4 end\n{ours}"));
    }

    #[test]
    fn nothing_on_data_or_the_card_is_covered() {
        for (real, may) in
            [("/etc/hosts", true), ("/mnt/data/hosts.prc", false), ("/mnt/sdcard/hosts", false)]
        {
            assert_eq!(may_be_covered(Path::new(real)), may, "{real}");
        }
    }
}
