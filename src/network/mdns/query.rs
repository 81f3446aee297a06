//! A question for one name, and the addresses in an answer to it. Pure.
//! RFC 6762, section 5.1 (a one-shot question) and 6.7 (how it is answered).

use std::net::Ipv4Addr;

use super::packet::{A, INTERNET, MANY, TOP_BIT, half, name, read_name, same, write_name};

/// Addresses taken out of one answer.
const MOST: usize = 8;

/// A name's labels; `None` where it cannot be asked for.
fn labels(host: &str) -> Option<Vec<Vec<u8>>> {
    let parts: Vec<&[u8]> =
        host.strip_suffix('.').unwrap_or(host).split('.').map(str::as_bytes).collect();
    let good = parts.iter().all(|label| (1..=63).contains(&label.len()));
    (good && host.len() <= 253).then(|| name(&parts))
}

/// The question for a name's IPv4 addresses.
pub fn question(host: &str, id: u16) -> Option<Vec<u8>> {
    let labels = labels(host)?;
    let mut bytes = Vec::with_capacity(host.len() + 20);
    for word in [id, 0, 1, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    write_name(&mut bytes, &labels);
    bytes.extend_from_slice(&A.to_be_bytes());
    bytes.extend_from_slice(&INTERNET.to_be_bytes());
    Some(bytes)
}

/// The addresses that a packet gives for a name; none where it is no answer to the question.
pub fn answered(packet: &[u8], host: &str, id: u16) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    // A packet that is cut off may still contain something.
    let _ = read_answers(packet, host, id, &mut found);
    found
}

fn read_answers(packet: &[u8], host: &str, id: u16, found: &mut Vec<Ipv4Addr>) -> Option<()> {
    let labels = labels(host)?;
    // An answer without an error to our question. Some answer by multicast, with the number 0.
    if half(packet, 2)? & 0x800F != 0x8000 || ![id, 0].contains(&half(packet, 0)?) {
        return None;
    }
    let mut at = 12;
    for _ in 0..half(packet, 4)?.min(MANY) {
        at = read_name(packet, at)?.1 + 4;
    }
    // The address may also be among the additional records.
    let records =
        u32::from(half(packet, 6)?) + u32::from(half(packet, 8)?) + u32::from(half(packet, 10)?);
    for _ in 0..records.min(u32::from(MANY)) {
        let (whose, end) = read_name(packet, at)?;
        let (kind, class) = (half(packet, end)?, half(packet, end + 2)?);
        let length = usize::from(half(packet, end + 8)?);
        let data = packet.get(end + 10..end + 10 + length)?;
        let alive = packet.get(end + 4..end + 8)? != [0; 4];
        if kind == A && class & !TOP_BIT == INTERNET && alive && same(&whose, &labels) {
            let address = <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from);
            if let Some(address) = address.filter(|new| !found.contains(new) && found.len() < MOST)
            {
                found.push(address);
            }
        }
        at = end + 10 + length;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Heard, Ourselves, announcement, goodbye, reply};
    use super::*;

    fn them() -> Ourselves {
        let addresses = vec![Ipv4Addr::new(192, 168, 1, 7), Ipv4Addr::new(10, 0, 0, 7)];
        Ourselves { host: "homeassistant".into(), addresses, port: 80 }
    }

    #[test]
    fn our_own_question_is_answered_by_our_own_responder() {
        let packet = question("HomeAssistant.local", 7).unwrap();
        let answer = reply(&them(), &Heard { packet: &packet, port: 40000 }).unwrap();
        assert!(answer.unicast);
        assert_eq!(answered(&answer.bytes, "homeassistant.local.", 7), them().addresses);
        assert!(answered(&answer.bytes, "homeassistant.local", 8).is_empty(), "another's question");
        assert!(answered(&answer.bytes, "other.local", 7).is_empty());
        assert_eq!(answered(&announcement(&them()), "homeassistant.local", 7), them().addresses);
        assert!(answered(&goodbye(&them()), "homeassistant.local", 7).is_empty());
        assert!(answered(&packet, "homeassistant.local", 7).is_empty(), "a question");
        for cut in 0..answer.bytes.len() {
            assert!(answered(&answer.bytes[..cut], "homeassistant.local", 7).len() < 2, "{cut}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for host in ["", ".local", "a..local", &format!("{}.local", "x".repeat(64))] {
            assert!(question(host, 1).is_none(), "{host}");
        }
    }

    #[test]
    fn any_packet_is_read_to_its_end_or_left() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120))| {
            let mut bytes = bytes;
            if let Some(head) = bytes.get_mut(..4) {
                head.copy_from_slice(&[0, 7, 0x84, 0]);
            }
            proptest::prop_assert!(answered(&bytes, "x.local", 7).len() <= MOST);
        });
    }
}
