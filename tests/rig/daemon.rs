//! The daemon as a process, and a browser's session with it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Sim;

/// A running daemon; killed with the value.
pub struct Daemon {
    pub child: Child,
    pub port: u16,
    pub home: PathBuf,
    pub session: Option<Session>,
}

/// A browser that has logged in.
#[derive(Clone)]
pub struct Session {
    pub cookie: String,
    pub csrf: String,
}

/// The password of every page here.
pub const PASSWORD: &str = "a test's \"p\u{e4}ssword\"";

impl Daemon {
    pub fn start(sim: &Sim) -> Daemon {
        Daemon::of(&mut sim.command(&["run", "--listen", "127.0.0.1:0"]), sim.home())
    }

    pub fn of(command: &mut Command, home: PathBuf) -> Daemon {
        let log = home.join("logs/mi360d.log");
        let said_before = ports(&log).len();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let port = wait(|| ports(&log).get(said_before).copied());
        let mut daemon = Daemon { child, port, home, session: None };
        daemon.log_in();
        daemon
    }

    /// Sets the first password with the code on the card, or logs in with it.
    pub fn log_in(&mut self) {
        let (path, body) = match fs::read_to_string(self.home.join("setup-code.txt")) {
            Ok(text) => {
                let code = text.lines().next().unwrap().to_owned();
                ("/api/v1/setup", serde_json::json!({ "code": code, "password": PASSWORD }))
            }
            Err(_) => ("/api/v1/login", serde_json::json!({ "password": PASSWORD })),
        };
        let (head, body) = self.send("POST", path, "localhost", &body.to_string());
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let cookie = head.lines().find_map(|l| l.strip_prefix("Set-Cookie: ")).unwrap();
        self.session = Some(Session {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            csrf: body["csrf"].as_str().unwrap().to_owned(),
        });
    }

    /// Head and body of the answer to any request.
    pub fn send(&self, method: &str, path: &str, host: &str, body: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let who = self.session.as_ref().map_or_else(String::new, |session| {
            format!("Cookie: {}\r\nX-CSRF-Token: {}\r\n", session.cookie, session.csrf)
        });
        let length = if method == "GET" {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{who}{length}\r\n{body}")
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end =
            bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("{path}"));
        let body = bytes.split_off(end + 4);
        (String::from_utf8(bytes).unwrap(), body)
    }

    /// A file of a set, by a ticket.
    pub fn download(&self, id: &str, name: &str) -> (u16, Vec<u8>) {
        let wish = serde_json::json!({ "name": name, "password": PASSWORD }).to_string();
        let path = format!("/api/v1/backups/{id}/download");
        let (head, body) = self.send("POST", &path, "localhost", &wish);
        if status(&head) != 200 {
            return (status(&head), body);
        }
        let ticket: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let path = format!("/api/v1/downloads/{}", ticket["ticket"].as_str().unwrap());
        let (head, body) = self.send("GET", &path, "localhost", "");
        (status(&head), body)
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.ask(path, "localhost")
    }

    pub fn ask(&self, path: &str, host: &str) -> (u16, String) {
        let (head, body) = self.send("GET", path, host, "");
        (status(&head), String::from_utf8_lossy(&body).into_owned())
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits for the end of the backup; its document.
    pub fn backup(&self) -> serde_json::Value {
        wait(|| {
            let backup = self.json("/api/v1/status")["backup"].clone();
            let state = backup["state"].as_str().unwrap().to_owned();
            (state != "waiting" && state != "running").then_some(backup)
        })
    }

    pub fn end(mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

pub fn ports(log: &Path) -> Vec<u16> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .filter_map(|l| l.split_once("the page is on port ")?.1.trim().parse().ok())
        .collect()
}

pub fn wait<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "it did not come true within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}
