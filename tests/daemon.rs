//! The daemon on a simulated camera: what it serves, what it says when
//! something is wrong, and that reading changes nothing.

#![allow(clippy::unwrap_used, clippy::panic)]

mod rig;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mi360d::backup::Silent;
use mi360d::camera::job::JobKind;
use mi360d::camera::{status, status_txt};
use nix::sys::signal::Signal;
use rig::daemon::{Daemon, ports, wait};
use rig::{Ran, Sim, factory, names, program};

#[test]
fn demo_prints_its_url_and_its_code_and_has_a_proven_set() {
    let dir = tempfile::tempdir().unwrap();
    let camera = dir.path().join("camera");
    let mut child = Command::new(program())
        .arg("demo")
        .arg(&camera)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.find(|l| l.as_ref().unwrap().contains("http://127.0.0.1:")).unwrap().unwrap();
    let home = camera.join("sdcard/mi360d");
    let port = ports(&home.join("logs/mi360d.log"))[0];
    assert!(url.contains(&format!(":{port}/")), "{url}");
    let code = lines.find(|l| l.as_ref().unwrap().contains("Setup code: ")).unwrap().unwrap();
    let on_card = fs::read_to_string(home.join("setup-code.txt")).unwrap();
    assert_eq!(code, format!("Setup code: {}", on_card.lines().next().unwrap()));
    let mut daemon = Daemon { child, port, home, session: None };
    daemon.log_in();
    let backup = daemon.backup();
    assert_eq!(backup["state"], "done");
    let set = daemon.home.join("backups").join(backup["set"].as_str().unwrap());
    let check = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&set).output();
    assert!(check.unwrap().status.success());
    assert_eq!(daemon.end(Signal::SIGTERM), Some(0));
}

#[test]
fn everything_is_served_and_reading_it_changes_nothing() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let id = daemon.backup()["set"].as_str().unwrap().to_owned();
    wait(|| {
        fs::read_to_string(sim.path().join("sdcard/STATUS.txt"))
            .ok()?
            .contains("verified")
            .then_some(())
    });
    // Written once, when nothing else is done.
    let facts = sim.path().join("sdcard/mi360d/logs/facts.txt");
    wait(|| facts.exists().then_some(()));
    let before = tree(sim.path());
    assert_eq!(daemon.get("/healthz"), (200, "ok".to_owned()));
    assert!(daemon.get("/").1.contains("mi360d.js"));
    assert_eq!(daemon.json("/api/v1/status")["identity"]["health"], "healthy");
    let flash = daemon.json("/api/v1/flash");
    assert_eq!(flash["partitions"].as_array().unwrap().len(), 6);
    assert_eq!(flash["partitions"][0]["blocks"], serde_json::json!(["data", "data", "data"]));
    assert_eq!(flash["compared_with"], id.as_str());
    let listed = daemon.json("/api/v1/backups");
    assert_eq!(listed["backups"][0]["id"], id.as_str());
    assert_eq!(listed["backups"][0]["proof"], "proven");
    let set = daemon.json(&format!("/api/v1/backups/{id}"));
    for file in set["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        assert!(file["size"].as_u64().unwrap() > 0, "{name}");
    }
    assert!(!daemon.json("/api/v1/log")["lines"].as_array().unwrap().is_empty());
    assert_eq!(daemon.get("/api/v1/facts").1, fs::read_to_string(&facts).unwrap());
    for missing in ["/x", "/api/v1/backups/9999-00000000", "/api/v1/downloads/0"] {
        assert_eq!(daemon.get(missing).0, 404, "{missing}");
    }
    assert_eq!(tree(sim.path()), before, "a GET changed something");
}

#[test]
fn a_file_of_a_set_comes_whole_and_nothing_outside_it_does() {
    let sim = Sim::small();
    fs::write(sim.path().join("sdcard/secret.bin"), "secret").unwrap();
    let daemon = Daemon::start(&sim);
    let id = daemon.backup()["set"].as_str().unwrap().to_owned();
    let (status, body) = daemon.download(&id, "chip.bin");
    assert_eq!(status, 200);
    assert!(body == fs::read(sim.flash()).unwrap());
    for name in ["../../../secret.bin", "..", "", "/etc/passwd", "x.bin", "BOOT.bin/"] {
        let (status, body) = daemon.download(&id, name);
        assert_eq!(status, 404, "{name}: {}", String::from_utf8_lossy(&body));
    }
    for path in [
        format!("/api/v1/backups/{id}/../../../secret.bin"),
        "/api/v1/backups/..%2f..%2fsecret.bin".to_owned(),
        "/api/v1/backups/../secret.bin".to_owned(),
        "/api/v1/downloads/..".to_owned(),
        "/mi360d.css/../secret.bin".to_owned(),
        "//etc/passwd".to_owned(),
    ] {
        let (status, body) = daemon.get(&path);
        assert!(
            (400..500).contains(&status) && !body.contains("secret\""),
            "{path}: {status} {body}"
        );
        assert!(body.contains("\"code\""), "{path}: {body}");
    }
}

