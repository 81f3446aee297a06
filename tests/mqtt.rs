//! Home Assistant: the daemon against a real mosquitto, which Debian's packages
//! mosquitto and mosquitto-clients bring.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rig::Sim;
use serde_json::Value;

/// A process that ends with the value.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where Debian puts it; not everybody's PATH has it.
fn mosquitto() -> Option<&'static str> {
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .filter(|_| Path::new("/usr/bin/mosquitto_sub").exists())
}

/// A broker that lets in only who knows the password.
fn broker(dir: &Path, port: u16) -> Ends {
    let passwords = dir.join("passwords");
    if !passwords.exists() {
        fs::write(&passwords, "").unwrap();
        let made = Command::new("mosquitto_passwd")
            .args(["-b", passwords.to_str().unwrap(), "cam", "pa ss\"word"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let config = dir.join("mosquitto.conf");
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    let user = user.ok().flatten().map_or_else(|| "root".to_owned(), |user| user.name);
    fs::write(
        &config,
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\nuser {user}\n",
            passwords.display()
        ),
    )
    .unwrap();
    let child = Command::new(mosquitto().unwrap())
        .arg("-c")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait("the broker", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    Ends(child)
}

fn client(program: &str, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-u", "cam", "-P", "pa ss\"word"]);
    command
}

/// What the broker keeps under a topic: topic and payload of each message.
fn kept(port: u16, topic: &str) -> Vec<(String, String)> {
    let out = client("mosquitto_sub", port).args(["-t", topic, "-v", "-W", "2"]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let pair = |line: &str| line.split_once(' ').map(|(t, p)| (t.to_owned(), p.to_owned()));
    text.lines().filter_map(pair).collect()
}

fn wait<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within 90 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn daemon(sim: &Sim, port: u16) -> Ends {
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(
        sim.home().join("config.toml"),
        format!(
            "[mqtt]\nbroker = \"127.0.0.1:{port}\"\nuser = \"cam\"\npassword = 'pa ss\"word'\n\
             [camera]\nname = \"porch\"\n"
        ),
    )
    .unwrap();
    let mut command = sim.command(&["run", "--listen", "127.0.0.1:0"]);
    Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_camera_is_a_device_that_is_discovered_dies_with_a_will_and_comes_back_by_itself() {
    if mosquitto().is_none() {
        println!(
            "NOT RUN: mosquitto is not installed (apt-get install mosquitto mosquitto-clients)"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let sim = Sim::small();
    // The broker is absent at first: the page is there all the same.
    let camera = daemon(&sim, port);
    let log = sim.home().join("logs/mi360d.log");
    wait("the page", || {
        fs::read_to_string(&log).ok().filter(|text| text.contains("the page is on port"))
    });
    wait("the backup", || (!sim.sets().is_empty()).then_some(()));
    let first = broker(dir.path(), port);

    let documents =
        wait("discovery", || Some(kept(port, "homeassistant/#")).filter(|found| found.len() >= 8));
    for (topic, payload) in &documents {
        let document: Value = serde_json::from_str(payload).unwrap();
        let parts: Vec<&str> = topic.split('/').collect();
        assert_eq!((parts.len(), parts[4]), (5, "config"), "{topic}");
        assert!(["sensor", "binary_sensor", "button"].contains(&parts[1]), "{topic}");
        assert!(document["unique_id"].as_str().unwrap().starts_with("mi360_"));
        assert_eq!(document["device"]["name"], "porch");
        let wanted = if parts[1] == "button" { "command_topic" } else { "state_topic" };
        assert!(document[wanted].is_string(), "{payload}");
    }
    let state = wait("the state", || {
        let (_, text) = kept(port, "mi360d/+/state").pop()?;
        let state: Value = serde_json::from_str(&text).ok()?;
        (state["backup"] == "OFF").then_some(state)
    });
    for (topic, payload) in &documents {
        let document: Value = serde_json::from_str(payload).unwrap();
        let Some(template) = document["value_template"].as_str() else { continue };
        let key = template.trim_matches(|c| "{} ".contains(c)).trim_start_matches("value_json.");
        assert!(!state[key].is_null(), "{topic}: no {key} in {state}");
    }
    assert_eq!(state["identity"], "OFF", "{state}");
    let said = fs::read_to_string(&log).unwrap() + &format!("{documents:?}{state}");
    assert!(!said.contains("pa ss"), "the password is shown");

    // The broker goes and comes back, without what it kept.
    drop(first);
    let gone = Instant::now();
    let _second = broker(dir.path(), port);
    wait("the device again", || {
        let found = kept(port, "mi360d/+/availability").pop()?;
        (found.1 == "online").then_some(())
    });
    let took = gone.elapsed().as_secs();
    println!("back {took} s after the broker");
    assert!(took < 30, "{took} s");

    // The camera dies: its will says so.
    drop(camera);
    wait("the will", || {
        let found = kept(port, "mi360d/+/availability").pop()?;
        (found.1 == "offline").then_some(())
    });
}

#[test]
fn a_wrong_password_is_said_in_words_and_nothing_else_suffers() {
    if mosquitto().is_none() {
        println!(
            "NOT RUN: mosquitto is not installed (apt-get install mosquitto mosquitto-clients)"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _broker = broker(dir.path(), port);
    let sim = Sim::small();
    fs::create_dir_all(sim.home()).unwrap();
    let config =
        format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\nuser = \"cam\"\npassword = \"no\"\n");
    fs::write(sim.home().join("config.toml"), config).unwrap();
    let mut command = sim.command(&["run", "--listen", "127.0.0.1:0"]);
    let _camera = Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let log = sim.home().join("logs/mi360d.log");
    wait("the reason", || {
        let text = fs::read_to_string(&log).ok()?;
        text.contains("MQTT: the broker does not").then_some(())
    });
    wait("the backup", || (!sim.sets().is_empty()).then_some(()));
}
