//! The values for the templates of answers: those of the camera, and of one of its streams.

use super::audio;
use super::control::{self, Imaging};
use super::facts::{OnvifFacts, Stream};
use super::template::{Templates, Values};

/// What is stated about the camera, wherever it is needed.
pub fn all(templates: &Templates, facts: &OnvifFacts) -> Vec<(&'static str, String, bool)> {
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
        ("port", facts.ports[0].to_string(), false),
        ("rtsp-port", facts.ports[1].to_string(), false),
        ("user", facts.user.clone(), false),
        ("utc", facts.utc.clone(), false),
        ("jpeg", facts.jpeg.to_string(), false),
    ];
    values.extend(control::motor_values(templates, facts.motors.as_ref()));
    values.extend(control::imaging_values(templates, &facts.imaging));
    values.extend(audio::in_profile(templates, facts.sound));
    let mut part = |name: &'static str, wanted: bool| {
        let text =
            if wanted { templates.fill(&format!("+{name}"), &[&values]) } else { String::new() };
        values.push((name, text, true));
    };
    part("source", true);
    part("spaces", true);
    part("node", true);
    part("ptz", true);
    part("ptz-in-profile", facts.ptz);
    part("ptz-capability", facts.ptz);
    part("ptz-service", facts.ptz);
    part("events-capability", facts.events);
    part("events-service", facts.events);
    part("imaging-capability", facts.imaging != Imaging::default());
    part("imaging-service", facts.imaging != Imaging::default());
    let scope = |scope: String| templates.fill("+scope", &[&[("scope", scope, false)]]);
    let scopes = super::discovery::scopes(&facts.name, &facts.model, facts.ptz);
    values.push(("scopes", scopes.into_iter().map(scope).collect(), true));
    let servers = |part: &str, servers: &[String]| {
        let one = |server: &String| templates.fill(part, &[&[("server", server.clone(), false)]]);
        servers.iter().map(one).collect::<String>()
    };
    values.push(("dns", servers("+dns", &facts.dns), true));
    values.push(("ntp", servers("+ntp", &facts.ntp), true));
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

/// What is stated about the stream that is meant.
pub fn stream(
    templates: &Templates,
    facts: &OnvifFacts,
    stream: &Stream,
) -> Vec<(&'static str, String, bool)> {
    let mut values = own(templates, stream);
    let tag = [("tag", "Profile".to_owned(), false)];
    let common = all_of_profile(templates, facts);
    values.push(("profile", templates.fill("+profile", &[&common, &values, &tag]), true));
    values
}

fn all_of_profile(templates: &Templates, facts: &OnvifFacts) -> Vec<(&'static str, String, bool)> {
    let full = &facts.streams[0];
    let mut values = vec![
        ("full-width", full.width.to_string(), false),
        ("full-height", full.height.to_string(), false),
    ];
    let motors = control::motor_values(templates, facts.motors.as_ref());
    values.push(("ptz", templates.fill("+ptz", &[&motors]), true));
    let source = templates.fill("+source", &[&values]);
    let ptz = if facts.ptz { templates.fill("+ptz-in-profile", &[&values]) } else { String::new() };
    values.extend([("source", source, true), ("ptz-in-profile", ptz, true)]);
    values.extend(audio::in_profile(templates, facts.sound));
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
    // The old media service has no word for what H.265 can be.
    let options = stream.codec == "H264";
    let options = if options { templates.fill("+h264-options", &[&values]) } else { String::new() };
    values.push(("h264-options", options, true));
    values
}