#[test]
fn a_name_that_is_not_this_camera_s_is_refused_everywhere() {
    let sim = Sim::small();
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(sim.home().join("config.toml"), "[web]\nhost_names = [\"Camera.Lan\"]\n").unwrap();
    let daemon = Daemon::start(&sim);
    for path in ["/", "/healthz", "/api/v1/status", "/api/v1/flash", "/api/v1/backups", "/x"] {
        let (status, body) = daemon.ask(path, "evil.example");
        assert_eq!(status, 403, "{path}: {body}");
    }
    for host in ["camera.lan", "mi360.local", "192.168.1.2:8080", "[fe80::1]", "LOCALHOST"] {
        assert_eq!(daemon.ask("/", host).0, 200, "{host}");
    }
}

#[test]
fn a_broken_config_is_named_with_its_line_and_deletes_nothing() {
    let sim = Sim::small();
    for n in 0..8u8 {
        sim.poke(0x4_0000, &[n]);
        fs::create_dir_all(sim.home()).unwrap();
        fs::write(sim.home().join("config.toml"), "[backup]\nkeep = 100\n").unwrap();
        assert_eq!(sim.run(&["backup"], "").status, Some(0));
    }
    assert_eq!(sim.sets().len(), 8);
    fs::write(sim.home().join("config.toml"), "[backup]\nkeep = 100\nkeeep = '<script>'\n")
        .unwrap();
    sim.poke(0x4_0000, &[99]);
    let daemon = Daemon::start(&sim);
    assert_eq!(daemon.backup()["state"], "done");
    assert_eq!(sim.sets().len(), 9, "a default must not delete what the owner wanted kept");
    let notices = daemon.json("/api/v1/status")["notices"].to_string();
    assert!(notices.contains("line 3") && notices.contains("keeep"), "{notices}");
    wait(|| {
        fs::read_to_string(sim.path().join("sdcard/STATUS.txt"))
            .ok()?
            .contains("line 3")
            .then_some(())
    });
    assert_eq!(daemon.end(Signal::SIGINT), Some(0));
}

#[test]
fn an_emptied_config_deletes_nothing() {
    let sim = Sim::small();
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(sim.home().join("config.toml"), "[backup]\nkeep = 100\n").unwrap();
    for n in 0..8u8 {
        sim.poke(0x4_0000, &[n]);
        assert_eq!(sim.run(&["backup"], "").status, Some(0));
    }
    for damage in [&b""[..], &[0; 40]] {
        fs::write(sim.home().join("config.toml"), damage).unwrap();
        sim.poke(0x4_0000, &[200 + damage.len() as u8]);
        assert_eq!(sim.run(&["backup"], "").status, Some(0));
    }
    assert_eq!(sim.sets().len(), 10);
}

#[test]
fn three_starts_that_did_not_last_bring_the_safe_mode_with_page_and_backup() {
    let sim = Sim::small();
    for _ in 0..3 {
        let daemon = Daemon::start(&sim);
        assert_eq!(daemon.json("/api/v1/status")["safe_mode"], false);
        assert_eq!(daemon.end(Signal::SIGKILL), None);
    }
    let daemon = Daemon::start(&sim);
    assert_eq!(daemon.backup()["state"], "done");
    let status = daemon.json("/api/v1/status");
    assert_eq!(status["safe_mode"], true);
    assert_eq!(status["boot_count"], 4);
    assert!(status["notices"].to_string().contains("safe mode"));
    assert_eq!(daemon.end(Signal::SIGTERM), Some(0));
    let daemon = Daemon::start(&sim);
    assert_eq!(daemon.json("/api/v1/status")["safe_mode"], false, "an orderly end counts as good");
}

