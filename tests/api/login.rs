//! Passwords, sessions, and what wrong guesses cost.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::{call, send, session};
use crate::rig::Sim;
use crate::rig::daemon::{Daemon, PASSWORD};

fn login(daemon: &Daemon, password: &str) -> crate::client::Answer {
    let body = json!({ "password": password }).to_string();
    send(daemon.port, "POST", "/api/v1/login", &[], body.as_bytes())
}

#[test]
fn any_password_works_and_is_changed_everywhere_at_once() {
    let sim = Sim::small();
    let mut daemon = Daemon::start(&sim);
    let mut current = PASSWORD.to_owned();
    for new in [
        "$\"'\\`!#&;|<>(){}[] ",
        "8 \u{65e5}\u{672c}\u{8a9e}\u{1f4f7} \u{0}\u{7}\u{202e}",
        &"\u{1f512}".repeat(200),
        "        ",
        "x2345678",
    ] {
        let other = session(&login(&daemon, &current));
        let wish = json!({ "current": current, "password": new });
        let answer = call(&daemon, "POST", "/api/v1/password", &wish);
        assert_eq!(answer.status, 200, "{new:?}");
        let cookie = [("Cookie", other.cookie.as_str())];
        let old = send(daemon.port, "GET", "/api/v1/status", &cookie, b"");
        assert_eq!(old.status, 401, "another browser is out");
        assert_eq!(
            call(&daemon, "GET", "/api/v1/status", &Value::Null).status,
            401,
            "so is this one's old cookie"
        );
        assert_eq!(login(&daemon, &current).status, 401, "the old password");
        daemon.session = Some(session(&login(&daemon, new)));
        assert_eq!(call(&daemon, "GET", "/api/v1/status", &Value::Null).status, 200);
        current = new.to_owned();
    }
    let empty = json!({ "current": current, "password": "" });
    let answer = call(&daemon, "POST", "/api/v1/password", &empty);
    assert_eq!((answer.status, answer.code().as_str()), (422, "empty-password"));
    let short = json!({ "current": current, "password": "7 chars" });
    let answer = call(&daemon, "POST", "/api/v1/password", &short);
    assert_eq!((answer.status, answer.code().as_str()), (422, "short-password"));
    let long = json!({ "current": current, "password": "x".repeat(1025) });
    assert_eq!(call(&daemon, "POST", "/api/v1/password", &long).code(), "long-password");
    assert_eq!(login(&daemon, &current).status, 200, "a refused one changes nothing");
    let log = std::fs::read_to_string(sim.home().join("logs/mi360d.log")).unwrap();
    assert!(!log.contains(PASSWORD) && !log.contains("\u{1f512}"), "no password in the log");
}

#[test]
fn the_terminal_sets_a_password_that_counts_at_once() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let passwd = |input: &str| {
        use std::io::Write as _;
        let mut child = sim
            .command(&["passwd"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait().unwrap().code()
    };
    assert_eq!(passwd("from the terminal\n"), Some(0));
    assert_eq!(call(&daemon, "GET", "/api/v1/status", &Value::Null).status, 401);
    assert_eq!(login(&daemon, PASSWORD).status, 401);
    assert_eq!(login(&daemon, "from the terminal").status, 200);
    assert_eq!(passwd("\n"), Some(2), "an empty one is never saved");
    assert_eq!(login(&daemon, "from the terminal").status, 200);
}

#[test]
fn wrong_guesses_cost_time_and_lock_nobody_out() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    for _ in 0..5 {
        assert_eq!(login(&daemon, "wrong").code(), "wrong-password");
    }
    let began = std::time::Instant::now();
    let mut wrong = 0;
    for _ in 0..1000 {
        let answer = login(&daemon, "wrong");
        match answer.code().as_str() {
            "wrong-password" => wrong += 1,
            code => {
                assert_eq!((answer.status, code), (429, "too-many-tries"));
                let wait: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
                assert!((1..=61).contains(&wait), "{wait}");
            }
        }
    }
    // 1, 2, 4, ... seconds are between two that are told no more than that they were wrong.
    let seconds = began.elapsed().as_secs();
    assert!(wrong <= 1 + seconds.max(1).ilog2() + 1, "{wrong} in {seconds} s");
    assert_eq!(
        call(&daemon, "GET", "/api/v1/status", &Value::Null).status,
        200,
        "who is in stays in"
    );
    // However many wrong ones came from there: a right one opens at once.
    assert_eq!(login(&daemon, PASSWORD).status, 200);
    assert_eq!(login(&daemon, "wrong").code(), "wrong-password", "five are free again");
}

