//! The controls through the daemon: what a simulated camera's firmware lets one set, by the API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mi360d::camera::job::JobKind;
use mi360d::camera::{motors, schedule};
use mi360d::controls::motors::Aim;
use mi360d::controls::{Id, Value as Setting};
use mi360d::settings::due::Watch;
use mi360d::settings::schedule::Deed;
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

/// A connection's request with its body; answered with this.
fn hook(listener: &std::net::TcpListener, answer: &str) -> (String, Value) {
    use std::io::{BufRead, BufReader, Read, Write};
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut reader, mut head, mut length) = (BufReader::new(&stream), String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{head}");
        if let Some(count) = line.strip_prefix("Content-Length: ") {
            length = count.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(answer.as_bytes()).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn an_event_is_sent_to_the_web_hook_again_until_it_is_taken_and_to_no_other_host() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (mine, other) = (listen(), listen());
    other.set_nonblocking(true).unwrap();
    let set = |hook: &str| set(&daemon, &json!({ "web_hook": hook, "motion_seconds": 2 })).0;
    assert_eq!(set("https://127.0.0.1/"), 422);
    let address = mine.local_addr().unwrap();
    assert_eq!(set(&format!("http://{address}/secret?a=b")), 200);
    // The thread looks every ten seconds whether there is an address: events until one is sent.
    let motion = sim.path().join("motion");
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(3_000)).is_err() {
                // Ended after two seconds of silence.
                std::fs::write(&motion, "").unwrap();
                std::thread::sleep(Duration::from_millis(600));
                std::fs::remove_file(&motion).unwrap();
            }
        });
        let (head, first) = hook(&mine, "HTTP/1.1 503 Later\r\n\r\n");
        assert!(head.starts_with("POST /secret?a=b HTTP/1.1\r\n"), "{head}");
        let (_, again) = hook(&mine, "");
        let (_, third) = hook(&mine, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((&first, &first), (&again, &third));
        assert!(first["event"]["kind"].as_str().unwrap().starts_with("motion-"), "{first}");
        // A redirect is not followed, and the event is given up.
        let elsewhere = other.local_addr().unwrap();
        let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\n\r\n");
        let (_, next) = hook(&mine, &moved);
        assert!(next["event"]["seq"].as_u64() > first["event"]["seq"].as_u64());
        let (_, last) = hook(&mine, "HTTP/1.1 204 None\r\n\r\n");
        assert!(last["event"]["seq"].as_u64() > next["event"]["seq"].as_u64());
        stop.send(()).unwrap();
    });
    assert!(other.accept().is_err(), "a redirect was followed");
    let log = std::fs::read_to_string(sim.home().join("logs/mi360d.log")).unwrap();
    assert!(log.contains("redirects are not followed") && !log.contains("secret"), "{log}");
}

#[test]
fn motion_is_one_event_that_begins_and_one_that_ends() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    controls(&daemon);
    let kinds = |events: &Value, name: &str| {
        let all = events["events"].as_array().unwrap();
        all.iter().filter(|event| event["kind"] == name).count()
    };
    let until = |name: &str| {
        let end = Instant::now() + Duration::from_secs(60);
        let mut events = daemon.json("/api/v1/events");
        while kinds(&events, name) == 0 {
            assert!(Instant::now() < end, "{name}: {events}");
            let seq = events["seq"].as_u64().unwrap();
            daemon.json(&format!("/api/v1/events?wait=25&since={seq}"));
            events = daemon.json("/api/v1/events");
        }
        events
    };
    let motion = sim.path().join("motion");
    for wrong in [1, 601] {
        assert_eq!(set(&daemon, &json!({ "motion_seconds": wrong })).0, 422);
    }
    assert_eq!(set(&daemon, &json!({ "motion_seconds": 2 })).0, 200);
    std::fs::write(&motion, "").unwrap();
    assert_eq!(until("motion-begin")["motion"], true);
    assert_eq!(put(&daemon, "night", json!("night")).0, 200);
    until("night");
    std::fs::remove_file(&motion).unwrap();
    let still = Instant::now();
    let events = until("motion-end");
    assert!(still.elapsed() < Duration::from_secs(9), "ten seconds, and not the two that are set");
    assert_eq!((kinds(&events, "motion-begin"), kinds(&events, "motion-end")), (1, 1));
    assert_eq!(events["motion"], false);
}

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

