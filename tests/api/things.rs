//! Uploads, downloads, backups and jobs by the API, and the way back to stock.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::client::{Answer, call, raw, send};
use crate::rig::daemon::{Daemon, PASSWORD, wait};
use crate::rig::{Sim, names};

pub fn upload(daemon: &Daemon, name: &str, bytes: &[u8]) -> Answer {
    let session = daemon.session.as_ref().unwrap();
    let headers = [
        ("Cookie", session.cookie.as_str()),
        ("X-CSRF-Token", session.csrf.as_str()),
        ("X-Filename", name),
    ];
    send(daemon.port, "POST", "/api/v1/images", &headers, bytes)
}

/// Waits for the end of a job.
fn ended(daemon: &Daemon, job: &Answer) -> Value {
    assert_eq!(job.status, 202, "{}", String::from_utf8_lossy(&job.body));
    let id = job.json()["id"].as_str().unwrap().to_owned();
    wait(|| {
        let job = daemon.json(&format!("/api/v1/jobs/{id}?wait=5"));
        (job["state"] != "running").then_some(job)
    })
}

/// Twenty clients wait for news at once: four may, the others are answered, and ordinary requests find
/// a free handler.
#[test]
fn those_that_wait_for_news_leave_handlers_for_others() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let since = daemon.json("/api/v1/events")["seq"].as_u64().unwrap();
    let path = format!("/api/v1/events?wait=25&since={since}");
    let waiting = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let begun = Instant::now();
        for _ in 0..20 {
            waiting.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|| {
                daemon.json(&path);
                waiting.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let end = begun + Duration::from_secs(15);
        while waiting.load(Ordering::Relaxed) > 4 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let left = waiting.load(Ordering::Relaxed);
        if left != 4 {
            // Else those that wait would be waited for, however long that is.
            kill(Pid::from_raw(daemon.child.id().cast_signed()), Signal::SIGKILL).unwrap();
        }
        assert_eq!(left, 4, "clients that wait");
        // On a loaded machine one of them may take longer.
        let quickest = (0..5).map(|_| {
            let asked = Instant::now();
            daemon.json("/api/v1/jobs");
            asked.elapsed()
        });
        let quickest = quickest.min().unwrap();
        assert!(quickest < Duration::from_secs(1), "{quickest:?}");
        // Else this has shown nothing: those that wait were still waiting.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(waiting.load(Ordering::Relaxed), 4);
        // An event ends the wait: the clients need not be waited for.
        call(&daemon, "PUT", "/api/v1/controls/night", &json!({ "value": "night" }));
    });
}

#[test]
fn an_upload_is_hashed_on_the_way_and_twice_is_once() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let image: Vec<u8> = (0..200_000u32).map(|i| (i * 7 % 251) as u8).collect();
    let answer = upload(&daemon, "..%2F..%2Fetc%2F%3Cimg%20src%3Dx%3E.img", &image);
    assert_eq!(answer.status, 201);
    let view = answer.json();
    assert_eq!(view["name"], "<img src=x>.img", "a text, and no path");
    assert_eq!(view["size"], 200_000);
    let sha256 = mi360d::base::hex(&{
        use sha2::Digest as _;
        sha2::Sha256::digest(&image)
    });
    assert_eq!(view["sha256"], sha256.as_str());
    assert!(view["report"]["kind"].is_string());
    assert_eq!(upload(&daemon, "again.img", &image).json()["id"], view["id"]);
    let id = view["id"].as_str().unwrap();
    assert_eq!(names(&sim.home().join("images")), [format!("{id}.img"), format!("{id}.json")]);
    assert_eq!(fs::read(sim.home().join(format!("images/{id}.img"))).unwrap(), image);
    let page = call(&daemon, "GET", "/api/v1/images", &Value::Null);
    assert_eq!(page.json()["images"].as_array().unwrap().len(), 1);
    assert_eq!(call(&daemon, "DELETE", &format!("/api/v1/images/{id}"), &Value::Null).status, 200);
    assert_eq!(names(&sim.home().join("images")), [""; 0]);
}

#[test]
fn what_is_too_large_broken_off_or_unasked_leaves_nothing() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    // The small chip has 1 MiB; 64 KiB more is the limit.
    let limit = 0x11_0000;
    assert_eq!(upload(&daemon, "x", &vec![1; limit + 1]).status, 413);
    assert_eq!(upload(&daemon, "x", &vec![1; limit]).status, 201);
    let session = daemon.session.clone().unwrap();
    let head = |length: u64, who: &str| {
        format!(
            "POST /api/v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{who}\r\n"
        )
    };
    let who = format!("Cookie: {}\r\nX-CSRF-Token: {}\r\n", session.cookie, session.csrf);
    // A stranger's is refused by its head: 4 GiB are announced and none is read.
    let answer = raw(daemon.port, head(1 << 32, "").as_bytes()).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "login-needed"));
    let no_csrf = format!("Cookie: {}\r\n", session.cookie);
    assert_eq!(raw(daemon.port, head(5, &no_csrf).as_bytes()).unwrap().code(), "csrf");
    // Cut short: the client closes its half in the middle.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    {
        use std::io::{Read as _, Write as _};
        stream.write_all(head(100_000, &who).as_bytes()).unwrap();
        stream.write_all(&vec![7; 50_000]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("upload-broke-off"), "{said}");
    }
    let left = names(&sim.home().join("images"));
    assert_eq!(left.len(), 2, "{left:?}");
    let answer = raw(
        daemon.port,
        format!("POST /api/v1/images HTTP/1.1\r\nHost: localhost\r\n{who}\r\n").as_bytes(),
    );
    assert_eq!(answer.unwrap().status, 411);
    // Who has the answer may send the next one, also while the connection still stands.
    let mut kept = std::net::TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
    {
        use std::io::{Read as _, Write as _};
        kept.write_all(head(5, &who).as_bytes()).unwrap();
        kept.write_all(b"12345").unwrap();
        let mut said = String::new();
        kept.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
    }
    assert_eq!(upload(&daemon, "x", b"the next").status, 201);
    drop(kept);
    // A place that was taken is free again.
    assert_eq!(upload(&daemon, "x", b"small").status, 201);
}

