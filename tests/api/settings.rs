//! Settings: changed with the owner's comments kept, refused by name, saved and restored.

use std::fs;

use serde_json::{Value, json};

use crate::client::{call, send};
use crate::rig::Sim;
use crate::rig::daemon::{Daemon, wait};

const OWN: &str = "# my camera\n[backup] # sets\nkeep = 4 # not more\n\n# names\n[web]\nhost_names = [\"a.lan\"]\n";

fn started() -> (Sim, Daemon) {
    let sim = Sim::small();
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(sim.home().join("config.toml"), OWN).unwrap();
    let daemon = Daemon::start(&sim);
    (sim, daemon)
}

fn text(sim: &Sim) -> String {
    fs::read_to_string(sim.home().join("config.toml")).unwrap()
}

#[test]
fn a_change_keeps_every_comment_and_counts_at_once() {
    let (sim, daemon) = started();
    let asked = |host: &str| send(daemon.port, "GET", "/healthz", &[("Host", host)], b"").status;
    assert_eq!((asked("a.lan"), asked("b.lan")), (200, 403));
    let wish = json!({ "backup": { "keep": 9 }, "web": { "host_names": ["b.lan"] } });
    let answer = call(&daemon, "PUT", "/api/v1/config", &wish);
    assert_eq!(answer.json()["changed"], json!(["backup.keep", "web.host_names"]));
    assert_eq!(text(&sim), OWN.replace("= 4", "= 9").replace("a.lan", "b.lan"));
    assert_eq!((asked("a.lan"), asked("b.lan")), (403, 200));
    assert_eq!(daemon.json("/api/v1/config")["backup"]["keep"], 9);
    // What is read can be sent back, and changes nothing.
    let all = daemon.json("/api/v1/config");
    assert_eq!(call(&daemon, "PUT", "/api/v1/config", &all).json()["changed"], json!([]));
    let listen = json!({ "web": { "listen": "127.0.0.1:8099" } });
    assert_eq!(
        call(&daemon, "PUT", "/api/v1/config", &listen).json()["restart"],
        json!(["web.listen"])
    );
    let none = json!({ "web": { "listen": null } });
    assert_eq!(
        call(&daemon, "PUT", "/api/v1/config", &none).json()["changed"],
        json!(["web.listen"])
    );
}

#[test]
fn what_is_wrong_is_named_and_nothing_of_it_is_kept() {
    let (sim, daemon) = started();
    for (wish, field) in [
        (json!({ "backup": { "keep": 0 } }), "backup.keep"),
        (json!({ "backup": { "keep": "many" } }), "backup.keep"),
        (json!({ "backup": { "keep": 3.5 } }), "backup.keep"),
        (json!({ "backup": { "kep": 3 } }), "backup.kep"),
        (json!({ "nothing": { "x": 1 } }), "nothing.x"),
        (json!({ "nothing": 1 }), "nothing"),
        (json!({ "web": { "host_names": ["a b"] } }), "web.host_names"),
        (json!({ "web": { "host_names": "a" } }), "web.host_names"),
        (json!({ "web": { "listen": "here" } }), "web.listen"),
        (json!({ "log": { "level": "loud" } }), "log.level"),
        (json!({ "backup": { "at_start": "hunter2" } }), "backup.at_start"),
        // Law 3: unlocked on the card, by hand.
        (json!({ "flash": { "unlock": ["FACTORY"] } }), "flash.unlock"),
        (json!({ "backup": { "keep": 8 }, "log": { "level": "loud" } }), "log.level"),
    ] {
        let answer = call(&daemon, "PUT", "/api/v1/config", &wish);
        assert_eq!(answer.status, 422, "{wish}");
        assert_eq!(answer.json()["error"]["field"], field, "{wish}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    }
    assert_eq!(call(&daemon, "PUT", "/api/v1/config", &json!([1])).status, 422);
    assert_eq!(text(&sim), OWN);
}

#[test]
fn settings_go_out_in_one_file_and_come_in_from_another_version() {
    let (sim, daemon) = started();
    let mut file = daemon.json("/api/v1/settings-file");
    fs::write(sim.home().join("config.toml"), "").unwrap();
    let taken = call(&daemon, "POST", "/api/v1/settings-file", &file).json();
    assert_eq!(taken["changed"], json!(["backup.keep", "web.host_names"]));
    assert_eq!(daemon.json("/api/v1/config")["backup"]["keep"], 4);
    file["program"] = "9.9.9".into();
    file["config"]["from_the_future"] = json!({ "x": 1 });
    file["config"]["backup"]["keep"] = json!(7);
    file["config"]["log"]["level"] = json!("psychic");
    file["config"]["flash"]["unlock"] = json!(["FACTORY"]);
    let taken = call(&daemon, "POST", "/api/v1/settings-file", &file).json();
    assert_eq!(taken["changed"], json!(["backup.keep"]));
    assert_eq!(taken["ignored"].as_array().unwrap().len(), 3, "{taken}");
    for wrong in [
        json!({}),
        json!({ "config": {} }),
        json!({ "mi360d_settings": 1 }),
        json!("x"),
        Value::Null,
    ] {
        let answer = call(&daemon, "POST", "/api/v1/settings-file", &wrong);
        assert!((400..500).contains(&answer.status), "{wrong}");
    }
}

#[test]
fn a_broken_file_is_not_overwritten() {
    let (sim, daemon) = started();
    fs::write(sim.home().join("config.toml"), "[backup\nkeep = 4").unwrap();
    let answer = call(&daemon, "PUT", "/api/v1/config", &json!({ "backup": { "keep": 9 } }));
    assert_eq!((answer.status, answer.code().as_str()), (409, "config"));
    assert_eq!(text(&sim), "[backup\nkeep = 4");
}

#[test]
fn a_planned_restart_comes_at_its_local_time_and_once_a_day() {
    let sim = Sim::small();
    // A zone in which it is 04:29:40 now: even a busy PC has started it before half past.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ahead = (4 * 3600 + 29 * 60 + 40 + 86_400 - now % 86_400) % 86_400;
    let (sign, span) = if ahead > 43_200 { ("", 86_400 - ahead) } else { ("-", ahead) };
    let zone = format!("XXX{sign}{:02}:{:02}:{:02}", span / 3600, span / 60 % 60, span % 60);
    fs::create_dir_all(sim.home()).unwrap();
    let text = format!(
        "[camera]\nreboot = \"daily 04:30\"\ntime_zone = \"{zone}\"\n\
         [backup]\nat_start = false\n"
    );
    fs::write(sim.home().join("config.toml"), text).unwrap();
    let daemon = Daemon::start(&sim);
    let log = || fs::read_to_string(sim.home().join("logs/mi360d.log")).unwrap();
    // The same process from its beginning; a start after the moment waits for the next day.
    wait(|| (log().matches("the page is on port").count() == 2).then_some(()));
    assert_eq!(log().matches("the scheduled restart begins").count(), 1, "{}", log());
    // The moment of it in seconds from 2026 on.
    let note = fs::read_to_string(sim.home().join("state/schedule")).unwrap();
    assert_eq!(note, format!("-\n-\n-\n-\n{}\n", now + 20 - 1_767_225_600));
    drop(daemon);
}
