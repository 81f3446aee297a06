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
fn mosquitto() -> &'static str {
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .filter(|_| Path::new("/usr/bin/mosquitto_sub").exists())
        .expect("mosquitto and its clients: tests/run installs them")
}

/// A folder, a port, and a broker there.
fn new_broker() -> (tempfile::TempDir, u16, Ends) {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let broker = broker(dir.path(), port);
    (dir, port, broker)
}

/// A broker that lets in only who knows the password.
fn broker(dir: &Path, port: u16) -> Ends {
    broker_at(dir, "127.0.0.1", port)
}

fn broker_at(dir: &Path, address: &str, port: u16) -> Ends {
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
            "listener {port} {address}\nallow_anonymous false\npassword_file {}\nuser {user}\n",
            passwords.display()
        ),
    )
    .unwrap();
    let child = Command::new(mosquitto())
        .arg("-c")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait("the broker", || std::net::TcpStream::connect((address, port)).ok());
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
    daemon_with(sim, &format!("127.0.0.1:{port}"), "")
}

/// With a broker, and more settings: first of `[mqtt]`, then of other tables.
fn daemon_with(sim: &Sim, broker: &str, more: &str) -> Ends {
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(
        sim.home().join("config.toml"),
        format!(
            "[mqtt]\nbroker = \"{broker}\"\nuser = \"cam\"\npassword = 'pa ss\"word'\n{more}\n\
             [camera]\nname = \"porch\"\n"
        ),
    )
    .unwrap();
    let mut command = sim.command(&["run", "--listen", "127.0.0.1:0"]);
    // The motors here are motord's; those of the firmware are in `controls_are_entities_...`.
    if !more.contains("controls") {
        command.env("MI360D_SIM_SERVICES", "none");
    }
    Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_camera_is_a_device_that_is_discovered_dies_with_a_will_and_comes_back_by_itself() {
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
        let (path, _) = template.trim_start_matches("{{ value_json.").split_once(" | ").unwrap();
        let key = path.trim();
        assert!(!state[key].is_null(), "{topic}: no {key} in {state}");
    }
    assert_eq!(state["identity"], "OFF", "{state}");
    // The RTSP server does not run: there is no address to show.
    assert_eq!(state["stream"], "", "{state}");
    for (topic, payload) in &documents {
        let document: Value = serde_json::from_str(payload).unwrap();
        let (component, key) = (topic.split('/').nth(1), topic.split('/').nth(3).unwrap());
        let id = format!("{}.{}", component.unwrap(), document["object_id"].as_str().unwrap());
        assert_eq!(document["default_entity_id"], id.as_str(), "{payload}");
        assert!(document["entity_category"].is_string(), "{payload}");
        if ["card_free", "memory"].contains(&key) {
            assert!(state[key].is_u64(), "{state}");
            assert_eq!(document["device_class"], "data_size", "{payload}");
            assert_eq!(document["state_class"], "measurement", "{payload}");
            assert!(document["unit_of_measurement"].is_string(), "{payload}");
        }
    }
    let details = &state["attention_details"];
    assert!(details["message"].is_string(), "{state}");
    assert!(state["attention"].as_str().unwrap().chars().count() <= 255, "{state}");
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
    let (_dir, port, _broker) = new_broker();
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

/// Topics of retained discovery documents below a prefix.
fn announced(port: u16, prefix: &str) -> Vec<String> {
    kept(port, &format!("{prefix}/#")).into_iter().map(|(topic, _)| topic).collect()
}

fn hack(sim: &Sim, id: &str) {
    let folder = sim.dir.path().join("sdcard/hacks").join(id);
    fs::create_dir_all(&folder).unwrap();
    let text = format!("id = \"{id}\"\nexec = [\"/bin/sleep\", \"600\"]\n");
    fs::write(folder.join("hack.toml"), text).unwrap();
}

#[test]
fn what_is_gone_is_taken_back_while_it_runs_after_a_restart_and_under_an_old_prefix() {
    let (_dir, port, _broker) = new_broker();
    // Another device's documents are not ours to remove, even under a like topic.
    for (topic, payload) in [
        ("homeassistant/sensor/lamp/state/config", r#"{"origin": {"name": "mi360d"}}"#),
        ("other/sensor/mi360_other/x/config", r#"{"origin": {"name": "mi360d"}}"#),
    ] {
        let mut said = client("mosquitto_pub", port);
        assert!(said.args(["-r", "-t", topic, "-m", payload]).status().unwrap().success());
    }
    let foreign = 2;
    let sim = Sim::small();
    hack(&sim, "lamp");
    hack(&sim, "motor-control");
    let motors = "\n[hacks.motor-control]\nenabled = true\n";
    let address = format!("127.0.0.1:{port}");
    let camera = daemon_with(&sim, &address, motors);
    let has = |prefix: &str, end: &str| {
        announced(port, prefix).iter().any(|topic| topic.ends_with(&format!("/{end}/config")))
    };
    wait("the hack and the motors", || {
        (has("homeassistant", "service_lamp") && has("homeassistant", "left")).then_some(())
    });

    // While it runs: a hack's folder goes.
    fs::remove_dir_all(sim.dir.path().join("sdcard/hacks/lamp")).unwrap();
    wait("the hack to be taken back", || (!has("homeassistant", "service_lamp")).then_some(()));
    assert!(has("homeassistant", "left") && has("homeassistant", "identity"));

    // While it is off: the motors are switched off, and the prefix is another.
    drop(camera);
    let _camera = daemon_with(&sim, &address, "discovery_prefix = \"home/ha\"\n");
    wait("the new prefix", || has("home/ha", "identity").then_some(()));
    wait("the old prefix to be empty", || {
        (announced(port, "homeassistant").len() == foreign - 1).then_some(())
    });
    assert!(!has("home/ha", "left"), "motors that are off");
    assert_eq!(announced(port, "other").len(), 1, "another camera's");
}

#[test]
fn controls_are_entities_that_show_what_is_and_set_what_is_sent() {
    let (_dir, port, _broker) = new_broker();
    let sim = Sim::small();
    let _camera = daemon_with(&sim, &format!("127.0.0.1:{port}"), "# controls\n");
    let topic = wait("the switch", || {
        let all = announced(port, "homeassistant");
        all.into_iter().find(|topic| topic.ends_with("/control_flip/config"))
    });
    assert!(topic.starts_with("homeassistant/switch/"), "{topic}");
    let device = topic.split('/').nth(2).unwrap();
    let state = || {
        let (_, text) = kept(port, &format!("mi360d/{device}/state")).pop()?;
        serde_json::from_str::<Value>(&text).ok()
    };
    let publish = |key: &str, value: &str| {
        let topic = format!("mi360d/{device}/set/{key}");
        let mut said = client("mosquitto_pub", port);
        assert!(said.args(["-t", &topic, "-m", value]).status().unwrap().success());
    };
    wait("its state", || state().filter(|state| state["control_flip"] == "OFF"));
    publish("control_flip", "ON");
    publish("control_night", "night");
    let all = wait("the change", || {
        state().filter(|state| state["control_flip"] == "ON" && state["night"] == "ON")
    });
    assert_eq!((&all["control_night"], &all["control_led"]), (&"night".into(), &"ON".into()));
    assert!(all["control_volume"].is_i64());
    // What is no value of it changes nothing.
    publish("control_flip", "perhaps");
    publish("control_miio_token", "x");
    publish("control_watermark", "OFF");
    let all = wait("the last change", || state().filter(|s| s["control_watermark"] == "OFF"));
    assert_eq!(all["control_flip"], "ON");
}

#[test]
fn a_broker_is_found_by_its_local_name_at_any_of_its_addresses_and_by_ipv6() {
    let dir = tempfile::tempdir().unwrap();
    let host = format!("mi360d-test-{}", std::process::id());
    let known = mi360d::network::mdns::Ourselves {
        host: host.clone(),
        // Nobody listens at the first one.
        addresses: vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()],
        port: 1,
    };
    std::thread::spawn(move || mi360d::network::mdns::answer(|| Some(known.clone())));
    for (listens, set) in [("127.0.0.1", format!("{host}.local")), ("::1", "[::1]".to_owned())] {
        let port = free_port();
        let _broker = broker_at(dir.path(), listens, port);
        let sim = Sim::small();
        let _camera = daemon_with(&sim, &format!("{set}:{port}"), "");
        let log = sim.home().join("logs/mi360d.log");
        let connected = format!("MQTT: connected to {set}:{port}");
        wait(&connected, || fs::read_to_string(&log).ok().filter(|text| text.contains(&connected)));
    }
}
