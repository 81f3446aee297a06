//! Self-update: a release is whole or nothing, takes the old one's place, and goes
//! back without a trace where the new program does not answer.
#![cfg(feature = "sdcard")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use mi360d::card::Card;
use mi360d::error::Explain;
use mi360d::update::{self, Package, Standing, UpdateError};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;

const PROGRAM: &str = "mi360d/mi360d";

/// Bytes that do not pack, after an ARM program's head.
fn program(seed: u32) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0".to_vec();
    let mut state = seed;
    while bytes.len() < 200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((state >> 24) as u8);
    }
    bytes
}

/// The files of a release, without its list.
fn files(seed: u32) -> BTreeMap<String, Vec<u8>> {
    let text = |what: &str| format!("{what} of release {seed}\n").repeat(400).into_bytes();
    [
        ("LICENSE", b"the same in all\n".to_vec()),
        ("hacks/ssh-server/hack.toml", text("hack")),
        ("manu_test/entrypoint.sh", text("entry")),
        ("manu_test/manu.sh", text("hook")),
        ("mi360d/config.toml", text("settings")),
        (PROGRAM, program(seed)),
    ]
    .map(|(path, bytes)| (path.to_owned(), bytes))
    .into()
}

fn listing(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let line = |(path, bytes): (&String, &Vec<u8>)| {
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        format!("{hash}  {path}\n")
    };
    format!("mi360d 9.9.9\n{}", files.iter().map(line).collect::<String>()).into_bytes()
}

fn zipped(files: &BTreeMap<String, Vec<u8>>, deflated: bool) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let method =
        if deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (path, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(path, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn release(seed: u32) -> BTreeMap<String, Vec<u8>> {
    let mut all = files(seed);
    all.insert(update::LISTING.into(), listing(&all));
    all
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// A card with release 1 on it, the owner's settings, and a set.
    fn new() -> Bench {
        let bench = Bench { dir: tempfile::tempdir().unwrap() };
        for (path, bytes) in release(1) {
            bench.put(&path, &bytes);
        }
        bench.put("mi360d/config.toml", b"# mine\n");
        bench.put("mi360d/backups/0001-01234567/chip.bin", b"a set\n");
        bench.put("hacks/mine/hack.toml", b"mine\n");
        bench
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.path().join("card").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn card(&self) -> Card {
        Card::folder(&self.dir.path().join("card"))
    }

    fn open(&self, zip: &[u8]) -> Result<Package, UpdateError> {
        let path = self.dir.path().join("release.zip");
        fs::write(&path, zip).unwrap();
        Package::open(&path, update::PUBLIC_KEY)
    }

    fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.dir.path().join("card"), &mut found);
        found
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.dir.path().join("card").join(path)).unwrap()
    }
}

fn hash(bytes: &[u8]) -> mi360d::base::Digest {
    Sha256::digest(bytes).into()
}

#[test]
fn a_release_takes_the_old_one_s_place_and_leaves_what_is_the_owner_s() {
    for deflated in [false, true] {
        let bench = Bench::new();
        let mut new = release(2);
        new.insert("hacks/new-hack/hack.toml".into(), b"new\n".to_vec());
        new.remove(update::LISTING);
        new.insert(update::LISTING.into(), listing(&new));
        let package = bench.open(&zipped(&new, deflated)).unwrap();
        assert_eq!((package.release.version.as_str(), package.signed.clone()), ("9.9.9", None));
        assert!(update::phrase(&package).starts_with("INSTALL UNSIGNED 9.9.9 "));
        update::lay_down(&bench.card(), &package, "0.1.0").unwrap();
        for (path, bytes) in new.iter().filter(|(path, _)| *path != "mi360d/config.toml") {
            assert!(bench.read(path) == *bytes, "{path}");
        }
        assert_eq!(bench.read("mi360d/config.toml"), b"# mine\n");
        assert!(update::is_trial(&bench.card()));
        let standing = update::standing(&bench.card(), &hash(&program(2)));
        assert_eq!(standing, Standing::OnTrial { from: "0.1.0".into() });
        update::confirm(&bench.card()).unwrap();
        assert_eq!(update::standing(&bench.card(), &hash(&program(2))), Standing::Nothing);
        let left = bench.tree().into_keys().filter(|path| {
            let end = path.extension().and_then(|e| e.to_str());
            matches!(end, Some("old" | "new")) || path.ends_with("trial")
        });
        assert_eq!(left.collect::<Vec<_>>(), [bench.card().root().join("mi360d/mi360d.old")]);
        // The same again is nothing to do.
        let package = bench.open(&zipped(&new, deflated)).unwrap();
        let same = update::lay_down(&bench.card(), &package, "9.9.9").unwrap_err();
        assert_eq!(same.code(), "nothing-to-do");
    }
}

