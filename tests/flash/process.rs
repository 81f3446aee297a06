//! The program as a process: its answers, its exit status, real ends.

use std::process::Command;

use crate::rig::{Bench, flashed, six_blocks};

const PHRASE: &str = "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE";

#[test]
fn the_commands_answer_as_the_contract_says() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.path().join("tf.img");
    std::fs::write(&path, &tf).unwrap();
    let file = path.to_str().unwrap();
    let wanted = flashed(&bench.bytes(), &tf);
    let plan = bench.run(&["--json", "plan", file], "");
    assert_eq!(plan.status, Some(0), "{plan:?}");
    let document = plan.json();
    assert_eq!(document["confirm"], PHRASE);
    for field in ["blockers", "warnings", "partitions", "heals", "estimate_s"] {
        assert!(!document[field].is_null(), "{field}");
    }
    assert_eq!(document["partitions"][1]["name"], "ROOTFS");
    assert_eq!(document["partitions"][1]["blocks"]["erase"], 2);
    // Without the phrase: the plan's document, and 3.
    let without = bench.run(&["--json", "flash", file], "");
    assert_eq!((without.status, &without.json()["confirm"]), (Some(3), &document["confirm"]));
    // A cut ends the process as a power cut does; resume goes on.
    let cut = bench.run(&["flash", file, "--confirm", PHRASE], "cut@700");
    assert_eq!(cut.status, Some(137), "{cut:?}");
    let interrupted = bench.run(&["resume"], "eio@0x260000");
    assert_ne!(interrupted.status, Some(0), "{interrupted:?}");
    let resumed = bench.run(&["--json", "resume"], "");
    assert_eq!(
        (resumed.status, &resumed.json()["outcome"]),
        (Some(0), &"done".into()),
        "{resumed:?}"
    );
    assert!(bench.bytes() == wanted);
    assert_eq!(bench.run(&["resume"], "").status, Some(0), "nothing to do is success");
    // Where nothing would change, there is nothing to confirm.
    let again = bench.run(&["flash", file], "");
    assert_eq!((again.status, again.out.trim()), (Some(0), "nothing to do"), "{again:?}");
    let protected = bench.run(&["restore", "1", "--confirm", PHRASE], "wp@0x260000");
    assert_eq!(protected.status, Some(4), "{protected:?}");
    assert!(protected.err.contains("write-protected"), "{protected:?}");
    let missing = bench.run(&["flash", "/nowhere.img"], "");
    assert_eq!(missing.status, Some(2), "{missing:?}");
    let names = bench.run(&["plan", file, "--only", "KERNL"], "");
    assert_eq!(names.status, Some(2), "{names:?}");
}

#[test]
fn killed_at_random_moments_of_a_flash_it_always_ends_in_the_image() {
    let bench = Bench::new();
    let before = bench.bytes();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&before, &tf);
    let rounds = if std::env::var_os("MI360D_ALL_CUTS").is_some() { 100 } else { 12 };
    let mut interrupted = 0;
    for round in 0..rounds {
        bench.set(&before);
        let mut child = Command::new(env!("CARGO_BIN_EXE_mi360d"))
            .arg("--sim")
            .arg(bench.path())
            .args(["flash", path.to_str().unwrap(), "--confirm", PHRASE])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Random enough: the machine's own noise does the rest.
        std::thread::sleep(std::time::Duration::from_millis(40 + round * 37 % 500));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = bench.bytes();
        assert!(crate::rig::untouched(&before, &now), "round {round}");
        let resumed = bench.run(&["--json", "resume"], "");
        assert_eq!(resumed.status, Some(0), "round {round}: {resumed:?}");
        interrupted += i32::from(resumed.json()["outcome"] == "done");
        let now = bench.bytes();
        assert!(now == wanted || now == before, "round {round}: whole, old or new");
    }
    println!("{interrupted} of {rounds} kills interrupted a flash");
}

