//! The WiFi as Linux has it: the network's name and the strength of its signal.

use std::fs;

use serde::Serialize;

use crate::sys::wireless;

/// The WiFi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wifi {
    /// The network's name; null where the driver does not tell it.
    pub network: Option<String>,
    /// The signal in dBm, at most 0: -50 is strong, -80 is weak. Null where the driver does not tell
    /// it in dBm.
    pub dbm: Option<i32>,
}

/// The WiFi now; `None` without one.
pub fn now() -> Option<Wifi> {
    let text = fs::read_to_string("/proc/net/wireless").ok()?;
    let (interface, dbm) = signal(&text)?;
    Some(Wifi { network: wireless::network(interface), dbm })
}

/// That of a simulated camera.
pub fn simulated() -> Wifi {
    Wifi { network: Some("synthetic-network".into()), dbm: Some(-56) }
}

/// The first interface of `/proc/net/wireless` and its signal (Linux, `net/wireless/wext-proc.c`):
/// two lines of titles, then `name: status link. level. noise. ...`. A level above 0 is no dBm.
fn signal(text: &str) -> Option<(&str, Option<i32>)> {
    let (name, rest) = text.lines().skip(2).find_map(|line| line.split_once(':'))?;
    let level = rest.split_whitespace().nth(2).map(|level| level.trim_end_matches('.'));
    let dbm = level.and_then(|level| level.parse::<i32>().ok());
    Some((name.trim(), dbm.filter(|dbm| *dbm <= 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: &str = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n \
        face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n";

    #[test]
    fn the_signal_is_that_of_the_first_interface() {
        for (lines, found) in [
            ("", None),
            (
                " wlan0: 0000   54.  -56.  -256        0      0      0      0     22        0\n",
                Some(("wlan0", Some(-56))),
            ),
            (
                " wlan0: 0000   54   -71   -95        0      0      0      0     22        0\n wlan1: 0\n",
                Some(("wlan0", Some(-71))),
            ),
            (
                " wlan0: 0000   54.  200.    0        0      0      0      0     22        0\n",
                Some(("wlan0", None)),
            ),
            (" wlan0: 0000\n", Some(("wlan0", None))),
        ] {
            assert_eq!(signal(&format!("{TITLES}{lines}")), found, "{lines}");
        }
        assert_eq!(signal(""), None);
    }
}
