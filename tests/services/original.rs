//! Cards of the original hack: its tree, with stand-ins for the binaries that its
//! build downloads.

use std::fs;

use mi360d::services::{Origin, ServiceError, ServiceState, Value, Values};

use crate::rig::{Card, lives, text_of, wait};

/// Says how it was started, and stays.
const STAND_IN: &str = "#!/bin/sh\necho \"$0 $*\"\nexec sleep 600\n";

/// The original's tree: names and shapes of its files, words of our own.
fn card_of_the_original() -> Card {
    let card = Card::new();
    let service = |hack: &str, name: &str, text: &str| {
        card.write(&format!("hacks/{hack}/meta/service/{name}"), &format!("#!/bin/sh\n{text}\n"));
    };
    for (hack, prefix) in [("rtsp-server", "rtsp"), ("websocket-stream-server", "websocket")] {
        for (stream, channel) in [("main", 0), ("sub", 1)] {
            service(
                hack,
                &format!("framegrabber-{stream}stream"),
                &format!(
                    "DIR=/mnt/data/etc/framegrabber/\nmkdir -p $DIR\nmkfifo ${{DIR}}{prefix}_{stream}\n\
                     cd /mnt/sdcard/hacks/framegrabber/bin\n\
                     exec ./framegrabber -f ${{DIR}}{prefix}_{stream} -c {channel}"
                ),
            );
        }
    }
    service(
        "rtsp-server",
        "rtsp-server",
        "cd /mnt/sdcard/hacks/rtsp-server/bin\ncp -f rtspserver /mnt/data/bin\n\
         exec /mnt/data/bin/rtspserver -c ../config/config.json",
    );
    service(
        "websocket-stream-server",
        "websocket-stream-server",
        "cd /mnt/sdcard/hacks/websocket-stream-server/bin/\nexec ./websocket-stream-server",
    );
    service(
        "ssh-server",
        "ssh-server",
        "cd /mnt/sdcard/hacks/ssh-server/bin\nexec ./dropbear -FERB",
    );
    service(
        "motor-control",
        "motor-control",
        "cd /mnt/sdcard/hacks/motor-control/bin\nexec ./motord",
    );
    service("web-config", "run", "cd /mnt/sdcard/hacks/web-config/bin\nexec ./web-config-server");
    for (hack, program) in [
        ("framegrabber", "ipc009/framegrabber"),
        ("rtsp-server", "rtspserver"),
        ("websocket-stream-server", "websocket-stream-server"),
        ("ssh-server", "dropbear"),
        ("motor-control", "motord"),
        ("web-config", "web-config-server"),
        ("runit", "runsvdir"),
    ] {
        card.write(&format!("hacks/{hack}/bin/{program}"), STAND_IN);
    }
    let config = |hack: &str, text: &str| {
        card.write(&format!("hacks/{hack}/meta/config/config.json"), text);
    };
    config("rtsp-server", "{\n  \"enable\": true,\n  \"encodingType\": \"h265\"\n}");
    config("ssh-server", "{\n  \"enable\": false,\n  \"users\": []\n}");
    config("websocket-stream-server", "{\n  \"enable\": true\n}");
    for hack in ["rtsp-server", "websocket-stream-server", "motor-control", "web-config"] {
        card.write(&format!("hacks/{hack}/meta/service/.enable"), "");
    }
    card
}

#[test]
fn all_services_of_the_original_are_found_and_what_listens_waits_for_one_confirmation() {
    let card = card_of_the_original();
    let running = card.start();
    let found: Vec<_> = running.services.list().into_iter().map(|v| (v.id, v.origin)).collect();
    let ids = ["motor-control", "rtsp-server", "runit", "ssh-server", "web-config"];
    for id in ids.into_iter().chain(["websocket-stream-server"]) {
        assert!(found.contains(&(id.to_owned(), Origin::Original)), "{id}: {found:?}");
    }
    running.state("motor-control", ServiceState::Running);
    running.state("ssh-server", ServiceState::Off);
    for id in ["rtsp-server", "websocket-stream-server"] {
        assert!(running.state(id, ServiceState::Waiting).reason.contains("turn it on here once"));
        running.services.put(id, Some(true), &Values::new()).unwrap();
        let view = running.state(id, ServiceState::Running);
        assert_eq!(view.programs.len(), 3);
    }
    let fifos = card.world().run.join("original-fifos");
    for wanted in [
        format!("./ipc009/framegrabber -f {}/rtsp_main -c 0", fifos.display()),
        format!("./ipc009/framegrabber -f {}/rtsp_sub -c 1", fifos.display()),
        "./rtspserver -c ../config/config.json".to_owned(),
    ] {
        let programs = || running.services.log("rtsp-server").unwrap().programs;
        wait(
            || programs().iter().any(|program| program.lines.contains(&wanted)).then_some(()),
            || format!("{wanted}: {:#?}", programs()),
        );
    }
    for id in ["web-config", "runit"] {
        running.state(id, ServiceState::Unavailable);
        let refused = running.services.put(id, Some(true), &Values::new());
        assert!(matches!(refused, Err(ServiceError::Unavailable { .. })));
    }
    // Confirmed once is enough.
    drop(running);
    let running = card.start();
    running.state("rtsp-server", ServiceState::Running);
}