#[test]
fn a_program_that_does_not_answer_goes_without_a_trace_wherever_the_power_failed() {
    let paths: Vec<String> = release(2).into_keys().collect();
    // The hook has brought the program back, or nothing came so far; and any number of the
    // files were switched when the power failed.
    for by_hook in [false, true] {
        for switched in 0..=paths.len() {
            let bench = Bench::new();
            let before = bench.tree();
            let package = bench.open(&zipped(&release(2), true)).unwrap();
            update::lay_down(&bench.card(), &package, "0.1.0").unwrap();
            let root = bench.card().root().to_owned();
            for path in &paths[switched..] {
                let old = root.join(format!("{path}.old"));
                if old.exists() && path != PROGRAM {
                    fs::rename(root.join(path), root.join(format!("{path}.new"))).unwrap();
                    fs::copy(&old, root.join(path)).unwrap();
                }
            }
            if by_hook {
                fs::rename(root.join("mi360d/mi360d.old"), root.join(PROGRAM)).unwrap();
                fs::remove_file(root.join(update::TRIAL)).unwrap();
            }
            let standing = update::standing(&bench.card(), &hash(&program(1)));
            assert_eq!(standing, Standing::Failed { to: "9.9.9".into() });
            update::take_back(&bench.card()).unwrap();
            assert!(bench.tree() == before, "{by_hook} {switched}");
            update::take_back(&bench.card()).unwrap();
            assert!(bench.tree() == before, "twice is once");
        }
    }
}

#[test]
fn an_older_release_s_program_is_never_taken_for_the_one_before() {
    let bench = Bench::new();
    bench.put("mi360d/mi360d.old", b"an ancient one");
    let before = bench.tree();
    let mut new = release(2);
    // It fails while it is laid beside: a folder stands where a file is to be.
    new.insert("hacks/ssh-server/x".into(), b"x".to_vec());
    new.remove(update::LISTING);
    new.insert(update::LISTING.into(), listing(&new));
    fs::create_dir_all(bench.card().root().join("hacks/ssh-server/x.new")).unwrap();
    let package = bench.open(&zipped(&new, true)).unwrap();
    update::lay_down(&bench.card(), &package, "0.1.0").unwrap_err();
    let now = bench.tree();
    assert_eq!(
        now.get(&bench.card().root().join(PROGRAM)),
        before.get(&bench.card().root().join(PROGRAM))
    );
}

#[test]
fn a_copy_that_broke_off_never_takes_the_program_s_name() {
    let bench = Bench::new();
    let mut new = release(2);
    new.insert(PROGRAM.into(), program(2)[..60_000].to_vec());
    new.remove(update::LISTING);
    new.insert(update::LISTING.into(), listing(&new));
    let package = bench.open(&zipped(&new, false)).unwrap();
    let before = bench.tree();
    // There is room for the new program, and not for the copy of the old one: a file may have
    // 100,352 bytes. That limit is a process's, so the work is done in one of its own.
    let root = bench.card().root().to_owned();
    let zip = bench.dir.path().join("release.zip");
    drop(package);
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 196; exec \"$0\" --exact lay_down_in_a_process_of_its_own --include-ignored"])
        .arg(std::env::current_exe().unwrap())
        .env("UPDATE_ZIP", &zip)
        .env("UPDATE_CARD", &root)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "it is refused, not taken");
    assert!(bench.tree() == before);
}

