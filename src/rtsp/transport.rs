//! The `Transport` header (RFC 2326, 12.39): what a client offers, and what of it is taken. Pure.

/// How RTP is to travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In the RTSP connection, on these channels.
    Interleaved {
        /// RTP.
        rtp: u8,
        /// RTCP.
        rtcp: u8,
    },
    /// In datagrams, to these ports of the client's own address: another `destination` would make
    /// the camera a weapon.
    Udp {
        /// RTP.
        rtp: u16,
        /// RTCP.
        rtcp: u16,
    },
}

/// The first of the offers that this server can do. `free` is the channel to take where the client
/// leaves the choice.
pub fn choose(offers: &str, free: u8) -> Option<Transport> {
    offers.split(',').take(8).find_map(|offer| one(offer.trim(), free))
}

fn one(offer: &str, free: u8) -> Option<Transport> {
    let mut parts = offer.split(';').map(str::trim);
    let tcp = match parts.next()? {
        spec if spec.eq_ignore_ascii_case("RTP/AVP/TCP") => true,
        spec if spec.eq_ignore_ascii_case("RTP/AVP") => false,
        spec if spec.eq_ignore_ascii_case("RTP/AVP/UDP") => false,
        _ => return None,
    };
    let mut channels = None;
    let mut ports = None;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name.to_ascii_lowercase().as_str() {
            "multicast" => return None,
            "interleaved" => channels = Some(pair::<u8>(value)?),
            "client_port" => ports = Some(pair::<u16>(value)?),
            "mode" if !value.trim_matches('"').eq_ignore_ascii_case("play") => return None,
            _ => {}
        }
    }
    if tcp {
        let (rtp, rtcp) = channels.unwrap_or((free, free.checked_add(1)?));
        Some(Transport::Interleaved { rtp, rtcp })
    } else {
        let (rtp, rtcp) = ports.filter(|(rtp, rtcp)| *rtp >= 1024 && *rtcp >= 1024)?;
        Some(Transport::Udp { rtp, rtcp })
    }
}

trait Following: std::str::FromStr + Copy + PartialEq {
    fn following(self) -> Option<Self>;
}

impl Following for u8 {
    fn following(self) -> Option<u8> {
        self.checked_add(1)
    }
}

impl Following for u16 {
    fn following(self) -> Option<u16> {
        self.checked_add(1)
    }
}

/// `6-7`, or `6` for itself and the next one; never twice the same.
fn pair<T: Following>(value: &str) -> Option<(T, T)> {
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: T = first.trim().parse().ok()?;
    let second = match second.trim() {
        "" => first.following()?,
        text => text.parse().ok()?,
    };
    (first != second).then_some((first, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_offer_that_can_be_kept_is_taken() {
        let udp = Transport::Udp { rtp: 5000, rtcp: 5001 };
        let tcp = Transport::Interleaved { rtp: 0, rtcp: 1 };
        for (offers, chosen) in [
            ("RTP/AVP;unicast;client_port=5000-5001", Some(udp)),
            ("RTP/AVP/UDP;unicast;client_port=5000", Some(udp)),
            ("RTP/AVP/TCP;unicast;interleaved=0-1", Some(tcp)),
            ("RTP/AVP/TCP", Some(tcp)),
            ("RTP/AVP;multicast,RTP/AVP/TCP;interleaved=0-1;mode=\"PLAY\"", Some(tcp)),
            ("RTP/SAVP;client_port=5000-5001", None),
            ("RTP/AVP;unicast", None),
            ("RTP/AVP;unicast;client_port=22-23", None),
            ("RTP/AVP;unicast;client_port=70000-70001", None),
            ("RTP/AVP/TCP;interleaved=255", None),
            ("RTP/AVP/TCP;interleaved=3-3", None),
            ("RTP/AVP/TCP;mode=record", None),
            ("", None),
        ] {
            assert_eq!(choose(offers, 0), chosen, "{offers}");
        }
    }
}
