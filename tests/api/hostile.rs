//! Requests that nobody honest sends: nothing but clean 4xx, and the daemon lives on.

use serde_json::Value;

use crate::client::{call, raw, send};
use crate::rig::Sim;
use crate::rig::daemon::Daemon;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

#[test]
fn ten_thousand_random_requests_get_nothing_but_clean_refusals() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let cookie = daemon.session.as_ref().unwrap().cookie.clone();
    let mut dice = Dice(0x6d69_3336_3064);
    let parts = [
        "api",
        "v1",
        "status",
        "backups",
        "jobs",
        "..",
        ".",
        "%2e%2e",
        "%00",
        "images",
        "config",
        "log",
        "",
        "a b",
        "\u{e9}",
        "{id}",
        "0001-3f9a12bc",
        "downloads",
        "tokens",
        "'\"<>",
        "\\",
        "~",
        "download",
        "verify",
        "plans",
        "services",
        "openapi.json",
        "flash",
        "uninstall",
        "%",
    ];
    let methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "get", "X"];
    let bodies =
        ["", "{}", "[]", "null", "{\"a\":", "\u{0}", "{\"password\":1}", "{\"plan\":{}}", "\"x\""];
    let queries =
        ["", "?", "?wait=-1", "?lines=99999999999999999999", "?wait=1e9&since=x", "?level=%0d%0a"];
    let mut refused = 0;
    for n in 0..10_000 {
        let depth = 1 + dice.roll(6);
        let mut path: String = (0..depth).map(|_| format!("/{}", dice.pick(&parts))).collect();
        if dice.roll(2) == 0 {
            path = format!("/api/v1{path}");
        }
        path += dice.pick(&queries);
        let method = dice.pick(&methods);
        let body = dice.pick(&bodies);
        let mut request = format!("{method} {path} HTTP/1.{}\r\nHost: localhost\r\n", dice.roll(3));
        if dice.roll(2) == 0 {
            // Logged in, but without the CSRF token: it may look, and change nothing.
            request += &format!("Cookie: {cookie}\r\n");
        }
        if dice.roll(4) == 0 {
            request += "X-CSRF-Token: \t\r\nOrigin: http://evil.example\r\n";
        }
        if !body.is_empty() && method != "GET" && method != "HEAD" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        let Some(answer) = raw(daemon.port, format!("{request}{body}").as_bytes()) else {
            panic!("{n}: no answer to {request:?}");
        };
        let fine = answer.status < 500 || matches!(answer.status, 501 | 505);
        assert!(fine, "{n}: {} to {request:?}", answer.status);
        assert!(answer.status < 300 || answer.status >= 400, "{n}: {request:?}");
        if answer.status >= 400 {
            refused += 1;
            assert!(method == "HEAD" || !answer.code().is_empty());
        } else {
            assert!(["GET", "HEAD"].contains(&method), "{n}: {request:?} was answered");
        }
    }
    println!("{refused} of 10000 were refused");
    let log = std::fs::read_to_string(sim.home().join("logs/mi360d.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(send(daemon.port, "GET", "/healthz", &[], b"").body, b"ok");
}

#[test]
fn json_that_is_deep_huge_or_strange_is_refused_from_every_caller() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let session = daemon.session.clone().unwrap();
    let headers = [("Cookie", session.cookie.as_str()), ("X-CSRF-Token", session.csrf.as_str())];
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    let bodies: Vec<Vec<u8>> = vec![
        deep("[", "]", 30_000).into_bytes(),
        deep("{\"a\":", "}", 6_000).into_bytes(),
        format!(
            "{{\"config\":{},\"mi360d_settings\":1}}",
            deep("{\"a\":", "}", 120).replace(":}", ":1}")
        )
        .into_bytes(),
        format!("{{\"name\":\"{}\"}}", "x".repeat(60_000)).into_bytes(),
        b"{\"password\":\"\\ud800\"}".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"{\"password\":\"a\",\"password\":\"b\"}".to_vec(),
        b"{\"password\":\"a\",\"more\":1}".to_vec(),
        b"1e999".to_vec(),
        b"{}{}".to_vec(),
        Vec::new(),
    ];
    for path in [
        "login",
        "setup",
        "password",
        "tokens",
        "config",
        "settings-file",
        "plans",
        "jobs",
        "uninstall",
        "backups/x/download",
    ] {
        let method = if path == "config" { "PUT" } else { "POST" };
        for body in &bodies {
            let answer = send(daemon.port, method, &format!("/api/v1/{path}"), &headers, body);
            let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            // Of another version's settings what is unknown is left out, however deep.
            let left_out = path == "settings-file" && answer.status == 200;
            if left_out {
                assert_eq!(answer.json()["changed"], serde_json::json!([]), "{start}");
                continue;
            }
            assert!(
                (400..500).contains(&answer.status),
                "{method} {path}: {} to {start}",
                answer.status
            );
            assert!(!answer.code().is_empty());
        }
        let huge =
            send(daemon.port, method, &format!("/api/v1/{path}"), &headers, &vec![b' '; 70_000]);
        assert_eq!(huge.status, 413, "{path}");
    }
    assert_eq!(call(&daemon, "GET", "/api/v1/status", &Value::Null).status, 200);
}

#[test]
fn no_header_comes_back_that_a_client_made() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let session = daemon.session.clone().unwrap();
    for path in [
        "/api/v1/log?level=a%0d%0aX-Planted:%201",
        "/%0d%0aX-Planted:%201",
        "/api/v1/downloads/%0d%0aX-Planted:%201",
        "/api/v1/backups/x%0d%0aX-Planted:1",
    ] {
        let answer = send(daemon.port, "GET", path, &[("Cookie", &session.cookie)], b"");
        assert!((400..500).contains(&answer.status), "{path}");
        assert!(!answer.head.to_lowercase().contains("x-planted:"), "{}", answer.head);
    }
    let answer = send(
        daemon.port,
        "POST",
        "/api/v1/images",
        &[
            ("Cookie", &session.cookie),
            ("X-CSRF-Token", &session.csrf),
            ("X-Filename", "a%0d%0aX-Planted:%201%00.img"),
        ],
        b"not an image",
    );
    assert_eq!(answer.status, 201);
    assert!(!answer.head.contains("X-Planted"));
    assert_eq!(answer.json()["name"], "aX-Planted: 1.img");
    for header in ["Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"] {
        let page = send(daemon.port, "GET", "/", &[], b"");
        assert!(page.header(header).is_some(), "{header}");
        assert!(!page.header("Content-Security-Policy").unwrap().contains("unsafe"));
    }
}
