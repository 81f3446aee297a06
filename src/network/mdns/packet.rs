//! Packets of multicast DNS: what is asked, and what is answered. Pure.
//! RFC 1035 (layout), RFC 6762 (multicast), RFC 6763 (services).

use std::net::Ipv4Addr;

pub(super) const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const ANY: u16 = 255;
pub(super) const INTERNET: u16 = 1;
/// In an answer: nobody else has this record. In a question: answer me alone.
pub(super) const TOP_BIT: u16 = 0x8000;
/// Seconds that an answer holds; 10 where the asker is no mDNS program.
const TTL: u32 = 120;
const SHORT_TTL: u32 = 10;
const MULTICAST: u16 = 5353;
/// Questions and records that are checked in one packet.
pub(super) const MANY: u16 = 32;
/// Bytes of a name, and jumps in it.
const NAME: usize = 255;
const JUMPS: usize = 16;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ourselves {
    /// The name, without `.local`.
    pub host: String,
    /// Our addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// The page's port.
    pub port: u16,
}

/// A packet that came in, and the port that it came from.
pub struct Heard<'a> {
    /// The bytes.
    pub packet: &'a [u8],
    /// The sender's port.
    pub port: u16,
}

/// What is sent back.
pub struct Reply {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether to the asker alone.
    pub unicast: bool,
}

pub(super) type Name = Vec<Vec<u8>>;

impl Ourselves {
    fn host_name(&self) -> Name {
        name(&[self.host.as_bytes(), b"local"])
    }

    fn instance(&self) -> Name {
        name(&[format!("mi360d on {}", self.host).as_bytes(), b"_http", b"_tcp", b"local"])
    }
}

pub(super) fn name(labels: &[&[u8]]) -> Name {
    labels.iter().map(|label| label.iter().copied().take(63).collect()).collect()
}

fn service() -> Name {
    name(&[b"_http", b"_tcp", b"local"])
}

fn all_services() -> Name {
    name(&[b"_services", b"_dns-sd", b"_udp", b"local"])
}