#[test]
fn switching_and_the_codec_end_in_the_original_s_own_files() {
    let card = card_of_the_original();
    let running = card.start();
    let set = |id: &str, enabled, name: &str, value| {
        running.services.put(id, enabled, &Values::from([(name.to_owned(), value)])).unwrap()
    };
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(card.path(path)).unwrap()).unwrap()
    };
    set("rtsp-server", Some(true), "encodingType", Value::Text("h264".into()));
    let meta = json("hacks/rtsp-server/meta/config/config.json");
    assert_eq!(meta, serde_json::json!({ "enable": true, "encodingType": "h264" }));
    let theirs = json("hacks/rtsp-server/config/config.json");
    assert_eq!(theirs, serde_json::json!({ "encodingType": "h264" }));
    let view = running.services.get("rtsp-server").unwrap();
    assert_eq!(view.settings[0].value, Some(Value::Text("h264".into())));

    running.services.put("rtsp-server", Some(false), &Values::new()).unwrap();
    assert!(!card.path("hacks/rtsp-server/meta/service/.enable").exists());
    assert_eq!(json("hacks/rtsp-server/meta/config/config.json")["enable"], false);
    running.state("rtsp-server", ServiceState::Off);

    let users = Value::List(vec!["me:correct horse".into()]);
    set("ssh-server", Some(true), "users", users);
    let user = json("hacks/ssh-server/config/config.json")["users"][0].clone();
    assert_eq!((&user["systemUsername"], &user["username"]), (&"root".into(), &"me".into()));
    assert!(user["password"].as_str().unwrap().starts_with("$6$"));
    assert!(card.path("hacks/ssh-server/meta/service/.enable").exists());
    running.state("ssh-server", ServiceState::Running);
    let blank = Values::from([("users".to_owned(), Value::List(vec!["me:".into()]))]);
    assert!(matches!(
        running.services.put("ssh-server", None, &blank),
        Err(ServiceError::Setting { .. })
    ));
    wait(
        || running.lines("ssh-server").contains(&"./dropbear -FER".to_owned()).then_some(()),
        || format!("{:?}", running.lines("ssh-server")),
    );
    let shown = serde_json::to_string(&running.services.list()).unwrap();
    assert!(!shown.contains("$6$") && !shown.contains("correct horse"));
}

#[test]
fn a_hack_toml_in_the_same_folder_has_the_id_and_the_original_stays_beside_it() {
    let card = card_of_the_original();
    card.script("ssh-server", "exec sleep 600", "");
    let running = card.start();
    let own = running.state("ssh-server", ServiceState::Running);
    assert_eq!(own.origin, Origin::Hack);
    assert_eq!(running.services.get("ssh-server-original").unwrap().origin, Origin::Original);
}

#[test]
fn a_run_script_of_somebody_else_runs_as_it_is() {
    let card = Card::new();
    card.write(
        "hacks/mine/meta/service/run",
        "#!/bin/sh\necho $$ >/mnt/sdcard/hacks/mine/pid\nexec sleep 600\n",
    );
    card.write("hacks/mine/meta/service/.enable", "");
    let running = card.start();
    running.services.put("mine", Some(true), &Values::new()).unwrap();
    let pid = text_of(&card.path("hacks/mine/pid"));
    running.state("mine", ServiceState::Running);
    assert!(lives(pid.trim()));
    drop(running);
    assert!(!lives(pid.trim()));
}
