//! The rescue image between this program and the vendor's: kept from the renamers while a flash is
//! open, put back where they got at it, and nothing of it left behind that the owner did not bring.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use mi360d::backup::Silent;
use mi360d::camera::flashing::{Flashed, WhatCame};
use mi360d::chip::Partition;
use mi360d::flash::{BlockState, Step, Watch};
use mi360d::machine::Prepared;

use crate::rig::{Bench, flash, image, resume, six_blocks};

const NAME: &str = "tf_recovery.img";
const BAK: &str = "tf_recovery.img.bak";

/// Files on the card: their names and what they hold.
type Put<'a> = &'a [(&'a str, &'a [u8])];

/// The two files by which the renamers are kept off: on the card and in memory.
fn marks(bench: &Bench) -> [PathBuf; 2] {
    [bench.card(), bench.path().to_owned()].map(|top| top.join("manu_test/update.txt"))
}

/// A flash that was cut in its middle.
fn cut(bench: &Bench) -> Vec<u8> {
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let cut = flash(&bench.camera("cut@300"), &image(&path)).unwrap();
    assert!(cut.error.is_some());
    tf
}

/// What the card's top folder holds of the image, under any name.
fn images(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.card()).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("tf_"));
    names.sort();
    names
}

#[test]
fn the_renamers_are_kept_off_while_a_flash_is_open_and_not_a_moment_longer() {
    let bench = Bench::new();
    cut(&bench);
    assert!(marks(&bench).iter().all(|mark| mark.exists()));
    // Memory is empty after a power cut: a start keeps the first renamer off again.
    fs::remove_file(&marks(&bench)[1]).unwrap();
    bench.camera("").keep_renamers_off();
    assert!(marks(&bench).iter().all(|mark| mark.exists()));
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
    assert!(!marks(&bench).iter().any(|mark| mark.exists()));
    bench.camera("").keep_renamers_off();
    assert!(!marks(&bench).iter().any(|mark| mark.exists()), "no flash is open");
    // The power goes right after the journal has closed.
    fs::write(&marks(&bench)[0], "").unwrap();
    let bench = Bench::new();
    cut(&bench);
    let mark = fs::read(&marks(&bench)[0]).unwrap();
    resume(&bench.camera("")).unwrap();
    fs::write(&marks(&bench)[0], mark).unwrap();
    bench.camera("").remove_leftovers();
    assert!(!marks(&bench)[0].exists());
}

#[test]
fn what_the_owner_has_under_these_names_stays_as_it_is() {
    let bench = Bench::new();
    fs::create_dir_all(bench.card().join("manu_test")).unwrap();
    let own = b"mine\n";
    fs::write(&marks(&bench)[0], own).unwrap();
    // The owner's own copy of the same image, renamed by an earlier start.
    fs::write(bench.card().join(BAK), six_blocks()).unwrap();
    cut(&bench);
    assert_eq!(fs::read(&marks(&bench)[0]).unwrap(), own);
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
    assert_eq!(fs::read(&marks(&bench)[0]).unwrap(), own);
    assert_eq!(images(&bench), [BAK]);
    // One that is not this flash's image is the owner's too, whenever it came.
    let bench = Bench::new();
    cut(&bench);
    fs::write(bench.card().join(BAK), b"another").unwrap();
    resume(&bench.camera("")).unwrap();
    assert_eq!(fs::read(bench.card().join(BAK)).unwrap(), b"another");
    assert_eq!(images(&bench), [BAK]);
}

#[test]
fn an_image_that_a_renamer_got_at_is_put_back_while_the_camera_waits() {
    let bench = Bench::new();
    let tf = cut(&bench);
    let (name, bak) = (bench.card().join(NAME), bench.card().join(BAK));
    fs::rename(&name, &bak).unwrap();
    bench.camera("").look_after_rescue();
    assert!(fs::read(&name).unwrap() == tf);
    assert_eq!(images(&bench), [NAME], "the renamed one got its name back");
    fs::remove_file(&name).unwrap();
    bench.camera("").look_after_rescue();
    assert!(fs::read(&name).unwrap() == tf, "copied again");
    resume(&bench.camera("")).unwrap();
    bench.camera("").look_after_rescue();
    assert_eq!(images(&bench), [""; 0], "no flash is open: the boot loader would write it again");
}

/// Renames the image at the first block that is written, as a renamer that starts just then.
struct Renamer {
    card: PathBuf,
    seen: Mutex<Vec<(Step, bool)>>,
}

