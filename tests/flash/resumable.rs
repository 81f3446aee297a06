//! The table of decisions about an interrupted flash: what a journal says, and whether it goes on.

use crate::synthetic;
use mi360d::flash::Heals;
use mi360d::flash::journal::{Job, JobNeighbour, JobPart, JobSource};
use mi360d::flash::resumable::{Known, check, goes_on_by_itself, is_own_factory};
use mi360d::identity::{Judgement, judge};

fn part(name: &str, carried: bool) -> JobPart {
    JobPart { name: name.to_owned(), sha256: String::new(), carried }
}

fn parts(names: &[&str]) -> Vec<JobPart> {
    names.iter().map(|name| part(name, false)).collect()
}

fn image(path: &str) -> JobSource {
    JobSource::Image { path: path.to_owned(), sha256: String::new() }
}

fn set(path: &str) -> JobSource {
    JobSource::Set { path: path.to_owned() }
}

fn behind(name: &str) -> JobNeighbour {
    JobNeighbour { name: name.to_owned(), sha256: String::new(), set: "one".to_owned() }
}

/// A journal, and what is known of the camera that reads it.
struct Case {
    job: Job,
    is_device: bool,
    unlocked: Vec<String>,
    has_backup: bool,
}

fn usual() -> Case {
    let job = Job {
        format: 1,
        id: "0".to_owned(),
        identity: "12345678".to_owned(),
        before: "one".to_owned(),
        heals: Heals::BootLoader,
        rescue: Some("tf_recovery.img".to_owned()),
        owners_bak: false,
        owners_mark: false,
        wifi: None,
        source: image("mi360d/images/tf.img"),
        protected: Vec::new(),
        neighbours: vec![behind("FACTORY")],
        partitions: [part("CONFIG", true)]
            .into_iter()
            .chain(parts(&["DATA", "ROOTFS", "KERNEL"]))
            .collect(),
    };
    Case { job, is_device: true, unlocked: Vec::new(), has_backup: true }
}

type Row = (&'static str, fn(&mut Case), Option<&'static str>);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("as it was left", |_| (), None),
    ("an unknown partition", |c| c.job.partitions = parts(&["EVIL"]), Some("no flash writes")),
    ("a partition twice", |c| c.job.partitions = parts(&["DATA", "DATA"]), Some("no flash writes")),
    ("settings kept in DATA", |c| c.job.partitions = vec![part("DATA", true)], Some("settings that are kept")),
    ("another name for the rescue image", |c| c.job.rescue = Some("../u-boot.bin".to_owned()), Some("no boot loader reads")),
    ("no rescue image", |c| c.job.rescue = None, None),
    ("a source above the card", |c| c.job.source = image("../../etc/passwd"), Some("not on the card")),
    ("a source from the root", |c| c.job.source = set("/mnt/data"), Some("not on the card")),
    ("the same on a PC", |c| { c.job.source = set("/home/me/set"); c.is_device = false; }, None),
    ("BOOT is behind nothing", |c| c.job.neighbours = vec![behind("BOOT")], Some("takes along")),
    ("an unknown partition behind", |c| c.job.neighbours = vec![behind("EVIL")], Some("takes along")),
    ("behind itself", |c| c.job.neighbours = vec![behind("DATA")], Some("takes along")),
    ("behind twice", |c| c.job.neighbours = vec![behind("FACTORY"), behind("FACTORY")], Some("takes along")),
    ("BOOT of an image, locked", |c| c.job.partitions = parts(&["BOOT"]), Some("backups only")),
    ("BOOT of an image, unlocked",
        |c| { c.job.partitions = parts(&["BOOT"]); c.unlocked = vec!["BOOT".to_owned()]; }, None),
    ("FACTORY of an image, where BOOT is unlocked",
        |c| { c.job.partitions = parts(&["FACTORY"]); c.job.neighbours.clear(); c.unlocked = vec!["BOOT".to_owned()]; },
        Some("backups only")),
    ("CONFIG of an image, not kept", |c| c.job.partitions = parts(&["CONFIG"]), Some("backups only")),
    ("BOOT of a set", |c| { c.job.partitions = parts(&["BOOT"]); c.job.source = set("mi360d/backups/one"); }, None),
    ("no backup from before", |c| c.has_backup = false, Some("missing or belongs")),
];

#[test]
fn each_journal_goes_on_or_is_refused_as_the_table_says() {
    for (situation, change, refused) in ROWS {
        let mut case = usual();
        change(&mut case);
        let Case { job, is_device, unlocked, has_backup } = case;
        let known = Known { is_device, unlocked: &unlocked, has_backup };
        let is = check(&job, &known);
        match refused {
            None => assert_eq!(is, Ok(()), "{situation}"),
            Some(why) => assert!(is.is_err_and(|is| is.contains(why)), "{situation}: {is:?}"),
        }
    }
}

#[test]
fn a_torn_factory_is_written_on_only_where_it_can_be_this_cameras() {
    let own = judge(&synthetic::factory("111111111"));
    let other = judge(&synthetic::factory("222222222"));
    let torn = judge(&vec![0xFF; 0x1_0000]);
    let mac = Some("50:ec:50:ab:cd:ef");
    let rows: [(&str, &Judgement, &Judgement, Option<&str>, bool); 9] = [
        ("it is there already", &own, &own, None, true),
        ("the live one is healthy and another", &other, &own, mac, false),
        ("torn, and the WiFi agrees", &own, &torn, mac, true),
        ("torn, and the WiFi is another", &own, &torn, Some("50:ec:50:00:00:01"), false),
        ("torn, and the WiFi does not tell", &own, &torn, None, true),
        ("a blank one over a healthy one", &torn, &own, mac, false),
        ("a blank one over a blank one", &torn, &torn, mac, true),
        ("gone, and the WiFi agrees", &own, &Judgement::missing(), mac, true),
        ("nothing over a healthy one", &Judgement::missing(), &own, None, false),
    ];
    for (situation, wanted, live, mac, goes_on) in rows {
        assert_eq!(is_own_factory(wanted, live, mac), goes_on, "{situation}");
    }
}

#[test]
fn three_starts_go_on_by_themselves() {
    let goes: Vec<bool> = (0..5).map(goes_on_by_itself).collect();
    assert_eq!(goes, [true, true, true, false, false]);
    assert!(!goes_on_by_itself(u8::MAX));
}
