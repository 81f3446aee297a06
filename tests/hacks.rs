//! The hacks through the daemon: what its API shows and takes, that it needs a
//! login, and that all of them end with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::Sim;
use serde_json::{Value, json};

struct Daemon {
    child: Child,
    port: u16,
    cookie: String,
    csrf: String,
}

impl Daemon {
    /// Starts the daemon, and logs in with the code from the card.
    fn start(sim: &Sim) -> Daemon {
        let log = sim.home().join("logs/mi360d.log");
        let ports = || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines = text.lines().filter(|line| line.contains("the page is on port "));
            lines
                .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
                .collect::<Vec<u16>>()
        };
        let before = ports().len();
        let child = sim
            .command(&["run", "--listen", "127.0.0.1:0"])
            // The motors here are motord's.
            .env("MI360D_SIM_SERVICES", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait(|| ports().get(before).copied());
        let mut daemon = Daemon { child, port, cookie: String::new(), csrf: String::new() };
        let code = fs::read_to_string(sim.home().join("setup-code.txt")).unwrap();
        let code = code.lines().next().unwrap();
        let body = json!({ "code": code, "password": "a good password" });
        let (status, head, answer) = daemon.ask("POST", "/api/v1/setup", Some(&body));
        assert_eq!(status, 200, "{answer}");
        let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut daemon.cookie);
        answer["csrf"].as_str().unwrap().clone_into(&mut daemon.csrf);
        daemon
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nCookie: {}\r\n\
             X-CSRF-Token: {}\r\nContent-Type: application/json\r\n\r\n{body}",
            body.len(),
            self.cookie,
            self.csrf
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Waits until a hack is in a state.
    fn state(&self, id: &str, state: &str) -> Value {
        wait(|| Some(self.get(&format!("/api/v1/services/{id}"))).filter(|s| s["state"] == state))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "it did not come true within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A hack that says hello, and waits.
fn hello(sim: &Sim) {
    let dir = sim.path().join("sdcard/hacks/hello");
    fs::create_dir_all(&dir).unwrap();
    let script = dir.join("hello.sh");
    fs::write(&script, "#!/bin/sh\necho hello \"$1\"\nexec sleep 600\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        dir.join("hack.toml"),
        "id = \"hello\"\nexec = [\"./hello.sh\", \"{settings.who}\"]\n[settings.who]\ntype = \"text\"\n\
         default = \"world\"\n[settings.pin]\ntype = \"secret\"\n",
    )
    .unwrap();
}

#[test]
fn a_hack_is_switched_set_restarted_and_read_through_the_api_and_ends_with_the_daemon() {
    let sim = Sim::small();
    hello(&sim);
    let mut daemon = Daemon::start(&sim);
    let (list, path) = (daemon.state("hello", "off"), "/api/v1/services/hello");
    assert_eq!((&list["enabled"], &list["available"]), (&json!(false), &json!(true)));
    assert_eq!(list["settings"][0]["type"], "text");

    let wish = json!({ "enabled": true, "settings": { "who": "; reboot", "pin": "hunter2" } });
    let (status, _, answer) = daemon.ask("PUT", path, Some(&wish));
    assert_eq!((status, &answer["enabled"]), (200, &json!(true)), "{answer}");
    let running = daemon.state("hello", "running");
    let pid = running["programs"][0]["pid"].as_i64().unwrap();
    wait(|| {
        let lines = daemon.get(&format!("{path}/log"))["lines"].clone();
        (lines[0] == "hello ; reboot").then_some(())
    });
    let status = daemon.get("/api/v1/status");
    assert_eq!(status["services"][0]["state"], "running", "{status}");
    let config = fs::read_to_string(sim.home().join("config.toml")).unwrap();
    assert!(config.contains("[hacks.hello.settings]\n"), "{config}");
    for shown in ["/api/v1/config", "/api/v1/services", "/api/v1/settings-file", "/api/v1/log"] {
        assert!(!daemon.get(shown).to_string().contains("hunter2"), "{shown}");
    }

    let (status, _, _) = daemon.ask("POST", &format!("{path}/restart"), None);
    assert_eq!(status, 200);
    let again = wait(|| {
        let now = daemon.get(path)["programs"][0]["pid"].as_i64();
        now.filter(|now| *now != pid)
    });

    for (method, path, body, wanted, code) in [
        ("PUT", path, json!({ "settings": { "whom": 1 } }), 422, "setting"),
        ("PUT", path, json!({ "settings": { "who": 1 } }), 422, "setting"),
        ("PUT", path, json!({ "enable": true }), 422, "bad-body"),
        ("PUT", "/api/v1/services/none", json!({}), 404, "no-such-service"),
        ("POST", "/api/v1/services/none/restart", json!({}), 404, "no-such-service"),
        ("POST", "/api/v1/ptz", json!({ "do": "calibrate" }), 503, "firmware-away"),
    ] {
        let (status, _, answer) = daemon.ask(method, path, Some(&body));
        assert_eq!((status, &answer["error"]["code"]), (wanted, &json!(code)), "{path} {body}");
        assert!(!answer["error"]["hint"].as_str().unwrap().is_empty());
    }

    kill(Pid::from_raw(daemon.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(daemon.child.wait().unwrap().success());
    assert!(!std::path::Path::new(&format!("/proc/{again}/cmdline")).exists());
}

#[test]
fn ssh_keys_are_checked_kept_and_shown_by_their_fingerprints() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@pc";
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let path = "/api/v1/ssh/keys";
    assert_eq!(daemon.get(path), json!({ "keys": [], "authorized_keys": "", "host_key": null }));
    let (status, _, answer) =
        daemon.ask("PUT", path, Some(&json!({ "authorized_keys": format!("\n{KEY}\n") })));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["keys"][0]["comment"], "me@pc");
    let wrong = json!({ "authorized_keys": format!("{KEY}\nssh-rsa AAAA") });
    let (status, _, answer) = daemon.ask("PUT", path, Some(&wrong));
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("ssh-key")));
    assert_eq!(answer["error"]["field"], "authorized_keys");
    assert_eq!(daemon.get(path)["authorized_keys"], format!("{KEY}\n"));
    let kept = fs::read_to_string(sim.home().join("ssh/authorized_keys")).unwrap();
    assert_eq!(kept, format!("{KEY}\n"));
}

