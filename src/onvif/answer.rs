//! From a request to its answer. Pure: what moves the camera comes back as a wish.

use super::template::{Templates, Values};
use super::xml::{At, Tree};

/// One of the camera's streams.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its profile's token: `main`, `sub`.
    pub token: &'static str,
    /// What its address ends in.
    pub path: &'static str,
    /// `H264` or `H265`.
    pub codec: &'static str,
    /// Pixels in a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
    /// Pictures in a second.
    pub fps: u64,
    /// Kilobits in a second.
    pub kbits: u64,
}

/// What is told of the camera.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `http://HOST:PORT`, as it was asked.
    pub base: String,
    /// `rtsp://HOST:PORT`.
    pub rtsp: String,
    /// Its name on the network.
    pub name: String,
    /// Its model.
    pub model: String,
    /// Of the WiFi; may be empty.
    pub mac: String,
    /// Its address.
    pub address: String,
    /// UTC as `2026-11-24T14:00:05Z`.
    pub utc: String,
    /// Whether it has motors that can be told.
    pub ptz: bool,
    /// The larger one first.
    pub streams: [Stream; 2],
}

/// Steps of the motors, to the right and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// To the right; negative: to the left.
    pub pan: i64,
    /// Up; negative: down.
    pub tilt: i64,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The whole document.
    pub body: String,
    /// What is to be done before it is sent.
    pub moved: Option<Moved>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no request.
    Malformed,
    /// It is not answered here.
    Unknown,
    /// A login is missing, or wrong.
    NotAuthorized,
    /// Too many wrong ones.
    TooMany,
    /// There is no such profile or configuration.
    NoSuchToken,
    /// A move of no known kind.
    BadMove,
    /// The motors do not do it.
    Motors,
}

/// Steps from one end to the other, the longer way.
const STEPS: f32 = 146.0;
/// Steps of one `ContinuousMove` at full speed: motord moves by steps and is not stopped, so a
/// client that holds its button asks again.
const PUSH: f32 = 20.0;

/// What a request asks for: the name of its body's first element.
fn action<'a>(tree: &'a Tree<'_>) -> Option<(At, &'a str)> {
    let at = tree.path(&["Envelope", "Body"]).and_then(|body| tree.first(body))?;
    Some((at, tree.name(at)))
}

/// Whether this needs no login: clients must learn our time before they can log in.
pub fn is_open(service: &str, tree: &Tree<'_>) -> bool {
    service_of(service) == "device"
        && action(tree).is_some_and(|(_, name)| name == "GetSystemDateAndTime")
}

/// `device_service` is what many clients ask without looking.
fn service_of(path: &str) -> &str {
    path.strip_suffix("_service").unwrap_or(path)
}

/// Answers a request to one of the services `device`, `media`, `ptz`.
///
/// # Errors
/// [`Fault`].
pub fn answer(service: &str, tree: &Tree<'_>, facts: &Facts) -> Result<Outcome, Fault> {
    let (at, action) = action(tree).ok_or(Fault::Malformed)?;
    let service = service_of(service);
    let name = format!("{service}.{action}");
    let templates = Templates::unpack();
    let known = !name.contains(['#', '+']) && templates.has(&name);
    if !known || service == "ptz" && !facts.ptz {
        return Err(Fault::Unknown);
    }
    let moved = match (service, action) {
        ("ptz", "ContinuousMove") => Some(moved(tree, at, "Velocity", PUSH)?),
        ("ptz", "RelativeMove") => Some(moved(tree, at, "Translation", STEPS)?),
        _ => None,
    };
    // The stream that is meant, where one is.
    let token = ["ProfileToken", "ConfigurationToken"].iter().find_map(|n| tree.below(at, &[n]));
    let wanted = token.map(|at| tree.text(at));
    let chosen = match wanted.filter(|_| service == "media") {
        None => &facts.streams[0],
        Some(token) => facts.streams.iter().find(|s| s.token == token).ok_or(Fault::NoSuchToken)?,
    };
    if wanted.is_none() && ["GetProfile", "GetStreamUri", "GetSnapshotUri"].contains(&action) {
        return Err(Fault::NoSuchToken);
    }
    let body =
        templates.fill(&name, &[&all(&templates, facts), &stream(&templates, facts, chosen)]);
    Ok(Outcome { body: envelope(&templates, body), moved })
}

/// A fault as a document.
pub fn fault(fault: Fault) -> String {
    let (who, code, reason) = match fault {
        Fault::Malformed => ("Sender", "WellFormed", "This is no SOAP request."),
        Fault::Unknown => ("Receiver", "ActionNotSupported", "This is not answered here."),
        Fault::NotAuthorized => (
            "Sender",
            "NotAuthorized",
            "The login of the camera's streams is needed, as a password digest. The page shows it.",
        ),
        Fault::TooMany => ("Sender", "NotAuthorized", "Too many wrong passwords. Wait a minute."),
        Fault::NoSuchToken => ("Sender", "InvalidArgVal", "There is no such profile."),
        Fault::BadMove => ("Sender", "InvalidArgVal", "This move is not understood."),
        Fault::Motors => ("Receiver", "Action", "The motors do not move. The page's log says why."),
    };
    let templates = Templates::unpack();
    let text = |text: &str| text.to_owned();
    let values =
        [("who", text(who), false), ("code", text(code), false), ("reason", text(reason), false)];
    envelope(&templates, templates.fill("fault", &[&values]))
}

