//! Programs that misbehave: each is shown as what it is, and harms nobody else.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use mi360d::services::{ServiceState, Values};

use crate::rig::{Card, lives, text_of, wait};

/// Hacks give way to all else; on a busy PC one that has much to do would never end.
const NO_NICENESS: &str = "[limits]\nnice = 0";

#[test]
fn a_program_that_crashes_at_once_is_tried_again_with_growing_pauses_and_its_reason_is_shown() {
    let card = Card::new();
    card.script("crash", "echo I have no camera >&2; exit 3", "");
    let mut world = card.world();
    world.pace.first = Duration::from_secs(1);
    world.pace.most = Duration::from_secs(2);
    let running = card.start_in(world);
    let view = running.state("crash", ServiceState::Pausing);
    assert!(view.reason.contains("ended with status 3 after 0 s; again in 1 s"), "{view:?}");
    let view = running.wait("crash", "in a longer pause", |v| v.reason.contains("again in 2 s"));
    assert_eq!(view.programs[0].starts, 2);
    assert!(running.lines("crash").contains(&"I have no camera".to_owned()));
}

#[test]
fn a_program_that_hangs_on_term_is_killed_with_all_of_its_group() {
    let card = Card::new();
    card.script(
        "deaf",
        "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! $$ >$HOME/pids; \
         while :; do sleep 1; done",
        "stop_seconds = 1",
    );
    let running = card.start();
    let pids = text_of(&card.run("deaf").join("pids"));
    running.services.put("deaf", Some(false), &Values::new()).unwrap();
    running.state("deaf", ServiceState::Stopping);
    running.state("deaf", ServiceState::Off);
    for pid in pids.split_whitespace() {
        assert!(!lives(pid), "{pid} lives on");
    }
    assert!(running.lines("deaf").iter().any(|line| line.contains("KILL")));
}

#[test]
fn children_left_behind_are_ended_in_the_group_and_out_of_it() {
    let card = Card::new();
    card.script(
        "forker",
        "(sleep 600 & echo $! >>$HOME/pids); setsid sh -c 'sleep 600 & echo $! >>$HOME/pids' & \
         wait; echo done >$HOME/done; exit 1",
        "restart = \"never\"",
    );
    let running = card.start();
    text_of(&card.run("forker").join("done"));
    let pids = text_of(&card.run("forker").join("pids"));
    assert_eq!(pids.lines().count(), 2);
    let view = running.state("forker", ServiceState::Ended);
    assert!(view.reason.contains("status 1"), "{view:?}");
    wait(
        || pids.split_whitespace().all(|pid| !lives(pid)).then_some(()),
        || format!("they live on: {pids}"),
    );
}

#[test]
fn a_hundred_megabytes_of_output_cost_no_memory_and_the_end_is_kept() {
    let card = Card::new();
    card.script(
        "loud",
        "head -c 104857600 /dev/zero | tr '\\0' 'x'; echo; echo the last line; exec sleep 600",
        NO_NICENESS,
    );
    let running = card.start();
    let before = resident_kib();
    let view = running.wait("loud", "quiet again", |v| v.programs[0].printed > 100 << 20);
    assert_eq!(view.state, ServiceState::Running);
    let lines = wait(
        || Some(running.lines("loud")).filter(|lines| lines.last().unwrap() == "the last line"),
        || "the last line is lost".into(),
    );
    assert!(lines.iter().map(String::len).sum::<usize>() < 64 << 10);
    assert!(resident_kib() < before + 16384, "{before} KiB before, {} after", resident_kib());
}

fn resident_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_missing_and_a_foreign_program_are_said_in_words() {
    let card = Card::new();
    card.write("hacks/gone/hack.toml", "id = \"gone\"\nenabled = true\nexec = [\"bin/gone\"]\n");
    card.write("hacks/alien/hack.toml", "id = \"alien\"\nenabled = true\nexec = [\"./alien\"]\n");
    let mut alien = b"\x7fELF\x01\x01\x01".to_vec();
    alien.resize(64, 0);
    // MIPS: what neither a PC nor the camera is.
    alien[16..20].copy_from_slice(&[2, 0, 8, 0]);
    let path = card.write("hacks/alien/alien", "");
    fs::write(path, alien).unwrap();
    card.write("hacks/text/hack.toml", "id = \"text\"\nenabled = true\nexec = [\"./text\"]\n");
    card.write("hacks/text/text", "hello\n");
    card.write(
        "hacks/bare/hack.toml",
        "id = \"bare\"\nenabled = true\nexec = [\"no-such-tool\"]\n",
    );
    let running = card.start();
    for (id, words) in [
        ("gone", "bin/gone is missing"),
        ("alien", "is a program for MIPS, not for"),
        ("text", "neither a program nor a script"),
        ("bare", "has no program 'no-such-tool'"),
    ] {
        let view = running.state(id, ServiceState::Pausing);
        assert!(view.reason.contains(words), "{id}: {}", view.reason);
        assert_eq!((view.programs[0].starts, view.programs[0].pid), (0, None));
    }
}