#[test]
fn lay_down_in_a_process_of_its_own() {
    let (Some(zip), Some(root)) = (std::env::var_os("UPDATE_ZIP"), std::env::var_os("UPDATE_CARD"))
    else {
        return;
    };
    let package = Package::open(Path::new(&zip), update::PUBLIC_KEY).unwrap();
    let card = Card::folder(Path::new(&root));
    assert!(update::lay_down(&card, &package, "0.1.0").is_err());
}

/// What opening a zip says.
fn refusal(bench: &Bench, zip: &[u8]) -> &'static str {
    bench.open(zip).map_or_else(|e| e.code().name(), |_| "taken")
}

#[test]
fn what_is_no_whole_release_is_refused_with_its_reason() {
    let bench = Bench::new();
    let before = bench.tree();
    let with = |change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>)| {
        let mut all = release(2);
        change(&mut all);
        refusal(&bench, &zipped(&all, true))
    };
    assert_eq!(with(&|_| {}), "taken");
    assert_eq!(refusal(&bench, b""), "no-release");
    assert_eq!(refusal(&bench, &program(1)), "no-release");
    assert_eq!(with(&|all| drop(all.remove(update::LISTING))), "no-release");
    assert_eq!(with(&|all| drop(all.remove("manu_test/manu.sh"))), "release-damaged");
    assert_eq!(with(&|all| drop(all.insert("x".into(), vec![1]))), "release-damaged");
    assert_eq!(with(&|all| all.get_mut(PROGRAM).unwrap()[70_000] ^= 1), "release-damaged");
    let listed = |path: &str, bytes: Vec<u8>| {
        with(&|all| {
            all.remove(update::LISTING);
            all.insert(path.into(), bytes.clone());
            all.insert(update::LISTING.into(), listing(all));
        })
    };
    assert_eq!(
        listed(PROGRAM, b"\x7fELF\x02\x01\x01 a program of a PC's".to_vec()),
        "release-other-machine"
    );
    for place in ["../mi360d/x", "mi360d/backups/0001-01234567/chip.bin", "mi360d/state/password"] {
        assert_eq!(listed(place, vec![1]), "no-release", "{place}");
    }
    assert!(bench.tree() == before);
}

#[test]
fn a_zip_that_broke_off_or_was_altered_anywhere_is_never_taken_for_another_release() {
    let bench = Bench::new();
    let whole = zipped(&release(2), true);
    for cut in (0..whole.len()).step_by(997) {
        assert_ne!(refusal(&bench, &whole[..cut]), "taken", "cut at {cut}");
    }
    let mut state = 7u32;
    for _ in 0..300 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = state as usize % whole.len();
        let mut altered = whole.clone();
        altered[at] ^= 1 << (state >> 29);
        // Dates and the like may be altered: then all that counts is the same.
        if let Ok(package) = bench.open(&altered) {
            assert!(package.listing == listing(&files(2)), "at {at}");
        }
    }
}

#[test]
fn a_file_that_unpacks_to_more_than_it_says_is_damage_and_takes_no_room() {
    let bench = Bench::new();
    let mut all = release(2);
    all.insert("hacks/ssh-server/bomb".into(), vec![0; 8 << 20]);
    all.remove(update::LISTING);
    all.insert(update::LISTING.into(), listing(&all));
    let mut zip = zipped(&all, true);
    // The list says 10 bytes of it.
    let long = (8u32 << 20).to_le_bytes();
    let at = zip.windows(4).rposition(|four| four == long).unwrap();
    zip[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
    assert_eq!(refusal(&bench, &zip), "release-damaged");
    all.insert("hacks/ssh-server/bomb".into(), vec![0; 40 << 20]);
    all.remove(update::LISTING);
    all.insert(update::LISTING.into(), listing(&all));
    assert_eq!(refusal(&bench, &zipped(&all, true)), "no-release", "too much in all");
}