impl Watch for Renamer {
    fn step(&self, step: Step, _partition: Option<&Partition>) {
        self.seen.lock().unwrap().push((step, self.card.join(NAME).exists()));
    }

    fn block(&self, _partition: &Partition, _number: u32, state: BlockState) {
        let (name, bak) = (self.card.join(NAME), self.card.join(BAK));
        if state == BlockState::Active && name.exists() && !bak.exists() {
            fs::rename(name, bak).unwrap();
        }
    }

    fn progress(&self, _done: u32, _total: u32) {}
}

#[test]
fn a_renamer_that_starts_in_the_middle_of_a_flash_does_not_cost_the_way_back() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let camera = bench.camera("");
    let phrase = camera.plan(&image(&path), &Silent).unwrap().plan.confirm;
    let renamer = Renamer { card: bench.card(), seen: Mutex::default() };
    let done = camera.flash(&image(&path), phrase.as_deref(), &renamer, &Silent).unwrap();
    assert_eq!(done.outcome, WhatCame::Done);
    let seen = renamer.seen.lock().unwrap();
    let proving: Vec<bool> =
        seen.iter().filter(|(step, _)| *step == Step::Proving).map(|(_, there)| *there).collect();
    assert!(!proving.is_empty() && proving.iter().all(|there| *there), "{seen:?}");
    assert_eq!(images(&bench), [""; 0], "neither the image nor what was renamed");
}

#[test]
fn a_power_cut_anywhere_in_placing_renaming_and_tidying_leaves_a_card_that_ends_clean() {
    let bench = Bench::new();
    let tf = cut(&bench);
    let state = ["flash.toml", "flash.journal"].map(|name| {
        let path = bench.home().join("state").join(name);
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    let [mark, _] = marks(&bench);
    let text = fs::read(&mark).unwrap();
    let at = |name: &str| bench.card().join(name);
    let half = &tf[..tf.len() / 2];
    let cases: [(&str, Put<'_>); 7] = [
        ("half copied", &[("tf_recovery.img.new", half)]),
        ("renamed", &[(BAK, &tf)]),
        ("renamed and copied again", &[(BAK, &tf), (NAME, &tf)]),
        ("renamed by a torn rename", &[(BAK, b""), (NAME, &tf)]),
        ("gone", &[]),
        ("a mark with no content", &[(NAME, &tf), ("manu_test/update.txt", b"")]),
        ("a mark that has no name yet", &[(NAME, &tf), ("manu_test/update.txt.new", &text)]),
    ];
    for (what, put) in cases {
        for name in [NAME, BAK, "tf_recovery.img.new", "manu_test/update.txt"] {
            let _ = fs::remove_file(at(name));
        }
        for (path, bytes) in &state {
            fs::write(path, bytes).unwrap();
        }
        for (name, bytes) in put {
            fs::write(at(name), bytes).unwrap();
        }
        assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done, "{what}");
        bench.camera("").remove_leftovers();
        let left: Vec<String> = images(&bench)
            .into_iter()
            // An empty `.bak` is no image of ours, as far as can be told.
            .filter(|name| fs::metadata(at(name)).unwrap().len() > 0)
            .collect();
        assert_eq!(left, [""; 0], "{what}");
        assert!(!mark.exists(), "{what}");
    }
}

/// A machine that notes what becomes of it.
struct Noted<'a>(&'a Mutex<Vec<&'static str>>);

impl Noted<'_> {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl Prepared for Noted<'static> {
    fn beat(&self) {}
    fn nvram(&self) -> Option<Vec<u8>> {
        None
    }
    fn reboot(&self) {
        self.note("reboot");
    }
    fn restarts(&self) -> bool {
        true
    }
    fn hold(self: Box<Self>) {
        self.note("hold");
    }
    fn call_off(self: Box<Self>) -> bool {
        self.note("call off");
        true
    }
}

#[test]
fn what_was_ended_comes_back_where_the_chip_is_as_it_was_and_nowhere_else() {
    let cases =
        [(WhatCame::Done, "reboot"), (WhatCame::Unchanged, "call off"), (WhatCame::Partly, "hold")];
    for (outcome, wanted) in cases {
        let noted: &'static Mutex<Vec<&'static str>> = Box::leak(Box::default());
        let ready: Box<dyn Prepared> = Box::new(Noted(noted));
        let flashed = Flashed { outcome, ready: Some(ready), ..Flashed::unchanged() };
        assert!(!flashed.conclude(true));
        assert_eq!(*noted.lock().unwrap(), [wanted], "{outcome:?}");
    }
}