#[test]
fn a_start_takes_away_what_flashes_that_are_over_have_left() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.path().join("tf.img");
    std::fs::write(&path, &tf).unwrap();
    let cut = bench.run(&["flash", path.to_str().unwrap(), "--confirm", PHRASE], "cut@700");
    assert_eq!(cut.status, Some(137), "{cut:?}");
    let (images, state) = (bench.home().join("images"), bench.home().join("state"));
    let only = |dir: &std::path::Path| {
        let names = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect::<std::collections::BTreeSet<_>>()
    };
    let copy = only(&images);
    assert_eq!(copy.len(), 1, "the copy of an image from elsewhere: {copy:?}");
    // Cut off while another was copied, before its journal was opened.
    let (other, owners) = ("job-00112233445566ff.img", "job-of-mine.img");
    let half = bench.card().join("tf_recovery.img.new");
    std::fs::write(images.join(other), b"half").unwrap();
    std::fs::write(images.join(owners), b"the owner's").unwrap();
    std::fs::write(state.join("carried-00112233445566ff.bin"), b"secret").unwrap();
    std::fs::write(&half, b"half").unwrap();
    let camera = bench.camera("");
    camera.remove_leftovers();
    let needed: Vec<String> = copy.iter().cloned().chain([owners.to_owned()]).collect();
    assert_eq!(only(&images), needed.into_iter().collect(), "the open job's copy is needed");
    assert!(half.exists(), "nothing else is touched while a job is open");
    // Ended, and cut off before it was tidied up: its copy and its job are still there.
    let saved = (only(&images), std::fs::read(state.join("flash.toml")).unwrap());
    let copied = std::fs::read(images.join(copy.first().unwrap())).unwrap();
    let resumed = bench.run(&["--json", "resume"], "");
    assert_eq!(resumed.json()["outcome"], "done", "{resumed:?}");
    assert!(!state.join("flash.toml").exists());
    std::fs::write(images.join(copy.first().unwrap()), copied).unwrap();
    std::fs::write(state.join("flash.toml"), &saved.1).unwrap();
    assert_eq!(only(&images), saved.0);
    assert_eq!(bench.run(&["--json", "resume"], "").status, Some(0), "it is known to be over");
    camera.remove_leftovers();
    assert_eq!(only(&images), [owners.to_owned()].into());
    assert!(!half.exists());
    let left = only(&state);
    assert!(!left.iter().any(|n| n == "flash.toml" || n.starts_with("carried")), "{left:?}");
}

#[test]
fn the_copy_that_another_job_was_given_is_not_taken_away_from_it() {
    let bench = Bench::new();
    let images = bench.home().join("images");
    std::fs::create_dir_all(&images).unwrap();
    // An earlier job's copy, which the owner flashes from where it lies.
    let path = images.join("job-00112233445566ff.img");
    std::fs::write(&path, six_blocks()).unwrap();
    let cut = bench.run(&["flash", path.to_str().unwrap(), "--confirm", PHRASE], "cut@700");
    assert_eq!(cut.status, Some(137), "{cut:?}");
    bench.camera("").remove_leftovers();
    assert!(path.exists(), "the interrupted flash needs it");
    let resumed = bench.run(&["--json", "resume"], "");
    assert_eq!(resumed.json()["outcome"], "done", "{resumed:?}");
    // What is to be done is lost, and not that something is: nothing is taken away.
    let cut = bench.run(&["restore", "1", "--confirm", PHRASE], "cut@300");
    assert_eq!(cut.status, Some(137), "{cut:?}");
    std::fs::remove_file(bench.home().join("state/flash.toml")).unwrap();
    bench.camera("").remove_leftovers();
    assert!(path.exists(), "the journal tells of a flash that has not ended");
}