#[test]
fn a_download_needs_the_password_again_and_its_ticket_works_once() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let id = daemon.backup()["set"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/backups/{id}/download");
    for wish in
        [json!({ "name": "FACTORY.bin" }), json!({ "name": "FACTORY.bin", "password": "no" })]
    {
        assert_eq!(call(&daemon, "POST", &path, &wish).status, 401, "{wish}");
    }
    assert_eq!(daemon.json("/api/v1/status")["identity"]["downloaded"], false);
    let wish = json!({ "name": "set.zip", "password": PASSWORD });
    let ticket = call(&daemon, "POST", &path, &wish).json()["ticket"].as_str().unwrap().to_owned();
    let file = format!("/api/v1/downloads/{ticket}");
    assert_eq!(
        send(daemon.port, "GET", &file, &[], b"").status,
        401,
        "the ticket alone opens nothing"
    );
    let zip = call(&daemon, "GET", &file, &Value::Null);
    assert_eq!(zip.status, 200);
    assert!(zip.header("Content-Disposition").unwrap().contains(&format!("mi360d-{id}-set.zip")));
    let length: usize = zip.header("Content-Length").unwrap().parse().unwrap();
    assert_eq!(zip.body.len(), length);
    assert_eq!(call(&daemon, "GET", &file, &Value::Null).code(), "no-ticket");
    let chip = fs::read(sim.flash()).unwrap();
    assert!(zip.body.windows(4096).step_by(1).any(|w| w == &chip[..4096]), "stored, not packed");
    wait(|| (daemon.json("/api/v1/status")["identity"]["downloaded"] == true).then_some(()));
    drop(daemon);
    let daemon = Daemon::start(&sim);
    assert_eq!(daemon.json("/api/v1/status")["identity"]["downloaded"], true, "it is remembered");
}

#[test]
fn backups_are_made_read_again_and_deleted_only_where_that_costs_nothing() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let first = daemon.backup()["set"].as_str().unwrap().to_owned();
    for n in 0..2u8 {
        sim.poke(0x4_0000, &[n, 1, 2, 3]);
        let job = ended(&daemon, &call(&daemon, "POST", "/api/v1/backups", &Value::Null));
        assert_eq!(job["state"], "done", "{job}");
    }
    let ids: Vec<String> = sim.sets();
    assert_eq!(ids.len(), 3);
    for (id, status) in [(&first, 409), (&ids[2], 409), (&ids[1], 200), (&ids[1], 404)] {
        let answer = call(&daemon, "DELETE", &format!("/api/v1/backups/{id}"), &Value::Null);
        assert_eq!(answer.status, status, "{id}");
    }
    assert_eq!(sim.sets(), [first.clone(), ids[2].clone()]);
    let verify = format!("/api/v1/backups/{first}/verify");
    assert_eq!(ended(&daemon, &call(&daemon, "POST", &verify, &Value::Null))["state"], "done");
    let rotten = sim.backups().join(&first).join("DATA.bin");
    let mut bytes = fs::read(&rotten).unwrap();
    bytes[777] ^= 1;
    fs::write(&rotten, bytes).unwrap();
    let job = ended(&daemon, &call(&daemon, "POST", &verify, &Value::Null));
    assert_eq!(
        (job["state"].as_str(), job["error"]["code"].as_str()),
        (Some("failed"), Some("backup-damaged"))
    );
    assert!(job["damage"].to_string().contains("DATA.bin at offset 777"), "{job}");
}

#[test]
fn uninstalling_takes_what_the_list_says_and_leaves_backups_and_strangers() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    let root = sim.path().join("sdcard");
    fs::create_dir_all(root.join("manu_test")).unwrap();
    fs::write(root.join("manu_test/manu.sh"), "#!/bin/sh\n# starts mi360d\n").unwrap();
    fs::write(root.join("manu_test/entrypoint.sh"), "#!/bin/sh\n# somebody else's\n").unwrap();
    fs::write(root.join("photo.jpg"), "x").unwrap();
    let listed = daemon.json("/api/v1/uninstall");
    let answer = call(&daemon, "POST", "/api/v1/uninstall", &json!({ "confirm": "yes" }));
    assert_eq!((answer.status, answer.code().as_str()), (422, "not-confirmed"));
    assert!(root.join("manu_test/manu.sh").exists());
    let done = call(&daemon, "POST", "/api/v1/uninstall", &json!({ "confirm": "UNINSTALL" }));
    assert_eq!(done.status, 200);
    for change in listed["changes"].as_array().unwrap() {
        let path = root.join(change["path"].as_str().unwrap());
        // The log may get one more line: that the rest is gone.
        let is_log = path.ends_with("logs");
        assert!(is_log || path.exists() == (change["fate"] == "kept"), "{change}");
    }
    assert_eq!(names(&root.join("manu_test")), ["entrypoint.sh"]);
    assert!(root.join("photo.jpg").exists() && !sim.sets().is_empty());
    // What still runs until the restart does not bring it back.
    let verify = format!("/api/v1/backups/{}/verify", sim.sets()[0]);
    assert_eq!(ended(&daemon, &call(&daemon, "POST", &verify, &Value::Null))["state"], "done");
    assert!(!root.join("STATUS.txt").exists());
}