pub(super) fn same(one: &Name, two: &Name) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// A name, and where it ends.
pub(super) fn read_name(packet: &[u8], mut at: usize) -> Option<(Name, usize)> {
    let (mut labels, mut length, mut jumps) = (Vec::new(), 0, 0);
    let mut end = None;
    loop {
        let first = usize::from(*packet.get(at)?);
        match first {
            0 => return Some((labels, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = packet.get(at + 1..at + 1 + first)?;
                length += first + 1;
                if length > NAME {
                    return None;
                }
                labels.push(label.to_vec());
                at += 1 + first;
            }
            0xC0.. => {
                let next = usize::from(*packet.get(at + 1)?);
                end.get_or_insert(at + 2);
                jumps += 1;
                // Only backwards, so that it comes to an end.
                let target = (first & 0x3F) << 8 | next;
                if jumps > JUMPS || target >= at {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
    }
}

pub(super) fn half(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}

/// Whether another machine says that it has our name.
pub fn conflict(us: &Ourselves, heard: &Heard<'_>) -> bool {
    other_has_it(us, heard).unwrap_or(false)
}

fn other_has_it(us: &Ourselves, heard: &Heard<'_>) -> Option<bool> {
    let packet = heard.packet;
    let is_answer = half(packet, 2)? & 0x8000 != 0;
    if !is_answer || heard.port != MULTICAST {
        return Some(false);
    }
    let mut at = 12;
    for _ in 0..half(packet, 4)?.min(MANY) {
        at = read_name(packet, at)?.1 + 4;
    }
    for _ in 0..half(packet, 6)?.min(MANY) {
        let (who, end) = read_name(packet, at)?;
        let (kind, length) = (half(packet, end)?, usize::from(half(packet, end + 8)?));
        let data = packet.get(end + 10..end + 10 + length)?;
        let alive = packet.get(end + 4..end + 8)? != [0; 4];
        if kind == A && alive && same(&who, &us.host_name()) {
            let address = <[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from);
            if !address.is_some_and(|address| us.addresses.contains(&address)) {
                return Some(true);
            }
        }
        at = end + 10 + length;
    }
    Some(false)
}

/// The answer to a question, if it is one for us.
pub fn reply(us: &Ourselves, heard: &Heard<'_>) -> Option<Reply> {
    let packet = heard.packet;
    let (id, flags) = (half(packet, 0)?, half(packet, 2)?);
    // Standard queries only.
    if flags & 0xF800 != 0 {
        return None;
    }
    let legacy = heard.port != MULTICAST;
    let mut unicast = legacy;
    let mut records = Records { ttl: if legacy { SHORT_TTL } else { TTL }, ..Records::default() };
    let mut questions = Vec::new();
    let mut at = 12;
    for _ in 0..half(packet, 4)?.min(MANY) {
        let (asked, end) = read_name(packet, at)?;
        let (kind, class) = (half(packet, end)?, half(packet, end + 2)?);
        let before = records.count;
        if class & !TOP_BIT == INTERNET || class & !TOP_BIT == ANY {
            records.for_question(us, &asked, kind, legacy);
        }
        if records.count > before {
            unicast |= class & TOP_BIT != 0;
            if questions.len() < 4 {
                questions.push((asked, kind, class & !TOP_BIT));
            }
        }
        at = end + 4;
    }
    if records.count == 0 {
        return None;
    }
    if !legacy {
        questions.clear();
    }
    let mut bytes = head(if legacy { id } else { 0 }, questions.len(), records.count);
    for (asked, kind, class) in &questions {
        write_name(&mut bytes, asked);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&class.to_be_bytes());
    }
    bytes.extend_from_slice(&records.bytes);
    Some(Reply { bytes, unicast })
}

/// The announcement at the start and after a change.
pub fn announcement(us: &Ourselves) -> Vec<u8> {
    told(us, TTL)
}

/// The goodbye at the end: the records are no longer valid.
pub fn goodbye(us: &Ourselves) -> Vec<u8> {
    told(us, 0)
}

fn told(us: &Ourselves, ttl: u32) -> Vec<u8> {
    let mut records = Records { ttl, ..Records::default() };
    records.for_question(us, &us.host_name(), A, false);
    records.for_question(us, &service(), PTR, false);
    records.for_question(us, &us.instance(), ANY, false);
    let mut bytes = head(0, 0, records.count);
    bytes.extend_from_slice(&records.bytes);
    bytes
}

fn head(id: u16, questions: usize, answers: u16) -> Vec<u8> {
    let questions = u16::try_from(questions).unwrap_or(0);
    let mut bytes = Vec::with_capacity(256);
    // An answer, and nobody knows better.
    for word in [id, 0x8400, questions, answers, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes
}

pub(super) fn write_name(bytes: &mut Vec<u8>, name: &Name) {
    for label in name {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend_from_slice(label);
    }
    bytes.push(0);
}

#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    count: u16,
    ttl: u32,
}

impl Records {
    /// Adds what answers a question. `legacy` askers do not know the top bit.
    fn for_question(&mut self, us: &Ourselves, asked: &Name, kind: u16, legacy: bool) {
        let wants = |of: u16| kind == of || kind == ANY;
        let unique = if legacy { INTERNET } else { INTERNET | TOP_BIT };
        if wants(A) && same(asked, &us.host_name()) {
            for address in &us.addresses {
                self.add(asked, A, unique, &address.octets());
            }
        }
        if wants(PTR) && same(asked, &service()) {
            let mut data = Vec::new();
            write_name(&mut data, &us.instance());
            self.add(asked, PTR, INTERNET, &data);
        }
        if wants(PTR) && same(asked, &all_services()) {
            let mut data = Vec::new();
            write_name(&mut data, &service());
            self.add(asked, PTR, INTERNET, &data);
        }
        if same(asked, &us.instance()) {
            if wants(SRV) {
                let mut data = vec![0, 0, 0, 0];
                data.extend_from_slice(&us.port.to_be_bytes());
                write_name(&mut data, &us.host_name());
                self.add(asked, SRV, unique, &data);
            }
            if wants(TXT) {
                self.add(asked, TXT, unique, b"\x06path=/");
            }
        }
    }

    fn add(&mut self, name: &Name, kind: u16, class: u16, data: &[u8]) {
        write_name(&mut self.bytes, name);
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&class.to_be_bytes());
        self.bytes.extend_from_slice(&self.ttl.to_be_bytes());
        self.bytes.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        self.bytes.extend_from_slice(data);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Ourselves {
        let addresses = vec![Ipv4Addr::new(192, 168, 1, 7)];
        Ourselves { host: "mi360-1a2b".into(), addresses, port: 80 }
    }

    fn question(labels: &[&[u8]], kind: u16, class: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        write_name(&mut bytes, &name(labels));
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&class.to_be_bytes());
        bytes
    }

    fn asked(packet: &[u8], port: u16) -> Option<Reply> {
        reply(&us(), &Heard { packet, port })
    }

    #[test]
    fn our_name_is_answered_with_our_address_to_all_or_to_the_asker_alone() {
        let packet = question(&[b"MI360-1A2B", b"Local"], A, INTERNET);
        let answer = asked(&packet, MULTICAST).unwrap();
        assert!(!answer.unicast && answer.bytes.ends_with(&[0, 4, 192, 168, 1, 7]));
        assert_eq!(answer.bytes[..4], [0, 0, 0x84, 0]);
        let direct = question(&[b"mi360-1a2b", b"local"], A, INTERNET | TOP_BIT);
        assert!(asked(&direct, MULTICAST).unwrap().unicast);
        // An old resolver gets its number and its question back.
        let legacy = asked(&packet, 40000).unwrap();
        assert!(legacy.unicast && legacy.bytes[..2] == [0x12, 0x34] && legacy.bytes[5] == 1);
    }

    #[test]
    fn nobody_else_is_answered_for() {
        for (labels, kind) in [
            (&[&b"other"[..], b"local"][..], A),
            (&[b"mi360-1a2b", b"lan"], A),
            (&[b"mi360-1a2b", b"local"], 28),
            (&[b"_ipp", b"_tcp", b"local"], PTR),
        ] {
            assert!(asked(&question(labels, kind, INTERNET), MULTICAST).is_none());
        }
        let mut answer = announcement(&us());
        assert!(asked(&answer, MULTICAST).is_none(), "an answer is no question");
        answer.truncate(20);
        assert!(asked(&answer, MULTICAST).is_none());
    }

    #[test]
    fn another_machine_with_our_name_is_noticed_and_we_ourselves_are_not() {
        let theirs = Ourselves { addresses: vec![Ipv4Addr::new(192, 168, 1, 8)], ..us() };
        let says = |packet: Vec<u8>| conflict(&us(), &Heard { packet: &packet, port: MULTICAST });
        assert!(says(announcement(&theirs)));
        assert!(!says(announcement(&us())));
        assert!(!says(goodbye(&theirs)));
    }

    #[test]
    fn a_name_that_points_at_itself_comes_to_an_end() {
        let mut packet = question(&[b"x"], A, INTERNET);
        packet.truncate(12);
        packet.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1]);
        assert!(asked(&packet, MULTICAST).is_none());
    }

    #[test]
    fn any_packet_is_answered_or_left() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120))| {
            let heard = Heard { packet: &bytes, port: MULTICAST };
            let _ = (conflict(&us(), &heard), reply(&us(), &heard));
        });
    }
}