#[test]
fn a_start_of_the_daemon_goes_on_by_itself() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let cut = bench.run(&["flash", path.to_str().unwrap(), "--confirm", PHRASE], "cut@600");
    assert_eq!(cut.status, Some(137));
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_mi360d"))
        .arg("--sim")
        .arg(bench.path())
        .args(["run", "--listen", "127.0.0.1:0"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while bench.home().join("state/flash.toml").exists() {
        assert!(begun.elapsed().as_secs() < 120, "it does not go on");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(bench.bytes() == wanted);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

/// The daemon on this camera; ends with the value.
struct Daemon(std::process::Child);

impl Daemon {
    fn start(bench: &Bench, more: &[(&str, &std::ffi::OsStr)]) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mi360d"));
        command.arg("--sim").arg(bench.path()).args(["run", "--listen", "127.0.0.1:0"]);
        let quiet = command.envs(more.iter().copied()).stderr(std::process::Stdio::null());
        Daemon(quiet.stdout(std::process::Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not come true: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn who_ends_the_daemon_in_the_middle_of_a_flash_waits_for_its_end() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let cut = bench.run(&["flash", path.to_str().unwrap(), "--confirm", PHRASE], "cut@3");
    assert_eq!(cut.status, Some(137));
    let trace = bench.path().join("trace");
    // A chip that takes its time, so that there is a middle to be ended in.
    let more = [("MI360D_SIM_TRACE", trace.as_os_str()), ("MI360D_SIM_PACE", "0.5".as_ref())];
    let mut daemon = Daemon::start(&bench, &more);
    wait("a first erase", || {
        std::fs::read_to_string(&trace).is_ok_and(|text| text.contains("erase "))
    });
    let pid = nix::unistd::Pid::from_raw(daemon.0.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let status = daemon.0.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(bench.bytes() == wanted, "the flash has ended before the daemon");
    assert!(!bench.home().join("state/flash.toml").exists());
}

#[test]
fn no_hack_is_started_while_a_flash_is_interrupted() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let hack = bench.card().join("hacks/mark");
    std::fs::create_dir_all(&hack).unwrap();
    let toml =
        "id = \"mark\"\nenabled = true\nexec = [\"/bin/sh\", \"-c\", \"echo x > started\"]\n";
    std::fs::write(hack.join("hack.toml"), toml).unwrap();
    let cut = bench.run(&["flash", path.to_str().unwrap(), "--confirm", PHRASE], "cut@300");
    assert_eq!(cut.status, Some(137));
    // Without its image the start cannot go on with it.
    std::fs::remove_file(&path).unwrap();
    let log = bench.home().join("logs/mi360d.log");
    let said = |words: &str| std::fs::read_to_string(&log).is_ok_and(|text| text.contains(words));
    let daemon = Daemon::start(&bench, &[]);
    wait("the start's end", || bench.card().join("STATUS.txt").exists() && said("page is on"));
    assert!(said("no hacks are started until the interrupted flash is finished"));
    assert!(!hack.join("started").exists());
    drop(daemon);
    // The same card without the journal: there it starts.
    std::fs::remove_file(bench.home().join("state/flash.toml")).unwrap();
    let _daemon = Daemon::start(&bench, &[]);
    wait("the hack's start", || hack.join("started").exists());
}

#[test]
fn a_card_without_room_for_what_would_be_overwritten_is_refused() {
    let bench = Bench::new();
    let image = bench.path().join("six.img");
    std::fs::write(&image, six_blocks()).unwrap();
    let before = bench.bytes();
    let script = format!(
        "mount -t tmpfs -o size=20m tmpfs sdcard || exit 99; \
         {:?} --json --sim . flash six.img --confirm '{PHRASE}'",
        env!("CARGO_BIN_EXE_mi360d")
    );
    let as_root = nix::unistd::geteuid().is_root();
    let ran = Command::new("unshare")
        .args(if as_root { &["-m"][..] } else { &["-rm"] })
        .args(["sh", "-c", &script])
        .current_dir(bench.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let blockers = document["blockers"].as_array().unwrap();
    assert!(blockers.iter().any(|f| f["code"] == "card-full"), "{document}");
    assert!(bench.bytes() == before);
}