#[test]
fn a_program_that_is_never_ready_is_started_again_and_one_with_a_taken_port_waits() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let card = Card::new();
    card.script("taken", "exec sleep 600", &format!("[ready]\nport = {port}"));
    card.script("slow", "exec sleep 600", "[ready]\nfile = \"{run.dir}/up\"\nseconds = 1");
    card.script("quick", "touch $HOME/up; exec sleep 600", "[ready]\nfile = \"{run.dir}/up\"");
    let running = card.start();
    let view = running.state("taken", ServiceState::Pausing);
    assert!(view.reason.contains(&format!("port {port} is used by another program")), "{view:?}");
    running.state("quick", ServiceState::Running);
    running.wait("slow", "blamed", |v| v.reason.contains("was not ready in time"));
    drop(listener);
    running.wait("taken", "started", |v| v.programs[0].starts > 0);
}

#[test]
fn a_thousand_restarts_leave_no_zombie_no_descriptor_and_no_folder() {
    let card = Card::new();
    card.script("short", "(sleep 0 &) ; exit 0", NO_NICENESS);
    let running = card.start();
    let starts = |n: u64| running.wait("short", "started often", |v| v.programs[0].starts >= n);
    starts(50);
    let before = (descriptors(), threads());
    starts(1050);
    running.services.put("short", Some(false), &Values::new()).unwrap();
    running.state("short", ServiceState::Off);
    let after = (descriptors(), threads());
    assert!(after.0 <= before.0 + 2 && after.1 <= before.1 + 2, "{before:?}, then {after:?}");
    wait(
        || (zombies_of("run.sh") == 0).then_some(()),
        || format!("{} zombies", zombies_of("run.sh")),
    );
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// Children of this process that nobody reaped, by name.
fn zombies_of(name: &str) -> usize {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| {
            let (head, rest) = stat.rsplit_once(')').unwrap();
            let mut fields = rest.split_whitespace();
            head.contains(name) && fields.next() == Some("Z") && fields.next() == Some(&own)
        })
        .count()
}

#[test]
fn children_of_other_parts_of_the_program_are_left_to_them() {
    let card = Card::new();
    card.script("orphans", "(sleep 0 &); exit 0", NO_NICENESS);
    let running = card.start();
    let mut mine: Vec<_> =
        (0..20).map(|_| Command::new("/bin/sh").args(["-c", "exit 7"]).spawn().unwrap()).collect();
    running.wait("orphans", "started often", |v| v.programs[0].starts >= 200);
    for child in &mut mine {
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(7), None));
    }
}

#[test]
fn a_hack_is_held_to_its_limits_and_dies_before_the_daemon() {
    let card = Card::new();
    card.script(
        "held",
        "{ ulimit -n; cat /proc/self/oom_score_adj; cut -d' ' -f5-6 /proc/$$/stat; echo $$; \
         grep SigBlk /proc/self/status; pwd; } >$HOME/told; echo end >$HOME/end; exec sleep 600",
        "[limits]\nopen_files = 33\noom_score = 700",
    );
    let running = card.start();
    text_of(&card.run("held").join("end"));
    let told = text_of(&card.run("held").join("told"));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["33", "700"], "{told}");
    assert_eq!(lines[2], format!("{0} {0}", lines[3]), "a group and a session of its own");
    assert!(lines[4].ends_with("0000000000000000"), "{told}");
    assert_eq!(std::path::Path::new(lines[5]), card.path("hacks/held"));
    drop(running);
    assert!(!lives(lines[3]));
}

#[test]
fn what_an_earlier_daemon_left_is_ended_at_the_start() {
    let card = Card::new();
    let run = card.world().run;
    let mut left =
        Command::new("/bin/sleep").arg("600").env("MI360D_HACK", run.join("old")).spawn().unwrap();
    // A program that has only just begun has no environment yet to be known by.
    let environment = format!("/proc/{}/environ", left.id());
    while std::fs::read(&environment).unwrap().is_empty() {
        std::thread::yield_now();
    }
    let _running = card.start();
    let status = left.wait().unwrap();
    assert_eq!(status.signal(), Some(9));
}