fn envelope(templates: &Templates, body: String) -> String {
    templates.fill("envelope", &[&[("body", body, true)]])
}

/// What is said of the camera, wherever it is needed.
fn all(templates: &Templates, facts: &Facts) -> Vec<(&'static str, String, bool)> {
    let full = &facts.streams[0];
    let number = |range: std::ops::Range<usize>| {
        let digits = facts.utc.get(range).unwrap_or_default().trim_start_matches('0');
        if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
    };
    let mut values = vec![
        ("base", facts.base.clone(), false),
        ("rtsp", facts.rtsp.clone(), false),
        ("name", facts.name.clone(), false),
        ("model", facts.model.clone(), false),
        ("version", env!("CARGO_PKG_VERSION").to_owned(), false),
        ("mac", facts.mac.clone(), false),
        ("address", facts.address.clone(), false),
        ("year", number(0..4), false),
        ("month", number(5..7), false),
        ("day", number(8..10), false),
        ("hour", number(11..13), false),
        ("minute", number(14..16), false),
        ("second", number(17..19), false),
        ("full-width", full.width.to_string(), false),
        ("full-height", full.height.to_string(), false),
        ("full-fps", full.fps.to_string(), false),
    ];
    let mut part = |name: &'static str, wanted: bool| {
        let text =
            if wanted { templates.fill(&format!("+{name}"), &[&values]) } else { String::new() };
        values.push((name, text, true));
    };
    part("source", true);
    part("node", true);
    part("ptz", true);
    part("ptz-in-profile", facts.ptz);
    part("ptz-capability", facts.ptz);
    part("ptz-service", facts.ptz);
    let scope = |scope: String| templates.fill("+scope", &[&[("scope", scope, false)]]);
    let scopes = super::discovery::scopes(&facts.name, &facts.model, facts.ptz);
    values.push(("scopes", scopes.into_iter().map(scope).collect(), true));
    let each = |part: &str, tag: &str| {
        let one = |one: &Stream| {
            let tag = [("tag", tag.to_owned(), false)];
            templates.fill(part, &[&values, &own(templates, one), &tag])
        };
        facts.streams.iter().map(one).collect::<String>()
    };
    let (profiles, encoders) = (each("+profile", "Profiles"), each("+encoder-in-list", ""));
    values.push(("profiles", profiles, true));
    values.push(("encoders", encoders, true));
    values
}

/// What is said of the stream that is meant.
fn stream(
    templates: &Templates,
    facts: &Facts,
    stream: &Stream,
) -> Vec<(&'static str, String, bool)> {
    let mut values = own(templates, stream);
    let tag = [("tag", "Profile".to_owned(), false)];
    let common = all_of_profile(templates, facts);
    values.push(("profile", templates.fill("+profile", &[&common, &values, &tag]), true));
    values
}

fn all_of_profile(templates: &Templates, facts: &Facts) -> Vec<(&'static str, String, bool)> {
    let full = &facts.streams[0];
    let mut values = vec![
        ("full-width", full.width.to_string(), false),
        ("full-height", full.height.to_string(), false),
        ("ptz", templates.fill("+ptz", &[]), true),
    ];
    let source = templates.fill("+source", &[&values]);
    let ptz = if facts.ptz { templates.fill("+ptz-in-profile", &[&values]) } else { String::new() };
    values.extend([("source", source, true), ("ptz-in-profile", ptz, true)]);
    values
}

fn own(templates: &Templates, stream: &Stream) -> Vec<(&'static str, String, bool)> {
    let mut values = vec![
        ("token", stream.token.to_owned(), false),
        ("path", stream.path.to_owned(), false),
        ("codec", stream.codec.to_owned(), false),
        ("width", stream.width.to_string(), false),
        ("height", stream.height.to_string(), false),
        ("fps", stream.fps.to_string(), false),
        ("kbits", stream.kbits.to_string(), false),
    ];
    let parts: &Values<'_> = &values;
    let encoder = templates.fill("+encoder", &[parts]);
    values.push(("encoder", encoder, true));
    values
}