#[test]
fn guesses_at_the_page_s_password_are_bounded_and_delay_the_right_one_by_seconds_only() {
    use mi360d::access::LoginSource;
    use mi360d::access::login::{Login, LoginError, set_password};
    use std::time::{Duration, Instant};

    let dir = tempfile::tempdir().unwrap();
    let card = mi360d::card::Card::folder(dir.path());
    set_password(&card, PASSWORD).unwrap();
    let login = Login::new(card);
    login.start();
    let stranger = |n: u8| std::net::IpAddr::from([10, 0, 0, n]);
    let began = Instant::now();
    let mut judged = 0;
    // Each from another address, each another password: only the budget bounds them.
    for number in 0..24 {
        match login.login(stranger(number), &format!("guess {number}")) {
            Err(LoginError::WrongPassword | LoginError::TooMany { .. }) => judged += 1,
            other => panic!("{:?}", other.err()),
        }
    }
    assert_eq!(judged, 24, "every one is judged");
    // 20 at once, then one a second.
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    let began = Instant::now();
    login.login(stranger(200), PASSWORD).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // It knows the password: strangers' guesses never delay it again.
    let began = Instant::now();
    login.login(stranger(201), "another guess").unwrap_err();
    login.login(stranger(200), PASSWORD).unwrap();
    // Nor does a session wait for its address.
    login.check_password(LoginSource::address(stranger(3)), "guess 3").unwrap_err();
    login.check_password(LoginSource::Session(3), PASSWORD).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn the_session_cookie_is_out_of_reach_and_logout_ends_it() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    let answer = login(&daemon, PASSWORD);
    let cookie = answer.header("Set-Cookie").unwrap();
    for word in ["HttpOnly", "SameSite=Strict", "Max-Age=86400"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Path"), "it belongs to the folder of this login: {cookie}");
    let status = call(&daemon, "GET", "/api/v1/status", &Value::Null);
    let csrf = &daemon.session.as_ref().unwrap().csrf;
    assert_eq!(
        status.header("X-CSRF-Token"),
        Some(csrf.as_str()),
        "a page after a reload has it again"
    );
    assert_eq!(call(&daemon, "GET", "/api/v1/session", &Value::Null).json()["csrf"], csrf.as_str());
    assert_eq!(call(&daemon, "POST", "/api/v1/logout", &Value::Null).status, 200);
    assert_eq!(call(&daemon, "GET", "/api/v1/status", &Value::Null).status, 401);
}

#[test]
fn the_first_password_needs_the_code_and_is_set_once() {
    let sim = Sim::small();
    let daemon = Daemon::start(&sim);
    assert!(!sim.home().join("setup-code.txt").exists(), "it is gone when it was used");
    let body = json!({ "code": "0000000000", "password": "mine" }).to_string();
    let answer = send(daemon.port, "POST", "/api/v1/setup", &[], body.as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (409, "already-set-up"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_typed_is_the_password_and_nothing_else_is(password in "\\PC{1,40}", other in "\\PC{1,40}") {
        use mi360d::access::login::{Login, set_password};
        let dir = tempfile::tempdir().unwrap();
        let card = mi360d::card::Card::folder(dir.path());
        set_password(&card, &password).unwrap();
        let login = Login::new(card);
        login.start();
        let from = std::net::IpAddr::from([127, 0, 0, 1]);
        prop_assert!(login.login(from, &password).is_ok());
        prop_assert_eq!(login.login(from, &other).is_ok(), other == password);
    }
}

#[test]
fn a_password_that_another_process_sets_counts_at_once_and_ends_all_sessions() {
    use mi360d::access::login::{Caller, Login, set_password};
    let dir = tempfile::tempdir().unwrap();
    let card = mi360d::card::Card::folder(dir.path());
    let login = Login::new(card.clone());
    login.start();
    let from = std::net::IpAddr::from([127, 0, 0, 1]);
    let mut last = String::new();
    // Often, and of one length: nothing but the file being another tells that it is new.
    for number in 10..20 {
        let password = format!("password {number}");
        set_password(&card, &password).unwrap();
        assert!(login.has_password());
        let session = login.login(from, &password).unwrap();
        assert!(matches!(login.caller(Some(&session.cookie), None), Caller::Session { .. }));
        assert!(last.is_empty() || login.login(from, &last).is_err(), "{number}");
        set_password(&card, "another").unwrap();
        assert!(matches!(login.caller(Some(&session.cookie), None), Caller::Nobody), "{number}");
        last = "another".to_owned();
    }
}
