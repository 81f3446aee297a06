//! From a request to its answer. Pure: what moves the camera comes back as a wish.

use super::audio;
use super::control::{self, Imaging};
use super::facts::{Answered, Moved, OnvifFacts, Stream};
use super::fault::Fault;
use super::template::Templates;
use super::values::{all, stream};
use super::xml::{At, Tree};

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
pub fn answer(service: &str, tree: &Tree<'_>, facts: &OnvifFacts) -> Result<Answered, Fault> {
    let (at, action) = action(tree).ok_or(Fault::Malformed)?;
    let service = service_of(service);
    if service == "ptz" && !facts.ptz {
        return Err(Fault::Unknown);
    }
    if service == "media" && action.contains("Audio") {
        let templates = Templates::unpack();
        let body = templates.envelope(audio::answer(&templates, tree, at, action, facts)?);
        return Ok(Answered { body, moved: None, deed: None });
    }
    if service == "imaging" && facts.imaging == Imaging::default() {
        return Err(Fault::Unknown);
    }
    let chosen = chosen(tree, at, service, action, facts)?;
    let mut deed = None;
    match (service, &facts.motors) {
        ("ptz", Some(motors)) => deed = control::motors(tree, at, action, motors)?,
        ("imaging", _) => deed = control::imaging(tree, at, action, &facts.imaging)?,
        _ => {
            if let Some(fault) = refused(service, action, facts) {
                return Err(fault);
            }
        }
    }
    let name = format!("{service}.{action}");
    let templates = Templates::unpack();
    if name.contains(['#', '+']) || !templates.has(&name) {
        return Err(Fault::Unknown);
    }
    let moved = match (service, action) {
        _ if facts.motors.is_some() => None,
        ("ptz", "ContinuousMove") => Some(moved(tree, at, "Velocity", PUSH)?),
        ("ptz", "RelativeMove") => Some(moved(tree, at, "Translation", STEPS)?),
        _ => None,
    };
    let body =
        templates.fill(&name, &[&all(&templates, facts), &stream(&templates, facts, chosen)]);
    Ok(Answered { body: templates.envelope(body), moved, deed })
}

/// Requests that ONVIF has an answer for, which here is no.
fn refused(service: &str, action: &str, facts: &OnvifFacts) -> Option<Fault> {
    let fault = match (service, action) {
        ("media", "CreateProfile") => Fault::MaxProfiles,
        ("media", "DeleteProfile") => Fault::FixedProfile,
        ("media", "GetSnapshotUri") if !facts.jpeg => Fault::NoSnapshot,
        ("media", "SetVideoEncoderConfiguration" | "SetVideoSourceConfiguration") => {
            Fault::FixedConfig
        }
        ("ptz", "GotoPreset" | "RemovePreset") => Fault::NoPreset,
        ("ptz", "SetPreset") => Fault::TooManyPresets,
        ("ptz", "GotoHomePosition" | "SetHomePosition") => Fault::NoHome,
        ("ptz", "AbsoluteMove") => Fault::Unknown,
        _ => return None,
    };
    Some(fault)
}

/// Requests about a profile, which they must name.
const NEED_PROFILE: [&str; 14] = [
    "DeleteProfile",
    "GetProfile",
    "GetStreamUri",
    "GetSnapshotUri",
    "GetCompatibleVideoEncoderConfigurations",
    "GetCompatibleVideoSourceConfigurations",
    "GetCompatibleConfigurations",
    "GetStatus",
    "GetPresets",
    "SetPreset",
    "GotoPreset",
    "RemovePreset",
    "GotoHomePosition",
    "SetHomePosition",
];

/// The stream that a request is about, by its profile's or its configuration's name; the main one
/// where it names none.
fn chosen<'a>(
    tree: &Tree<'_>,
    at: At,
    service: &str,
    action: &str,
    facts: &'a OnvifFacts,
) -> Result<&'a Stream, Fault> {
    let main = &facts.streams[0];
    if service == "device" || service == "imaging" {
        return Ok(main);
    }
    let word = |name: &str| tree.below(at, &[name]).map(|at| tree.text(at).trim());
    let named = |token: &str| facts.streams.iter().find(|stream| stream.token == token);
    if word("NodeToken").is_some_and(|token| token != "motors") {
        return Err(Fault::NoNode);
    }
    let of_profile = match word("ProfileToken") {
        Some(token) => Some(named(token).ok_or(Fault::NoProfile)?),
        None if NEED_PROFILE.contains(&action) => return Err(Fault::NoProfile),
        None => None,
    };
    let of_configuration = match word("ConfigurationToken").or(word("PTZConfigurationToken")) {
        None => None,
        Some("ptz") if service == "ptz" => None,
        Some("source") if action.contains("VideoSource") => None,
        Some(token) if service == "media" && !action.contains("VideoSource") => {
            Some(named(token).ok_or(Fault::NoConfig)?)
        }
        Some(_) => return Err(Fault::NoConfig),
    };
    Ok(of_configuration.or(of_profile).unwrap_or(main))
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
mod tests {
    use super::*;
    use crate::onvif::control::Motors;
    use crate::onvif::facts::tests::facts;
    use crate::onvif::xml::parse;