#[test]
fn the_state_of_identity_and_backup_is_said_on_page_status_and_card() {
    type Case = (&'static str, fn(&Sim), &'static str, &'static str);
    let cases: [Case; 3] = [
        ("blank", |s| s.poke(0xF_0000, &vec![0xFF; 0x1_0000]), "", "identity-blank"),
        ("bad crc", |s| s.poke(0xF_0008, &[factory(1)[8] ^ 1]), "", "identity-damaged"),
        ("partly unreadable", |_| {}, "eio@0xF0010", "identity-damaged"),
    ];
    for (name, prepare, faults, code) in cases {
        let sim = Sim::small();
        prepare(&sim);
        let mut command = sim.command(&["run", "--listen", "127.0.0.1:0"]);
        let daemon = Daemon::of(command.env("MI360D_SIM_FAULTS", faults), sim.home());
        daemon.backup();
        let status = daemon.json("/api/v1/status");
        let notice = &status["notices"].as_array().unwrap().iter().find(|n| n["code"] == code);
        let message =
            notice.unwrap_or_else(|| panic!("{name}: {status}"))["message"].as_str().unwrap();
        let words: String = message.chars().take(20).collect();
        wait(|| {
            fs::read_to_string(sim.path().join("sdcard/STATUS.txt"))
                .ok()?
                .contains(&words)
                .then_some(())
        });
    }
}

#[test]
fn a_set_that_rotted_is_said_at_the_next_start() {
    let sim = Sim::small();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let file = sim.backups().join(&sim.sets()[0]).join("ROOTFS.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[12345] ^= 4;
    fs::write(&file, bytes).unwrap();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let notices = wait(|| {
        let text = daemon.json("/api/v1/status")["notices"].to_string();
        text.contains("backup-damaged").then_some(text)
    });
    assert!(notices.contains("ROOTFS.bin at offset 12345"), "{notices}");
}

#[test]
fn a_card_that_fills_up_while_the_daemon_runs_costs_the_page_nothing() {
    let sim = Sim::small();
    let script = format!(
        "mount -t tmpfs -o size=16m tmpfs sdcard || exit 99\n\
         echo x | {0:?} --sim . passwd || exit 98\n\
         {0:?} --sim . run --listen 127.0.0.1:0 >/dev/null 2>&1 & pid=$!\n\
         trap 'kill -9 $pid' EXIT\n\
         log=sdcard/mi360d/logs/mi360d.log\n\
         for i in $(seq 300); do grep -q 'made and verified' $log && break; sleep 0.1; done\n\
         port=$(sed -n 's/.*the page is on port //p' $log)\n\
         cat /dev/zero > sdcard/filler 2>/dev/null\n\
         exec 3<>/dev/tcp/127.0.0.1/$port\n\
         printf 'POST /api/v1/login HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 16\\r\\n\\r\\n\
         {{\"password\":\"x\"}}' >&3\n\
         cookie=$(timeout 30 cat <&3 | sed -n 's/^Set-Cookie: \\([^;]*\\).*/\\1/p')\n\
         exec 3<>/dev/tcp/127.0.0.1/$port\n\
         printf 'GET /api/v1/status HTTP/1.1\\r\\nHost: localhost\\r\\nCookie: %s\\r\\n\\r\\n' $cookie >&3\n\
         timeout 30 cat <&3; kill -TERM $pid; wait $pid; status=$?; trap - EXIT; exit $status",
        program()
    );
    let as_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let ran = Ran::of(
        Command::new("unshare")
            .args(if as_root { &["-m"][..] } else { &["-rm"] })
            .args(["bash", "-c", &script])
            .current_dir(sim.path()),
    );
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.out.contains("200 OK") && ran.out.contains("card-full"), "{ran:?}");
}

#[test]
fn the_log_on_the_card_is_bounded_and_lines_stay_in_memory_without_one() {
    use mi360d::card::log::{LogFile, Recent};
    let dir = tempfile::tempdir().unwrap();
    let recent = Recent::default();
    let mut log = LogFile::new(recent.clone());
    writeln!(log, "before the file").unwrap();
    log.handle().open(dir.path(), 4096);
    for n in 0..2000 {
        writeln!(log, "line {n} {}", "x".repeat(n % 900)).unwrap();
    }
    let sizes: Vec<u64> =
        names(dir.path()).iter().map(|n| fs::metadata(dir.path().join(n)).unwrap().len()).collect();
    assert_eq!(names(dir.path()), ["mi360d.1.log", "mi360d.log"]);
    assert!(sizes.iter().all(|s| *s < 4096 + 600), "{sizes:?}");
    fs::remove_dir_all(dir.path()).unwrap();
    writeln!(log, "the card is gone").unwrap();
    assert_eq!(recent.last(1), ["the card is gone"]);
    assert!(recent.last(10_000).len() <= 400);
}

/// Every file below a folder, with its bytes' hash and its time.
fn tree(dir: &Path) -> Vec<(PathBuf, u32, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let time = fs::metadata(&path).unwrap().modified().unwrap();
                found.push((
                    path.clone(),
                    mi360d::formats::crc32::hash(&fs::read(&path).unwrap()),
                    time,
                ));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_card_is_read_anew_after_a_change_and_not_while_a_job_is_at_it() {
    let sim = Sim::small();
    let camera = sim.camera("");
    camera.secure_identity();
    let newest = || status::of(&camera).newest_backup.map(|set| set.id);
    assert_eq!(newest(), None);
    let first = camera.backup(Some(5), &Silent).unwrap().set.name.to_string();
    status_txt::write(&camera);
    assert_eq!(newest().as_ref(), Some(&first), "at once, not some seconds later");

    let (there, aside) = (sim.backups().join(&first), sim.path().join("aside"));
    let job = camera.jobs().begin(JobKind::Verify).unwrap();
    fs::rename(&there, &aside).unwrap();
    assert_eq!(newest().as_ref(), Some(&first), "a reader would wait for the job");
    job.end(Ok(()));
    assert_eq!(newest(), None, "its end is a reason to look");

    let job = camera.jobs().begin(JobKind::Backup).unwrap();
    fs::rename(&aside, &there).unwrap();
    status_txt::write(&camera);
    assert_eq!(newest().as_ref(), Some(&first), "what a job changed, it has read itself");
    job.end(Ok(()));
}
