//! The schedule: what it waits for, and what it leaves to its owner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mi360d::camera::job::JobKind;
use mi360d::camera::{motors, schedule};
use mi360d::controls::motors::Aim;
use mi360d::controls::{Id, Value as Setting};
use mi360d::settings::due::Watch;
use mi360d::settings::schedule::Deed;
use serde_json::{Value, json};

use crate::rig::daemon::Daemon;
use crate::rig::{self, Sim};
use crate::{patiently, put, set};

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