#[test]
fn the_schedule_waits_for_a_flash_and_a_restart_for_any_job_and_neither_ends_a_patrol() {
    let sim = Sim::small();
    let camera = Arc::new(sim.camera(""));
    mi360d::camera::controls::start(&camera);
    let controls = mi360d::camera::controls::of(&camera).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while !controls.list().controls.iter().any(|control| control.id == "power") {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    let (watch, led) = (Watch::default(), Deed::Set("led", "off"));
    let act = |deed| schedule::act(&camera, (1, deed), &watch);
    let note = sim.home().join("state/schedule");
    for (kind, waits) in [
        (JobKind::Flash, [true, true, true]),
        (JobKind::Restore, [true, true, true]),
        (JobKind::Backup, [false, false, true]),
        (JobKind::Verify, [false, false, true]),
    ] {
        let job = camera.jobs().begin(kind).unwrap();
        for (deed, waits) in [led, Deed::Preset(1), Deed::Restart].into_iter().zip(waits) {
            // There is no preset 1: that is said, and not the job's step.
            let result = act(deed);
            assert_eq!(result == Err("begins".to_owned()), waits, "{kind:?} {deed:?} {result:?}");
        }
        // It would not be done again.
        assert!(!note.exists(), "a restart that waits is not noted as done");
        job.end(Ok(()));
    }
    assert_eq!(controls.value(Id::of("led").unwrap()), Some(Setting::On(false)));
    // On patrol: a preset of the schedule that is refused leaves it, one that is taken ends it.
    for (name, pan) in [("Door", 20), ("Yard", 80)] {
        controls.presets().keep(None, name, Aim { pan, tilt: 50 }, false).unwrap();
    }
    let patrol = || motors::document(&camera).patrol;
    // A push: no place is taken for five seconds, so the patrol waits for its first.
    motors::ask(&camera, motors::Ask::Move { pan: 100, tilt: 0, ms: 1 }).unwrap();
    let begin = motors::Ask::Patrol { presets: vec![], pause: 3600 };
    assert!(motors::ask(&camera, begin).unwrap().patrol);
    let refused = act(Deed::Preset(2));
    assert!(refused.unwrap_err().contains("too soon") && patrol());
    assert!(act(Deed::Preset(9)).is_err() && patrol());
    let end = Instant::now() + Duration::from_secs(60);
    while act(Deed::Preset(2)).is_err() {
        assert!(Instant::now() < end && patrol());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!patrol());
    controls.stop();
}

#[test]
fn the_table_of_times_holds_at_a_start_leaves_what_is_changed_by_hand_and_acts_at_its_time() {
    let sim = Sim::small();
    // A zone in which it is 22:30:35 now: even a busy PC has started it before 22:31.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ahead = (22 * 3600 + 30 * 60 + 35 + 86_400 - now % 86_400) % 86_400;
    let (sign, span) = if ahead > 43_200 { ("", 86_400 - ahead) } else { ("-", ahead) };
    let zone = format!("XXX{sign}{:02}:{:02}:{:02}", span / 3600, span / 60 % 60, span % 60);
    std::fs::create_dir_all(sim.home()).unwrap();
    let text = format!(
        "[camera]\ntime_zone = \"{zone}\"\nreboot = \"sun 04:30\"\nschedule = [\n  # to bed\n  \
         \"daily 22:00 power off\",\n  \"daily 07:00 power on\",\n  \"daily 22:31 led off\",\n]\n"
    );
    std::fs::write(sim.home().join("config.toml"), text).unwrap();
    let daemon = Daemon::start(&sim);
    let value = |id: &str| {
        let (status, body) = daemon.get(&format!("/api/v1/controls/{id}"));
        let control: Value = serde_json::from_str(&body).unwrap_or_default();
        if status == 200 { control["value"].clone() } else { Value::Null }
    };
    let until = |id: &str, wanted: bool| {
        let end = Instant::now() + Duration::from_secs(90);
        while value(id) != json!(wanted) {
            assert!(Instant::now() < end, "{id}: {}", value(id));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    // Within the span the camera is off, and by hand it is on again: until the next entry.
    until("power", false);
    assert_eq!(patiently(|| put(&daemon, "power", json!(true))).0, 200);
    // An entry that acts as the clock passes it; it comes after several looks at the power.
    until("led", false);
    assert_eq!(value("power"), true);
    let times = daemon.json("/api/v1/schedule")["times"].clone();
    let entries = |times: &Value| -> Vec<String> {
        let all = times.as_array().unwrap().iter();
        all.map(|time| time["entry"].as_str().unwrap().to_owned()).collect()
    };
    let lines = ["daily 22:00 power off", "daily 07:00 power on", "daily 22:31 led off"];
    assert_eq!(entries(&times), [&lines[..], &["sun 04:30 restart"]].concat());
    let (next, local) = (times[1]["next"].as_str().unwrap(), times[1]["local"].as_str().unwrap());
    assert!(next.ends_with('Z') && local.ends_with("T07:00:00"), "{times}");
    // What is wrong changes nothing, and is named.
    for wrong in [
        json!(["daily 25:00 power off"]),
        json!(["daily 22:00 flash on"]),
        json!(["monday 22:00 power off"]),
        json!("daily 22:00 power off"),
        json!([{ "days": "daily" }]),
        json!(vec!["daily 22:00 power off"; 33]),
    ] {
        let (status, answer) = set(&daemon, &json!({ "schedule": wrong }));
        assert_eq!((status, &answer["error"]["field"]), (422, &json!("camera.schedule")));
    }
    assert_eq!(daemon.json("/api/v1/schedule")["times"], times);
    // Changed: the comment stays, and the restart of an earlier version becomes one of the times.
    let wanted = [lines[0], lines[2], "sun 04:30 restart"];
    assert_eq!(set(&daemon, &json!({ "schedule": wanted, "reboot": null })).0, 200);
    assert_eq!(entries(&daemon.json("/api/v1/schedule")["times"]), wanted);
    let text = std::fs::read_to_string(sim.home().join("config.toml")).unwrap();
    assert!(
        text.contains("\n  # to bed\n  \"daily 22:00 power off\",\n") && !text.contains("reboot")
    );
    // A start keeps what was changed by hand, and sets again what was not.
    let note = || std::fs::read_to_string(sim.home().join("state/schedule")).unwrap_or_default();
    rig::daemon::wait(|| note().starts_with(|c: char| c.is_ascii_digit()).then_some(()));
    drop(daemon);
    let daemon = Daemon::start(&sim);
    let log = || std::fs::read_to_string(sim.home().join("logs/mi360d.log")).unwrap();
    let times = |deed: &str| log().matches(&format!("by the schedule: {deed}")).count();
    rig::daemon::wait(|| (times("led off") == 2).then_some(()));
    assert_eq!(times("power off"), 1, "{}", log());
    drop(daemon);
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