#[test]
fn without_a_login_nothing_of_it_is_shown_or_done() {
    let sim = Sim::small();
    hello(&sim);
    let mut daemon = Daemon::start(&sim);
    (daemon.cookie, daemon.csrf) = (String::new(), String::new());
    for (method, path) in [
        ("GET", "/api/v1/services"),
        ("GET", "/api/v1/services/hello"),
        ("GET", "/api/v1/services/hello/log"),
        ("PUT", "/api/v1/services/hello"),
        ("POST", "/api/v1/services/hello/restart"),
        ("GET", "/api/v1/ssh/keys"),
        ("PUT", "/api/v1/ssh/keys"),
        ("POST", "/api/v1/ptz"),
    ] {
        let body = (method != "GET").then(|| json!({ "enabled": true }));
        let (status, _, answer) = daemon.ask(method, path, body.as_ref());
        assert_eq!(status, 401, "{method} {path}: {answer}");
    }
}

#[test]
fn in_safe_mode_no_hack_runs_and_the_reason_is_said() {
    let sim = Sim::small();
    hello(&sim);
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(sim.home().join("config.toml"), "[hacks.hello]\nenabled = true\n").unwrap();
    for start in 1..=3 {
        let mut failed = sim.command(&["run", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let log = sim.home().join("logs/mi360d.log");
        wait(|| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            (text.matches("the page is on port ").count() == start).then_some(())
        });
        failed.kill().unwrap();
        failed.wait().unwrap();
    }
    let daemon = Daemon::start(&sim);
    let document = daemon.get("/api/v1/services");
    assert_eq!(document["services"], json!([]));
    assert!(document["off"].as_str().unwrap().contains("safe mode"), "{document}");
}
