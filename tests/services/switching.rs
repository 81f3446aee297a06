//! Switched on and off, in the order in which hacks need each other.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use mi360d::services::{ServiceError, ServiceState, Values};

use crate::rig::{Card, lives, text_of, wait};

/// Notes when it starts and when it is told to end.
fn noting(card: &Card, id: &str, more: &str) {
    let notes = card.path("notes");
    card.script(
        id,
        &format!(
            "echo start {id} >>{0}; trap 'echo end {id} >>{0}; exit 0' TERM; touch $HOME/up; \
             while :; do sleep 0.05; done",
            notes.display()
        ),
        &format!("{more}\n[ready]\nfile = \"{{run.dir}}/up\"\n"),
    );
}

#[test]
fn who_is_needed_starts_first_and_ends_last() {
    let card = Card::new();
    noting(&card, "a", "needs = [\"b\"]");
    noting(&card, "b", "needs = [\"c\"]");
    noting(&card, "c", "");
    let running = card.start();
    running.state("a", ServiceState::Running);
    drop(running);
    let notes = fs::read_to_string(card.path("notes")).unwrap();
    let wanted = "start c\nstart b\nstart a\nend a\nend b\nend c\n";
    assert_eq!(notes, wanted);
}

#[test]
fn what_is_missing_off_or_in_a_circle_is_waited_for_with_its_reason() {
    let card = Card::new();
    noting(&card, "lonely", "needs = [\"nobody\"]");
    noting(&card, "x", "needs = [\"y\"]");
    noting(&card, "y", "needs = [\"x\"]");
    noting(&card, "base", "");
    noting(&card, "top", "needs = [\"base\"]");
    let running = card.start();
    let reason = |id| running.state(id, ServiceState::Waiting).reason;
    assert!(reason("lonely").contains("'nobody', which is not on the card"));
    assert!(reason("x").contains("needs itself, by way of 'y'"));
    running.state("top", ServiceState::Running);
    running.services.put("base", Some(false), &Values::new()).unwrap();
    running.state("base", ServiceState::Off);
    assert!(reason("top").contains("'base', which is not turned on"));
    running.services.put("base", Some(true), &Values::new()).unwrap();
    running.state("top", ServiceState::Running);
}

#[test]
fn switching_is_kept_in_config_toml_and_fifos_lie_in_memory() {
    let card = Card::new();
    card.write("mi360d/config.toml", "# mine\n[backup]\nkeep = 7 # seven\n");
    card.script("pipe", "ls -l $HOME/main >$HOME/seen; exec sleep 600", "fifos = [\"main\"]");
    let running = card.start();
    let view = running.state("pipe", ServiceState::Running);
    assert!(fs::metadata(card.run("pipe").join("main")).unwrap().file_type().is_fifo());
    assert!(text_of(&card.run("pipe").join("seen")).starts_with('p'));
    let pid = view.programs[0].pid.unwrap().to_string();
    running.services.put("pipe", Some(false), &Values::new()).unwrap();
    running.state("pipe", ServiceState::Off);
    assert!(!lives(&pid));
    drop(running);
    let text = fs::read_to_string(card.path("mi360d/config.toml")).unwrap();
    assert!(text.starts_with("# mine\n[backup]\nkeep = 7 # seven\n"), "{text}");
    let running = card.start();
    running.state("pipe", ServiceState::Off);
}

#[test]
fn a_restart_is_a_new_process_and_one_that_is_off_is_not_restarted() {
    let card = Card::new();
    card.script("one", "exec sleep 600", "");
    let running = card.start();
    let before = running.state("one", ServiceState::Running).programs[0].pid;
    running.services.restart("one").unwrap();
    let again = |v: &mi360d::services::ServiceView| {
        v.state == ServiceState::Running && v.programs[0].pid != before
    };
    running.wait("one", "a new process", again);
    running.services.put("one", Some(false), &Values::new()).unwrap();
    assert!(matches!(running.services.restart("one"), Err(ServiceError::Unavailable { .. })));
    assert!(matches!(running.services.restart("two"), Err(ServiceError::Unknown(_))));
}

#[test]
fn a_hack_that_is_copied_to_the_card_appears_and_one_that_is_removed_ends() {
    let card = Card::new();
    let running = card.start();
    assert!(running.services.list().is_empty());
    card.script("new", "exec sleep 600", "");
    let view = wait(
        || running.services.get("new").ok().filter(|v| v.state == ServiceState::Running),
        || "it does not appear".into(),
    );
    let pid = view.programs[0].pid.unwrap().to_string();
    fs::remove_dir_all(card.path("hacks/new")).unwrap();
    wait(
        || (running.services.list().is_empty() && !lives(&pid)).then_some(()),
        || "it does not go".into(),
    );
}

#[test]
fn held_for_something_else_all_end_and_released_all_run_again() {
    let card = Card::new();
    noting(&card, "a", "needs = [\"b\"]");
    noting(&card, "b", "");
    let running = card.start();
    running.state("a", ServiceState::Running);
    assert!(running.services.hold("a flash is running", std::time::Duration::from_secs(30)));
    assert_eq!(running.state("a", ServiceState::Waiting).reason, "a flash is running");
    running.services.release();
    running.state("a", ServiceState::Running);
}