/// A vector from -1 to 1 each way, in steps. Zoom there is none.
fn moved(tree: &Tree<'_>, at: At, name: &str, whole: f32) -> Result<Moved, Fault> {
    let vector = tree.below(at, &[name, "PanTilt"]).ok_or(Fault::BadMove)?;
    let steps = |axis: &str| {
        let text = tree.attribute(vector, axis).ok_or(Fault::BadMove)?;
        let share: f32 = text.trim().parse().map_err(|_| Fault::BadMove)?;
        (-1.0..=1.0).contains(&share).then_some((share * whole) as i64).ok_or(Fault::BadMove)
    };
    Ok(Moved { pan: steps("x")?, tilt: steps("y")? })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::onvif::xml::parse;

    pub fn facts(ptz: bool) -> Facts {
        let stream = |token, path, width, height| Stream {
            token,
            path,
            codec: "H264",
            width,
            height,
            fps: 20,
            kbits: 2000,
        };
        Facts {
            base: "http://192.168.1.7:80".into(),
            rtsp: "rtsp://192.168.1.7:8554".into(),
            name: "a<b>&\"'".into(),
            model: "ipc009".into(),
            mac: "aa:bb:cc:dd:ee:ff".into(),
            address: "192.168.1.7".into(),
            utc: "2026-01-02T03:04:00Z".into(),
            ptz,
            streams: [
                stream("main", "mainstream", 1920, 1080),
                stream("sub", "substream", 640, 360),
            ],
        }
    }

    fn ask(service: &str, inside: &str, ptz: bool) -> Result<Outcome, Fault> {
        let text = format!("<s:Envelope><s:Body>{inside}</s:Body></s:Envelope>");
        answer(service, &parse(&text).unwrap(), &facts(ptz))
    }

    #[test]
    fn every_answer_is_a_whole_document_with_nothing_left_to_fill_in() {
        let templates = Templates::unpack();
        let token = "<ProfileToken>sub</ProfileToken>";
        let vector = "<PanTilt x='0.5' y='-1'/>";
        let mut tried = 0;
        for name in templates.names() {
            let Some((service, action)) = name.split_once('.') else { continue };
            let more = match action {
                "ContinuousMove" => format!("<Velocity>{vector}</Velocity>"),
                "RelativeMove" => format!("<Translation>{vector}</Translation>"),
                _ if service == "media" => token.to_owned(),
                _ => String::new(),
            };
            let body = ask(service, &format!("<{action}>{more}</{action}>"), true).unwrap().body;
            let tree = parse(&body).unwrap_or_else(|| panic!("{body}"));
            let response = tree.path(&["Envelope", "Body", &format!("{action}Response")]);
            assert!(response.is_some() && !body.contains(['{', '}']), "{body}");
            tried += 1;
        }
        assert!(tried > 20);
        let fault = fault(Fault::NotAuthorized);
        assert!(
            parse(&fault)
                .unwrap()
                .path(&["Envelope", "Body", "Fault", "Code", "Subcode"])
                .is_some()
        );
    }

    #[test]
    fn what_is_meant_is_what_is_answered() {
        let uri = ask(
            "media_service",
            "<GetStreamUri><ProfileToken>sub</ProfileToken></GetStreamUri>",
            false,
        );
        assert!(uri.unwrap().body.contains("rtsp://192.168.1.7:8554/substream<"));
        let profiles = ask("media", "<GetProfiles/>", false).unwrap().body;
        assert!(profiles.contains("\"main\"") && profiles.contains("\"sub\""));
        assert!(
            profiles.contains(">640<")
                && profiles.contains(">1920<")
                && !profiles.contains("ptz\"")
        );
        assert!(ask("media", "<GetProfiles/>", true).unwrap().body.contains("token=\"ptz\""));
        let names = ask("device", "<GetHostname/>", false).unwrap().body;
        assert!(names.contains("a&lt;b&gt;&amp;&quot;&apos;"));
        for (service, inside, fault) in [
            ("media", "<GetProfile/>", Fault::NoSuchToken),
            (
                "media",
                "<GetStreamUri><ProfileToken>x</ProfileToken></GetStreamUri>",
                Fault::NoSuchToken,
            ),
            ("ptz", "<GetNodes/>", Fault::Unknown),
            ("device", "<GetProfiles/>", Fault::Unknown),
            ("device", "", Fault::Malformed),
            ("", "<fault/>", Fault::Unknown),
        ] {
            assert_eq!(ask(service, inside, false), Err(fault), "{inside}");
        }
    }

    #[test]
    fn a_move_is_a_number_of_steps() {
        let go = |action: &str, vector: &str| {
            let name = if action == "RelativeMove" { "Translation" } else { "Velocity" };
            ask("ptz", &format!("<{action}><{name}>{vector}</{name}></{action}>"), true)
                .map(|outcome| outcome.moved.unwrap())
        };
        let right = Moved { pan: 73, tilt: -146 };
        assert_eq!(go("RelativeMove", "<PanTilt x='0.5' y='-1.0'/>"), Ok(right));
        assert_eq!(
            go("ContinuousMove", "<PanTilt x='-1' y='0'/>"),
            Ok(Moved { pan: -20, tilt: 0 })
        );
        for vector in ["", "<PanTilt x='2' y='0'/>", "<PanTilt x='NaN' y='0'/>", "<PanTilt x='1'/>"]
        {
            assert_eq!(go("RelativeMove", vector), Err(Fault::BadMove));
        }
    }
}
