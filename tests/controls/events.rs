//! What happens before the camera: motion as events, and the web hook that takes them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::Sim;
use crate::rig::daemon::Daemon;
use crate::{controls, put, set};

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
