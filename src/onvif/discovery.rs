//! WS-Discovery (OASIS, April 2005, as ONVIF has it): a question on the network, and our answer.
//! Pure.

use super::template::Templates;
use super::{uuid, xml};

/// Where it is asked.
pub const PORT: u16 = 3702;
/// Bytes of a question that are read.
pub const LONGEST: usize = 8192;
/// What a message identifier may be, in bytes.
const LONGEST_ID: usize = 256;
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
const EVERYBODY: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";

/// The camera as it appears on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ourselves {
    /// Our name.
    pub name: String,
    /// Our model.
    pub model: String,
    /// What our UUID is made of: never the same for two cameras.
    pub unique: String,
    /// `http://ADDRESS:PORT`, one for each address.
    pub bases: Vec<String>,
    /// Whether there are motors.
    pub ptz: bool,
    /// Which start this is; grows.
    pub instance: u64,
}

/// What we are, as ONVIF's scopes.
pub fn scopes(name: &str, model: &str, ptz: bool) -> Vec<String> {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    };
    let mut scopes = vec![
        "Profile/Streaming".to_owned(),
        "type/video_encoder".to_owned(),
        format!("hardware/{}", plain(model)),
        format!("name/{}", plain(name)),
    ];
    if ptz {
        scopes.push("type/ptz".to_owned());
    }
    scopes.iter().map(|scope| format!("onvif://www.onvif.org/{scope}")).collect()
}

/// The answer to a packet, if it asks for what we are. `number` counts our messages.
pub fn reply(us: &Ourselves, packet: &[u8], number: u64) -> Option<String> {
    let tree = xml::parse(std::str::from_utf8(packet).ok()?)?;
    let probe = tree.path(&["Envelope", "Body", "Probe"])?;
    let words = |name: &str| {
        tree.below(probe, &[name]).map(|at| tree.text(at).split_whitespace()).into_iter().flatten()
    };
    let ours = scopes(&us.name, &us.model, us.ptz);
    let known = |kind: &str| {
        let kind = kind.rsplit(':').next().unwrap_or(kind);
        ["NetworkVideoTransmitter", "Device"].contains(&kind)
    };
    if !words("Types").all(known)
        || !words("Scopes").all(|scope| ours.iter().any(|our| our.starts_with(scope)))
    {
        return None;
    }
    let id = tree.text(tree.path(&["Envelope", "Header", "MessageID"])?);
    let id = (id.len() <= LONGEST_ID).then(|| id.to_owned())?;
    Some(message(us, "ProbeMatches", "+probe-match", Some(id), number))
}

/// What is announced to all when we appear.
pub fn hello(us: &Ourselves, number: u64) -> String {
    message(us, "Hello", "+hello", None, number)
}

fn message(us: &Ourselves, action: &str, body: &str, id: Option<String>, number: u64) -> String {
    let templates = Templates::unpack();
    let addresses: Vec<String> =
        us.bases.iter().map(|base| format!("{base}/onvif/device_service")).collect();
    let endpoint = templates.fill(
        "+endpoint",
        &[&[
            ("uuid", uuid(&us.unique), false),
            ("scope-list", scopes(&us.name, &us.model, us.ptz).join(" "), false),
            ("addresses", addresses.join(" "), false),
        ]],
    );
    let to = if id.is_some() { ANONYMOUS } else { EVERYBODY };
    let relates =
        id.map(|id| templates.fill("+relates", &[&[("id", id, false)]])).unwrap_or_default();
    templates.fill(
        "discovery",
        &[&[
            ("message", uuid(&format!("{} {} {number}", us.unique, us.instance)), false),
            ("relates", relates, true),
            ("to", to.to_owned(), false),
            ("action", action.to_owned(), false),
            ("instance", us.instance.to_string(), false),
            ("number", number.to_string(), false),
            ("match", templates.fill(body, &[&[("endpoint", endpoint, true)]]), true),
        ]],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Ourselves {
        Ourselves {
            name: "mi360-eeff".into(),
            model: "ipc009".into(),
            unique: "aa:bb".into(),
            bases: vec!["http://192.168.1.7:80".into()],
            ptz: true,
            instance: 7,
        }
    }

    fn probe(inside: &str) -> String {
        format!(
            "<e:Envelope><e:Header><w:MessageID>uuid:1&lt;</w:MessageID></e:Header><e:Body>\
             <d:Probe>{inside}</d:Probe></e:Body></e:Envelope>"
        )
    }

    #[test]
    fn who_asks_for_a_camera_is_answered_and_nobody_else() {
        for inside in [
            "",
            "<d:Types>dn:NetworkVideoTransmitter</d:Types>",
            "<d:Types>tds:Device</d:Types><d:Scopes/>",
            "<d:Scopes>onvif://www.onvif.org/name/mi360-eeff onvif://www.onvif.org/type</d:Scopes>",
        ] {
            let answer = reply(&us(), probe(inside).as_bytes(), 3).unwrap();
            let tree = xml::parse(&answer).unwrap_or_else(|| panic!("{answer}"));
            let relates = tree.path(&["Envelope", "Header", "RelatesTo"]).unwrap();
            assert_eq!(tree.text(relates), "uuid:1<");
            let addresses = ["Envelope", "Body", "ProbeMatches", "ProbeMatch", "XAddrs"];
            let addresses = tree.text(tree.path(&addresses).unwrap());
            assert_eq!(addresses, "http://192.168.1.7:80/onvif/device_service");
        }
        for inside in ["<d:Types>print:Printer</d:Types>", "<d:Scopes>onvif://other</d:Scopes>"] {
            assert!(reply(&us(), probe(inside).as_bytes(), 3).is_none(), "{inside}");
        }
        for packet in [&b""[..], b"\xff", b"<a/>", b"<Envelope><Body><Probe/></Body></Envelope>"] {
            assert!(reply(&us(), packet, 3).is_none());
        }
        assert!(
            xml::parse(&hello(&us(), 1)).unwrap().path(&["Envelope", "Body", "Hello"]).is_some()
        );
    }

    #[test]
    fn one_camera_has_one_uuid() {
        assert_eq!(uuid("a"), uuid("a"));
        assert_ne!(uuid("a"), uuid("b"));
        let lengths: Vec<usize> = uuid("a").split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
