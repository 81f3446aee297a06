//! ONVIF's requests and the packets of its discovery: no panic, no login proved by chance, and every
//! answer can be read as XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::onvif::discovery::{Ourselves, reply};
use mi360d::onvif::login::Token;
use mi360d::onvif::{OnvifFacts, Sound, Stream, answer, events, fault, xml};

const SERVICES: [&str; 5] = ["device_service", "media", "ptz", "imaging", "nosuch"];

fn stream(token: &'static str, path: &'static str) -> Stream {
    Stream { token, path, codec: "H264", width: 1920, height: 1080, fps: 20, kbits: 2000 }
}

fn facts() -> OnvifFacts {
    OnvifFacts {
        base: "http://10.0.0.2:80".into(),
        rtsp: "rtsp://10.0.0.2:8554".into(),
        name: "porch <1>".into(),
        model: "ipc009".into(),
        mac: "02:00:00:00:00:01".into(),
        address: "10.0.0.2".into(),
        utc: "2026-01-02T03:04:00Z".into(),
        ports: [80, 8554],
        user: "admin".into(),
        dns: vec!["10.0.0.1".into()],
        ntp: vec![],
        ptz: true,
        jpeg: true,
        sound: Sound { microphone: true, speaker: true },
        events: true,
        motors: None,
        imaging: mi360d::onvif::control::Imaging::default(),
        streams: [stream("main", "mainstream"), stream("sub", "substream")],
    }
}

fuzz_target!(|bytes: &[u8]| {
    let us = Ourselves {
        name: "porch".into(),
        model: "ipc009".into(),
        unique: "u".into(),
        bases: vec!["http://10.0.0.2:80".into()],
        ptz: true,
        instance: 1,
    };
    if let Some(answer) = reply(&us, bytes, 1) {
        assert!(xml::parse(&answer).is_some(), "{answer}");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // What XML cannot contain is left out of it once.
    let escaped = xml::escape(text);
    let inside = format!("<a b=\"{escaped}\">{escaped}</a>");
    let again = xml::parse(&inside).expect("what is escaped can be anywhere");
    let at = again.path(&["a"]).expect("it is there");
    assert_eq!(xml::escape(again.text(at)), escaped.trim());
    let Some(tree) = xml::parse(text) else { return };
    if let Ok(Some(token)) = Token::of(&tree) {
        assert!(!token.proves("never guessed"));
    }
    let facts = facts();
    for service in SERVICES {
        let body = match answer(service, &tree, &facts) {
            Ok(answered) => answered.body,
            Err(why) => fault(why),
        };
        assert!(xml::parse(&body).is_some(), "{body}");
    }
    for service in ["events", "sub-3"] {
        let _ = events::ask(service, &tree, 1_795_000_000);
    }
});
