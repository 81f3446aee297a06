//! The motors: places, presets and the patrol.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::Sim;
use crate::rig::daemon::{Daemon, status};
use crate::{controls, patiently};

fn ptz(daemon: &Daemon, body: &Value) -> (u16, Value) {
    let (head, answer) = daemon.send("POST", "/api/v1/ptz", "localhost", &body.to_string());
    (status(&head), serde_json::from_slice(&answer).unwrap())
}

fn until(daemon: &Daemon, found: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let motors = daemon.json("/api/v1/ptz");
        if found(&motors) {
            return motors;
        }
        assert!(Instant::now() < end, "{motors}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_motors_move_to_places_and_presets_and_refuse_what_is_too_soon() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    assert_eq!(daemon.json("/api/v1/ptz")["position"], json!({ "pan": 50, "tilt": 50 }));
    let place = json!({ "pan": 20, "tilt": 80 });
    assert_eq!(ptz(&daemon, &json!({ "goto": place })).0, 200);
    until(&daemon, |motors| motors["position"] == place && motors["moving"] == false);
    let new = json!({ "name": "Door", "home": true }).to_string();
    let (head, preset) = daemon.send("POST", "/api/v1/ptz/presets", "localhost", &new);
    assert_eq!(status(&head), 201);
    let preset: Value = serde_json::from_slice(&preset).unwrap();
    assert_eq!((&preset["name"], &preset["pan"]), (&json!("Door"), &json!(20)));
    // A push to the right ends by itself; right after it no place is taken.
    assert_eq!(ptz(&daemon, &json!({ "move": { "pan": 100, "ms": 300 } })).0, 200);
    let (status_, soon) = ptz(&daemon, &json!({ "home": true }));
    assert_eq!((status_, &soon["error"]["code"]), (429, &json!("control-too-soon")), "{soon}");
    until(&daemon, |motors| motors["position"]["pan"].as_u64() > Some(20));
    let end = Instant::now() + Duration::from_secs(60);
    while ptz(&daemon, &json!({ "preset": preset["id"] })).0 != 200 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(100));
    }
    until(&daemon, |motors| motors["position"] == place);
    assert_eq!(patiently(|| ptz(&daemon, &json!({ "calibrate": true }))).0, 200);
    assert_eq!(ptz(&daemon, &json!({ "calibrate": true })).0, 429);
    for (wrong, code) in [
        (json!({ "move": { "pan": 1, "ms": 0 } }), 422),
        (json!({ "move": { "pan": 1, "ms": 10_001 } }), 422),
        (json!({ "goto": { "pan": 101, "tilt": 0 } }), 422),
        (json!({ "preset": 9 }), 404),
        (json!({ "reboot": true }), 422),
        (json!({ "stop": true, "calibrate": true }), 422),
    ] {
        assert_eq!(ptz(&daemon, &wrong).0, code, "{wrong}");
    }
    let path = format!("/api/v1/ptz/presets/{}", preset["id"]);
    assert_eq!(status(&daemon.send("DELETE", &path, "localhost", "").0), 200);
    assert_eq!(status(&daemon.send("DELETE", &path, "localhost", "").0), 404);
}

#[test]
fn a_patrol_goes_from_preset_to_preset_until_somebody_moves_the_camera() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    for (name, pan) in [("Door", 20), ("Yard", 80)] {
        let new = json!({ "name": name, "at": { "pan": pan, "tilt": 50 } }).to_string();
        let (head, _) = daemon.send("POST", "/api/v1/ptz/presets", "localhost", &new);
        assert_eq!(status(&head), 201);
    }
    for (wrong, code) in [
        (json!({ "pause": 4 }), 422),
        (json!({ "pause": 3601 }), 422),
        (json!({ "pause": 5, "presets": [1] }), 422),
        (json!({ "pause": 5, "presets": [1, 9] }), 404),
        (json!({ "presets": [1, 2] }), 422),
        (json!({ "pause": 5, "speed": 1 }), 422),
    ] {
        assert_eq!(ptz(&daemon, &json!({ "patrol": wrong })).0, code, "{wrong}");
    }
    let begin = json!({ "patrol": { "pause": 5 } });
    let is_at = |pan: u64| move |motors: &Value| motors["position"]["pan"] == json!(pan);
    assert_eq!(ptz(&daemon, &begin).1["patrol"], true);
    until(&daemon, is_at(20));
    let there = Instant::now();
    assert_eq!(until(&daemon, is_at(80))["patrol"], true);
    assert!(there.elapsed() > Duration::from_secs(4), "a pause of {:?}", there.elapsed());
    assert_eq!(ptz(&daemon, &json!({ "stop": false })).1["patrol"], true);
    // What is refused for good does not end it.
    for wrong in [json!({ "preset": 9 }), json!({ "patrol": { "pause": 5, "presets": [1, 9] } })] {
        assert_eq!(ptz(&daemon, &wrong).0, 404);
        assert_eq!(daemon.json("/api/v1/ptz")["patrol"], true);
    }
    assert_eq!(ptz(&daemon, &json!({ "stop": true })).1["patrol"], false);
    // Also by any other move.
    assert_eq!(patiently(|| ptz(&daemon, &begin)).1["patrol"], true);
    let push = json!({ "move": { "tilt": 100, "ms": 1 } });
    assert_eq!(patiently(|| ptz(&daemon, &push)).0, 200);
    assert_eq!(daemon.json("/api/v1/ptz")["patrol"], false);
}
