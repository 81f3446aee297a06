//! The machine around the chip: kernel, memory, addresses, clock. On a PC
//! with a simulated camera the same questions get that PC's answers.

use std::fs;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// 2026-01-01: a clock before the program was written is not set.
const SANE_FROM: u64 = 1_767_225_600;
/// 2100-01-01.
const SANE_UNTIL: u64 = 4_102_444_800;

/// Memory in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What this program has resident.
    pub resident_kib: u64,
    /// The most it ever had.
    pub peak_kib: u64,
    /// What the machine has left.
    pub available_kib: u64,
}

/// What this process and the machine use.
pub fn memory() -> Memory {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let all = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Memory {
        resident_kib: field(&own, "VmRSS:"),
        peak_kib: field(&own, "VmHWM:"),
        available_kib: field(&all, "MemAvailable:"),
    }
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Release of the running kernel.
pub fn kernel_release() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

/// Seconds since the machine started.
pub fn uptime_seconds() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split('.').next().and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// UTC as `2026-11-23T02:15:38Z`, if the clock is sane. There is no clock
/// chip: after power-up it is 1970 until somebody sets it.
pub fn clock() -> Option<String> {
    seconds().map(utc)
}

/// The same in seconds since 1970.
pub fn seconds() -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(now).filter(|now| (SANE_FROM..SANE_UNTIL).contains(now))
}

/// Seconds since 1970 as a UTC time of ISO 8601.
pub fn utc(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |y: u64| y.is_multiple_of(4) && !y.is_multiple_of(100) || y.is_multiple_of(400);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

/// The addresses under which this machine can be reached, loopback aside.
pub fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let mut found: Vec<IpAddr> = interfaces
        .filter_map(|interface| interface.address?.as_sockaddr_in().map(|a| IpAddr::V4(a.ip())))
        .filter(|ip| !ip.is_loopback())
        .collect();
    found.dedup();
    found
}

/// The address of the camera's own WiFi, in lower case.
pub fn wifi_mac() -> Option<String> {
    let text = fs::read_to_string("/sys/class/net/wlan0/address").ok()?;
    Some(text.trim().to_ascii_lowercase()).filter(|mac| !mac.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_what_date_says() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t  123 kB\n", "VmRSS:"), 123);
        assert_eq!(field("", "VmRSS:"), 0);
    }
}