    fn ask(service: &str, inside: &str, ptz: bool) -> Result<Answered, Fault> {
        ask_of(&facts(ptz), service, inside)
    }

    fn ask_of(facts: &OnvifFacts, service: &str, inside: &str) -> Result<Answered, Fault> {
        let text = format!("<s:Envelope><s:Body>{inside}</s:Body></s:Envelope>");
        answer(service, &parse(&text).unwrap(), facts)
    }

    /// A camera whose firmware has its motors and its filter.
    fn whole() -> OnvifFacts {
        let door = control::Preset { id: 3, name: "Door <1>".to_owned(), at: (10, 90) };
        OnvifFacts {
            motors: Some(Motors { position: Some((50, 75)), moving: true, presets: vec![door] }),
            imaging: Imaging { filter: Some("AUTO"), wdr: Some(true) },
            ..facts(true)
        }
    }

    #[test]
    fn motors_that_know_places_say_so_and_imaging_is_a_service() {
        let main = "<ProfileToken>main</ProfileToken>";
        let source = "<VideoSourceToken>video</VideoSourceToken>";
        for (service, action, inside, words) in [
            ("ptz", "GetStatus", main, &["x=\"0.00\" y=\"0.50\"", ">MOVING<"][..]),
            ("ptz", "GetPresets", main, &["token=\"3\"", "Door &lt;1&gt;", "x=\"-0.80\""]),
            ("ptz", "GetNodes", "", &["AbsolutePanTiltPositionSpace", ">32<", ">true<"]),
            ("ptz", "GetConfigurationOptions", "", &["PT10S"]),
            ("ptz", "SetPreset", main, &[control::TOKEN]),
            ("media", "GetProfiles", "", &["PT5S", "DefaultAbsolutePantTiltPositionSpace"]),
            ("imaging", "GetImagingSettings", source, &[">AUTO<", "<tt:Mode>ON<"]),
            ("imaging", "GetOptions", source, &["IrCutFilterModes>OFF<", "WideDynamicRange"]),
            ("device", "GetCapabilities", "", &["/onvif/imaging", "/onvif/ptz"]),
            ("device", "GetServices", "", &["ver20/imaging/wsdl"]),
        ] {
            let body = ask_of(&whole(), service, &format!("<{action}>{inside}</{action}>"));
            let body = body.unwrap().body;
            for word in words {
                assert!(body.contains(word), "{action}: {word} in {body}");
            }
        }
        let none =
            ask("imaging", &format!("<GetImagingSettings>{source}</GetImagingSettings>"), true);
        assert_eq!(none, Err(Fault::Unknown));
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
                "AbsoluteMove" => format!("<Position>{vector}</Position>"),
                "GotoPreset" | "RemovePreset" => "<PresetToken>3</PresetToken>".to_owned(),
                _ => String::new(),
            };
            let more = match service {
                "device" => more,
                "imaging" => "<VideoSourceToken>video</VideoSourceToken>".to_owned(),
                _ => format!("{token}{more}"),
            };
            let answered = ask_of(&whole(), service, &format!("<{action}>{more}</{action}>"));
            let body = answered.unwrap().body;
            let tree = parse(&body).unwrap_or_else(|| panic!("{body}"));
            let response = tree.path(&["Envelope", "Body", &format!("{action}Response")]);
            assert!(response.is_some() && !body.contains(['{', '}']), "{body}");
            tried += 1;
        }
        assert!(tried > 35);
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
            ("media", "<GetProfile/>", Fault::NoProfile),
            (
                "media",
                "<GetStreamUri><ProfileToken>x</ProfileToken></GetStreamUri>",
                Fault::NoProfile,
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
    fn what_cannot_be_done_gets_the_fault_that_onvif_has_for_it() {
        let main = "<ProfileToken>main</ProfileToken>";
        for (service, action, inside, fault) in [
            ("media", "GetSnapshotUri", "<ProfileToken>x</ProfileToken>", Fault::NoProfile),
            ("media", "CreateProfile", "<Name>mine</Name>", Fault::MaxProfiles),
            ("media", "DeleteProfile", main, Fault::FixedProfile),
            ("media", "DeleteProfile", "<ProfileToken>x</ProfileToken>", Fault::NoProfile),
            ("media", "GetAudioSources", "", Fault::NoAudio),
            (
                "media",
                "GetAudioEncoderConfiguration",
                "<ConfigurationToken>x</ConfigurationToken>",
                Fault::NoAudio,
            ),
            (
                "media",
                "GetVideoEncoderConfigurationOptions",
                "<ConfigurationToken>x</ConfigurationToken>",
                Fault::NoConfig,
            ),
            (
                "media",
                "GetVideoSourceConfiguration",
                "<ConfigurationToken>main</ConfigurationToken>",
                Fault::NoConfig,
            ),
            ("media", "SetVideoEncoderConfiguration", "", Fault::FixedConfig),
            ("ptz", "GetStatus", "<ProfileToken>x</ProfileToken>", Fault::NoProfile),
            ("ptz", "GetNode", "<NodeToken>x</NodeToken>", Fault::NoNode),
            (
                "ptz",
                "GetConfigurationOptions",
                "<ConfigurationToken>x</ConfigurationToken>",
                Fault::NoConfig,
            ),
            ("ptz", "SetPreset", main, Fault::TooManyPresets),
            ("ptz", "GotoPreset", main, Fault::NoPreset),
            ("ptz", "GotoHomePosition", main, Fault::NoHome),
            ("ptz", "AbsoluteMove", main, Fault::Unknown),
            ("device", "SetDNS", "", Fault::Unknown),
        ] {
            let text = format!("<{action}>{inside}</{action}>");
            assert_eq!(ask(service, &text, true), Err(fault), "{service} {text}");
        }
    }

    #[test]
    fn what_recorders_ask_for_is_answered() {
        let main = "<ProfileToken>main</ProfileToken>";
        let sub = "<ConfigurationToken>sub</ConfigurationToken>";
        for (service, action, inside, words) in [
            ("media", "GetServiceCapabilities", "", &["SnapshotUri=\"true\""][..]),
            ("media", "GetSnapshotUri", main, &["192.168.1.7:80/onvif/snapshot?form=jpeg<"]),
            ("device", "GetNetworkProtocols", "", &[">HTTP<", ">80<", ">RTSP<", ">8554<"]),
            ("device", "GetDNS", "", &[">192.168.1.1<", ">9.9.9.9<"]),
            ("device", "GetNTP", "", &[">0.pool.ntp.org<"]),
            ("device", "GetUsers", "", &[">admin<"]),
            ("media", "GetVideoEncoderConfigurationOptions", sub, &[">640<", "H264"]),
            ("ptz", "GetStatus", main, &["MoveStatus", "2026-01-02T03:04:00Z"]),
            ("ptz", "GetPresets", main, &["<tptz:GetPresetsResponse></tptz:GetPresetsResponse>"]),
            ("ptz", "GetConfigurationOptions", "", &["VelocityGenericSpace", "PTZTimeout"]),
        ] {
            let body = ask(service, &format!("<{action}>{inside}</{action}>"), true).unwrap().body;
            for word in words {
                assert!(body.contains(word), "{action}: no {word} in {body}");
            }
        }
        let mut none = facts(false);
        none.jpeg = false;
        for (inside, expected) in [
            ("<GetServiceCapabilities/>", Ok(true)),
            (
                "<GetSnapshotUri><ProfileToken>main</ProfileToken></GetSnapshotUri>",
                Err(Fault::NoSnapshot),
            ),
        ] {
            let text = format!("<s:Envelope><s:Body>{inside}</s:Body></s:Envelope>");
            let got = answer("media", &parse(&text).unwrap(), &none);
            assert_eq!(got.map(|out| out.body.contains("SnapshotUri=\"false\"")), expected);
        }
        let mut hevc = facts(false);
        hevc.streams[0].codec = "H265";
        let options =
            "<s:Envelope><s:Body><GetVideoEncoderConfigurationOptions/></s:Body></s:Envelope>";
        let body = answer("media", &parse(options).unwrap(), &hevc).unwrap().body;
        assert!(body.contains("QualityRange") && !body.contains("H264"), "{body}");
    }

    #[test]
    fn a_move_is_a_number_of_steps() {
        let go = |action: &str, vector: &str| {
            let name = if action == "RelativeMove" { "Translation" } else { "Velocity" };
            let token = "<ProfileToken>main</ProfileToken>";
            ask("ptz", &format!("<{action}>{token}<{name}>{vector}</{name}></{action}>"), true)
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
