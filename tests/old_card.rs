//! Cards that the program before wrote are read as it read them, and what is written again is the
//! same text. Where the files are from: `old_card/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use mi360d::backup::manifest::Manifest;
use mi360d::card::Card;
use mi360d::chip::sim::SimCamera;
use mi360d::flash::journal::{Found, Job, JobSource, find};
use mi360d::formats::document::{from_json, from_toml};
use mi360d::services::manifest;
use mi360d::settings::config;

fn old(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_card").join(name);
    fs::read_to_string(path).unwrap()
}

/// A card with this job and the old slots on it.
fn with_job(text: &str) -> Found {
    let dir = tempfile::tempdir().unwrap();
    let card = Card::folder(dir.path());
    fs::create_dir_all(card.state_dir()).unwrap();
    let slots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_card/flash.journal");
    fs::copy(slots, card.state_dir().join("flash.journal")).unwrap();
    fs::write(card.state_dir().join("flash.toml"), text).unwrap();
    find(&card)
}

#[test]
fn an_open_journal_of_the_program_before_is_open() {
    let text = old("flash.toml");
    let Found::Open(job, journal) = with_job(&text) else { panic!("it is not found") };
    assert!(journal.begun_before && journal.resumed == 0);
    assert_eq!((job.id.as_str(), job.before.as_str()), ("ab8a86f480b5fe8c", "0002-ea525abd"));
    let source = JobSource::Set { path: "mi360d/backups/0001-c0e0db36".into() };
    assert_eq!((&job.source, job.partitions[0].name.as_str()), (&source, "DATA"));
    assert_eq!(job.to_text().unwrap(), text);
    // Older still: without what later versions added. Newer: with what this one does not know.
    let older =
        text.lines().filter(|line| !line.starts_with("wifi")).collect::<Vec<_>>().join("\n");
    let newer = text.replace("before =", "colour = \"red\"\nbefore =");
    for text in [older, newer] {
        assert!(matches!(with_job(&text), Found::Open(job, _) if job.heals.word() == "itself"));
    }
}

#[test]
fn every_way_to_end_an_old_journal_s_text_early_is_damage_and_never_another_job() {
    let text = old("flash.toml");
    let whole: Job = from_toml(&text).unwrap();
    for end in 1..text.len() {
        match with_job(&text[..end]) {
            Found::Open(job, _) => {
                // Only the last field has a value that stands for it.
                assert_eq!(*job, whole, "{end}");
            }
            Found::Damaged { reason } => assert!(!reason.contains("c0e0db36"), "{reason}"),
            Found::Nothing => panic!("an open journal is overlooked at {end}"),
        }
    }
}

#[test]
fn the_manifest_of_an_old_set_is_read_and_written_the_same() {
    let text = old("manifest.toml");
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert!(manifest.is_healthy() && manifest.has_chip() && manifest.partitions.len() == 6);
    assert_eq!(manifest.to_text().unwrap(), text);
    let older: String =
        text.lines().filter(|l| !l.starts_with("clock")).map(|l| format!("{l}\n")).collect();
    assert_eq!(Manifest::parse(older.as_bytes()).unwrap().clock, None);
}

#[test]
fn settings_hacks_tokens_and_cameras_of_the_program_before_are_read() {
    let config = config::parse(old("config.toml").as_bytes()).unwrap();
    assert_eq!((config.backup.keep.0, config.mqtt.password.0.as_str()), (7, "p\"w #1"));
    assert_eq!(config.camera.name.unwrap().0, "porch");
    let hack =
        manifest::parse(old("hack.toml").as_bytes(), Path::new("hacks/rtsp-server")).unwrap();
    assert!(!hack.settings.is_empty());
    let camera: SimCamera = from_toml(&old("camera.toml")).unwrap();
    assert_eq!((camera.partitions.len(), camera.page_size), (6, 256));
    assert_eq!(camera.to_text().unwrap(), old("camera.toml"));
    let tokens: serde_json::Value = from_json(old("tokens.json").as_bytes()).unwrap();
    assert_eq!(tokens[0]["name"], "Home Assistant");
}
