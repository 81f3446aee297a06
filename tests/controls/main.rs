//! The controls through the daemon: what a simulated camera's firmware lets one set, by the API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod events;
mod motors;
#[path = "../rig/mod.rs"]
mod rig;
mod schedule;

use std::time::{Duration, Instant};

use rig::Sim;
use rig::daemon::{Daemon, status};
use serde_json::{Value, json};

fn controls(daemon: &Daemon) -> Value {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let (status, body) = daemon.get("/api/v1/controls");
        let all: Value = serde_json::from_str(&body).unwrap();
        if status == 200 && all["connected"] == true && all["controls"][0]["value"] == true {
            return all;
        }
        assert!(Instant::now() < end, "{status} {body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn call(daemon: &Daemon, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (head, answer) =
        daemon.send(method, &format!("/api/v1/controls{path}"), "localhost", &body);
    (status(&head), serde_json::from_slice(&answer).unwrap())
}

fn put(daemon: &Daemon, id: &str, value: Value) -> (u16, Value) {
    call(daemon, "PUT", &format!("/{id}"), &json!({ "value": value }))
}

/// Asks until the hardware's pause is over.
fn patiently(mut ask: impl FnMut() -> (u16, Value)) -> (u16, Value) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = ask();
        if answer.0 != 429 || Instant::now() > end {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_control_is_set_confirmed_waited_for_and_put_back() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let all = controls(&daemon);
    let ids: Vec<&str> =
        all["controls"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    for id in ["power", "night", "led", "flip", "wdr", "watermark", "motion-region", "recording"] {
        assert!(ids.contains(&id), "{id} of {ids:?}");
    }
    // Set, and put back; a client that waits is answered by the change.
    let since = controls(&daemon)["seq"].as_u64().unwrap();
    std::thread::scope(|scope| {
        let path = format!("/api/v1/controls?wait=25&since={since}");
        let waiting = scope.spawn({
            let daemon = &daemon;
            move || (Instant::now(), daemon.json(&path))
        });
        let (status, flip) = put(&daemon, "flip", json!(true));
        assert_eq!((status, &flip["value"], &flip["changed"]), (200, &json!(true), &json!(true)));
        assert_eq!(flip["original"], json!(false));
        let (_, news) = waiting.join().unwrap();
        assert!(news["seq"].as_u64().unwrap() > since);
    });
    let (status, flip) = patiently(|| call(&daemon, "DELETE", "/flip", &Value::Null));
    assert_eq!((status, &flip["value"], &flip["changed"]), (200, &json!(false), &json!(false)));
    // The night mode has a pause, and says so.
    assert_eq!(put(&daemon, "night", json!("night")).0, 200);
    let (status, soon) = put(&daemon, "night", json!("day"));
    assert_eq!((status, &soon["error"]["code"]), (429, &json!("control-too-soon")));
    // Privacy: no picture is handed out, and the reason is given.
    assert_eq!(put(&daemon, "power", json!(false)).0, 200);
    for path in ["/api/v1/snapshot", "/api/v1/live"] {
        let (status, body) = daemon.get(path);
        assert!(status == 409 && body.contains("camera-off"), "{path}: {status} {body}");
    }
    // A document that names a sound needs no type to be told from a sound.
    let (head, body) =
        daemon.send("POST", "/api/v1/sounds", "localhost", &json!({ "id": "ding" }).to_string());
    assert!(
        head.starts_with("HTTP/1.1 404 ") && body.windows(13).any(|w| w == b"no-such-sound"),
        "{head}"
    );
    // What is wrong is named, and what is not there is.
    let (status, wrong) = put(&daemon, "flip", json!("yes"));
    assert_eq!((status, &wrong["error"]["field"]), (422, &json!("value")));
    let (status, none) = put(&daemon, "miio_token", json!("x"));
    assert_eq!((status, &none["error"]["code"]), (404, &json!("no-such-control")));
    let (status, _) = call(&daemon, "PUT", "/flip", &json!({ "value": true, "key": "x" }));
    assert_eq!(status, 422);
    // Everything back, though the night mode has to wait for its pause.
    assert_eq!(put(&daemon, "watermark", json!(false)).0, 200);
    let (status, all) = call(&daemon, "DELETE", "", &Value::Null);
    assert_eq!(status, 200, "{all}");
    assert!(all["controls"].as_array().unwrap().iter().all(|c| c["changed"] == false), "{all}");
}

/// Sets settings of `[camera]`.
fn set(daemon: &Daemon, camera: &Value) -> (u16, Value) {
    let body = json!({ "camera": camera }).to_string();
    let (head, answer) = daemon.send("PUT", "/api/v1/config", "localhost", &body);
    (status(&head), serde_json::from_slice(&answer).unwrap())
}

#[test]
fn what_was_before_survives_a_restart_and_uninstall_puts_it_back() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    assert_eq!(put(&daemon, "watermark", json!(false)).0, 200);
    let state = sim.home().join("state");
    let files = || {
        let all = std::fs::read_dir(&state).into_iter().flatten().flatten();
        let mut all: Vec<String> =
            all.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        all.sort();
        all
    };
    let own = files().into_iter().find(|name| name.starts_with("controls-")).unwrap();
    drop(daemon);
    // A value that no version knows, and the files of two other cameras that had this card.
    let text = std::fs::read(state.join(&own)).unwrap();
    let mut document: Value = serde_json::from_slice(&text).unwrap();
    document["keys"]["nvram/wdr"] = json!("strange");
    std::fs::write(state.join(&own), document.to_string()).unwrap();
    document["keys"] = json!({ "nvram/flip": "on" });
    std::fs::write(state.join("controls-00000000.json"), document.to_string()).unwrap();
    document["keys"] = json!({});
    std::fs::write(state.join("controls-00000001.json"), document.to_string()).unwrap();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    daemon.backup();
    let list = daemon.json("/api/v1/uninstall");
    let restored = |list: &Value| {
        let changes = list["changes"].as_array().unwrap();
        changes.iter().any(|c| c["thing"] == "control" && c["fate"] == "restored")
    };
    assert!(restored(&list), "{list}");
    let confirm = json!({ "confirm": "UNINSTALL" }).to_string();
    let end = Instant::now() + Duration::from_secs(120);
    let done: Value = loop {
        // Not while the sets are being verified.
        let (head, body) = daemon.send("POST", "/api/v1/uninstall", "localhost", &confirm);
        if status(&head) == 200 {
            break serde_json::from_slice(&body).unwrap();
        }
        assert!(Instant::now() < end, "{head} {}", String::from_utf8_lossy(&body));
        std::thread::sleep(Duration::from_millis(100));
    };
    // What is not as it was is named, and what it was stays on the card; nothing else does.
    let fate = |path: &str| {
        let changes = done["changes"].as_array().unwrap();
        changes.iter().find(|c| c["path"] == path).map(|c| c["fate"].clone())
    };
    assert_eq!((fate("watermark"), fate("wdr")), (Some(json!("restored")), Some(json!("kept"))));
    assert_eq!(fate(&format!("mi360d/state/{own}")), Some(json!("kept")), "{done}");
    let mut kept = vec!["controls-00000000.json".to_owned(), own];
    kept.sort();
    assert_eq!(files(), kept);
    // No more changes are taken: nobody would put them back.
    let (status_, refused) = put(&daemon, "flip", json!(true));
    assert_eq!((status_, &refused["error"]["code"]), (409, &json!("controls-off")));
    let watermark = daemon.json("/api/v1/controls/watermark");
    assert_eq!((&watermark["value"], &watermark["changed"]), (&json!(true), &json!(false)));
}
