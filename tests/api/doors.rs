//! Every route of the OpenAPI document, tried by those who must not: generated from the document,
//! so that a new route is tried the day it is there.

use serde_json::{Value, json};

use crate::client::{Answer, call, send};
use crate::rig::Sim;
use crate::rig::daemon::Daemon;

/// What anybody may ask for.
const OPEN: [&str; 11] = [
    "/",
    "/mi360d.css",
    "/mi360d.js",
    "/more.js",
    "/en.json",
    "/pt.json",
    "/pt-said.json",
    "/zones.json",
    "/healthz",
    "/api/v1/setup",
    "/api/v1/login",
];

/// Method and path of every route, with something in place of each `{...}`.
fn routes(daemon: &Daemon) -> Vec<(String, String)> {
    let document = call(daemon, "GET", "/api/v1/openapi.json", &Value::Null).json();
    let paths = document["paths"].as_object().unwrap().clone();
    let mut routes = Vec::new();
    for (path, row) in paths {
        let real: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        for method in row.as_object().unwrap().keys() {
            routes.push((method.to_uppercase(), real.join("/")));
        }
    }
    assert!(routes.len() > 30, "{routes:?}");
    routes
}

fn closed(daemon: &Daemon) -> Vec<(String, String)> {
    let mut routes = routes(daemon);
    routes.retain(|(_, path)| !OPEN.contains(&path.as_str()));
    routes
}

#[test]
fn no_route_answers_a_stranger() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let wrong: [(&str, &str); 4] = [
        ("X-Nothing", "1"),
        ("Cookie", "mi360d_session=00000000000000000000000000000000"),
        ("Authorization", "Bearer mi360d_0000000000000000000000000000000000000000"),
        ("Authorization", "Basic YWRtaW46YWRtaW4="),
    ];
    for (method, path) in closed(&daemon) {
        for header in wrong {
            let answer = send(daemon.port, &method, &path, &[header], b"{}");
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "login-needed"),
                "{method} {path}"
            );
        }
    }
    // Not even whether there is something.
    assert_eq!(send(daemon.port, "GET", "/api/v1/nothing", &[], b"").status, 401);
}

#[test]
fn before_the_first_password_nothing_but_setup_is_there() {
    let sim = Sim::small();
    let mut daemon = Daemon::start(&sim);
    let routes = closed(&daemon);
    // As new again.
    std::fs::write(sim.home().join("reset-password"), "").unwrap();
    let port = daemon.port;
    assert_eq!(daemon.child.kill().ok(), Some(()));
    let _ = daemon.child.wait();
    let mut again = sim.command(&["run", "--listen", &format!("127.0.0.1:{port}")]);
    daemon.child = again
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::rig::daemon::wait(|| {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        sim.home().join("setup-code.txt").exists().then_some(())
    });
    for (method, path) in routes {
        let answer = send(port, &method, &path, &[], b"{}");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "setup-needed"),
            "{method} {path}"
        );
    }
    assert_eq!(send(port, "GET", "/healthz", &[], b"").status, 200);
    let body = json!({ "password": crate::rig::daemon::PASSWORD }).to_string();
    assert_eq!(
        send(port, "POST", "/api/v1/login", &[], body.as_bytes()).status,
        401,
        "it was reset"
    );
}

#[test]
fn no_changing_route_is_moved_by_another_site_or_without_the_sessions_csrf() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let session = daemon.session.clone().unwrap();
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| -> Answer {
        let mut all = vec![("Cookie", session.cookie.as_str())];
        all.extend(headers);
        send(daemon.port, method, path, &all, b"{}")
    };
    let csrf = ("X-CSRF-Token", session.csrf.as_str());
    let mut tried = 0;
    for (method, path) in routes(&daemon) {
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
            let answer = ask(&method, &path, &[csrf, ("Host", host)]);
            assert_eq!(answer.status, 403, "{method} {path} as {host}");
        }
        if method == "GET" {
            continue;
        }
        tried += 1;
        for origin in ["http://evil.example", "null", "file://localhost", "http://localhost:1"] {
            let answer = ask(&method, &path, &[csrf, ("Origin", origin)]);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, "foreign-origin"),
                "{method} {path} from {origin}"
            );
        }
        let answer = ask(&method, &path, &[csrf, ("Sec-Fetch-Site", "cross-site")]);
        assert_eq!(answer.code(), "foreign-origin", "{method} {path}");
        if !OPEN.contains(&path.as_str()) {
            for wrong in [None, Some(""), Some("0"), Some(&session.csrf[1..])] {
                let header: Vec<(&str, &str)> =
                    wrong.map(|w| ("X-CSRF-Token", w)).into_iter().collect();
                let answer = ask(&method, &path, &header);
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (403, "csrf"),
                    "{method} {path} with {wrong:?}"
                );
            }
        }
    }
    assert!(tried > 12, "{tried}");
    // Nothing of all that came through.
    let status = daemon.json("/api/v1/status");
    assert_eq!(status["boot_count"], 1);
    assert_eq!(daemon.json("/api/v1/tokens")["tokens"], json!([]));
}

#[test]
fn a_token_opens_what_scripts_need_and_no_secret() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let id = daemon.backup()["set"].as_str().unwrap().to_owned();
    let made = call(&daemon, "POST", "/api/v1/tokens", &json!({ "name": "<b>HA</b>" }));
    assert_eq!(made.status, 201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str, body: &Value| {
        send(daemon.port, method, path, &[("Authorization", &bearer)], body.to_string().as_bytes())
    };
    assert_eq!(ask("GET", "/api/v1/status", &json!({})).status, 200);
    let begun = ask("POST", &format!("/api/v1/backups/{id}/verify"), &json!({}));
    assert_eq!(begun.status, 202, "no CSRF for who sends no cookie");
    let listed = call(&daemon, "GET", "/api/v1/tokens", &Value::Null);
    assert!(!String::from_utf8_lossy(&listed.body).contains(&token), "shown once");
    assert_eq!(listed.json()["tokens"][0]["name"], "<b>HA</b>");
    for name in ["FACTORY.bin", "chip.bin", "set.zip"] {
        let wish = json!({ "name": name, "password": crate::rig::daemon::PASSWORD });
        let answer = ask("POST", &format!("/api/v1/backups/{id}/download"), &wish);
        assert_eq!((answer.status, answer.code().as_str()), (403, "not-by-token"), "{name}");
    }
    for (method, path) in [
        ("GET", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/password"),
        ("POST", "/api/v1/uninstall"),
        ("GET", "/api/v1/session"),
    ] {
        assert_eq!(ask(method, path, &json!({})).code(), "not-by-token", "{method} {path}");
    }
    let files = std::fs::read_to_string(sim.home().join("state/tokens")).unwrap();
    assert!(!files.contains(&token), "only its hash is kept");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(call(&daemon, "DELETE", &format!("/api/v1/tokens/{id}"), &Value::Null).status, 200);
    assert_eq!(ask("GET", "/api/v1/status", &json!({})).status, 401, "revoked");
}
