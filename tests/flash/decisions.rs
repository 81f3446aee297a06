//! The table of decisions: a situation and a wish, then what is planned, and what is refused and
//! with which code. Nothing here has a chip or a card: `flash::decide` is pure.

use std::collections::BTreeSet;
use std::path::Path;

use crate::situation::{Case, MIB, NEEDED, blank, mine, other, part};
use mi360d::card::CardState;
use mi360d::flash::decide::{Agreement, agreement, estimate};
use mi360d::flash::facts::Left;
use mi360d::flash::heal::in_order;
use mi360d::formats::uimage::Family;
use mi360d::identity::Judgement;
use mi360d::image::{Finding, Severity};
use mi360d::machine::Obstacles;

/// A row: the situation and the wish, the phrase, what heals a power cut, the rescue image, the order
/// of writing, the codes of what forbids it, the codes of warnings and notes.
struct Row(
    &'static str,
    fn(&mut Case),
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const ALL: &str = "FLASH KERNEL ROOTFS DATA CONFIG";
const ALL_NO_RESCUE: &str = "FLASH KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE";
const ORDER: &str = "CONFIG DATA ROOTFS KERNEL";
const BY_LOADER: &str = "boot-loader";
const BY_PC: &str = "needs-pc";
const REC: &str = "tf_recovery.img";
const UPD: &str = "tf_update.img";
const WIFI: &str = "wifi-carried";
const COLD: &str = "without-rescue";
const COLD_WIFI: &str = "without-rescue wifi-carried";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // The image, and what the boot loader does for it.
    Row("the vendor's image", |_| (), ALL, BY_LOADER, REC, ORDER, "", WIFI),
    Row("all of it is there", |c| { c.same("KERNEL"); c.same("ROOTFS"); c.same("DATA"); },
        "", "itself", REC, "", "", ""),
    Row("KERNEL alone differs", |c| { c.same("ROOTFS"); c.same("DATA"); },
        "FLASH KERNEL", BY_LOADER, REC, "KERNEL", "", ""),
    Row("DATA alone differs", |c| { c.same("KERNEL"); c.same("ROOTFS"); },
        "FLASH DATA CONFIG", "itself", REC, "CONFIG DATA", "", WIFI),
    Row("not known to be genuine", |c| c.facts.compared.source.is_genuine = false,
        ALL_NO_RESCUE, BY_PC, REC, ORDER, "", COLD_WIFI),
    Row("U-Boot names no image", |c| c.facts.loader.clear(),
        ALL_NO_RESCUE, BY_PC, "", ORDER, "", COLD_WIFI),
    Row("U-Boot names both, I3", |c| c.facts.loader = vec![REC, UPD], ALL, BY_LOADER, REC, ORDER, "", WIFI),
    Row("U-Boot names both, I6",
        |c| { c.facts.loader = vec![REC, UPD]; c.facts.family = Some(Family::I6); },
        ALL, BY_LOADER, UPD, ORDER, "", WIFI),
    Row("U-Boot names both, the processor is not known",
        |c| { c.facts.loader = vec![UPD, REC]; c.facts.family = None; },
        ALL, BY_LOADER, REC, ORDER, "", WIFI),
    Row("U-Boot names the one that is unusual", |c| c.facts.loader = vec![UPD],
        ALL, BY_LOADER, UPD, ORDER, "", WIFI),
    Row("two partitions of it", |c| c.choose(&["KERNEL", "ROOTFS"]),
        "FLASH KERNEL ROOTFS WITHOUT RESCUE", BY_PC, "", "ROOTFS KERNEL", "", COLD),
    Row("DATA of it", |c| c.choose(&["DATA"]),
        "FLASH DATA CONFIG", "itself", "", "CONFIG DATA", "", WIFI),
    Row("a file without the trailer", |c| c.facts.compared.source.is_whole_tf = false,
        ALL_NO_RESCUE, BY_PC, "", ORDER, "", COLD_WIFI),
    Row("nothing in it", |c| c.choose(&[]), "", "itself", "", "", "nothing-to-flash", ""),
    Row("nothing in it, and why",
        |c| { c.choose(&[]); c.facts.compared.source.findings = vec![Finding::blocker("erased", "It is.")]; },
        "", "itself", "", "", "erased", ""),
    Row("what the source says is passed on",
        |c| c.facts.compared.source.findings = vec![
            Finding::note("genuine", "It is."), Finding::warning("model-unknown", "It is."),
            Finding::blocker("wrong-model", "It is.")],
        ALL, BY_LOADER, REC, ORDER, "wrong-model", "model-unknown genuine wifi-carried"),
    Row("a partition that the camera does not have", |c| c.chosen("ROOTFS").on_chip = None,
        "FLASH KERNEL DATA CONFIG WITHOUT RESCUE", BY_PC, "", "CONFIG DATA KERNEL", "", COLD_WIFI),
    // BOOT, CONFIG and FACTORY from a file.
    Row("BOOT, locked", |c| c.dump(&["BOOT"]),
        "FLASH BOOT WITHOUT RESCUE", BY_PC, "", "BOOT", "partition-locked", COLD),
    Row("BOOT, unlocked", |c| { c.dump(&["BOOT"]); c.unlock("BOOT"); },
        "FLASH BOOT WITHOUT RESCUE", BY_PC, "", "BOOT", "", COLD),
    Row("BOOT with the vendor's image, unlocked",
        |c| { c.choose(&["BOOT", "KERNEL", "ROOTFS", "DATA"]); c.unlock("BOOT"); },
        "FLASH BOOT KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE", BY_PC, REC,
        "CONFIG DATA ROOTFS KERNEL BOOT", "", COLD_WIFI),
    Row("CONFIG, locked", |c| c.dump(&["CONFIG"]),
        "FLASH CONFIG", "itself", "", "CONFIG", "partition-locked", ""),
    Row("CONFIG and DATA, unlocked", |c| { c.dump(&["DATA", "CONFIG"]); c.unlock("CONFIG"); },
        "FLASH DATA CONFIG", "itself", "", "CONFIG DATA", "", ""),
    Row("FACTORY, locked", |c| c.dump(&["FACTORY"]),
        "FLASH FACTORY", "itself", "", "FACTORY", "partition-locked", ""),
    Row("FACTORY, unlocked: its own", |c| c.factory(Some(mine())),
        "FLASH FACTORY", "itself", "", "FACTORY", "", ""),
    Row("FACTORY, unlocked: another's", |c| c.factory(Some(other())),
        "FLASH FACTORY", "itself", "", "FACTORY", "foreign-identity", ""),
    Row("FACTORY, unlocked: blank", |c| c.factory(Some(blank())),
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-not-healthy", ""),
    Row("FACTORY, unlocked: nothing of one", |c| c.factory(None),
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-not-healthy", ""),
    Row("FACTORY, unlocked, the camera's is blank: nothing tells whose",
        |c| { c.factory(Some(mine())); c.facts.compared.own.identity = blank(); },
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-uncertain", ""),
    // A backup set.
    Row("its own set", |c| c.set(mine()),
        "FLASH BOOT KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE", BY_PC, "",
        "CONFIG DATA ROOTFS KERNEL BOOT", "", COLD),
    Row("DATA of its own set", |c| { c.set(mine()); c.choose(&["DATA"]); },
        "FLASH DATA", "itself", "", "DATA", "", ""),
    Row("another camera's set", |c| c.set(other()),
        "FLASH BOOT KERNEL ROOTFS DATA CONFIG WITHOUT RESCUE", BY_PC, "",
        "CONFIG DATA ROOTFS KERNEL BOOT", "foreign-identity foreign-identity foreign-identity", COLD),
    Row("the firmware of another camera's set", |c| { c.set(other()); c.choose(&["KERNEL", "ROOTFS", "DATA"]); },
        ALL_NO_RESCUE, BY_PC, "", ORDER, "", COLD_WIFI),
    Row("a set whose FACTORY is blank", |c| { c.set(blank()); c.choose(&["FACTORY"]); },
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-not-healthy", ""),
    Row("a set without FACTORY", |c| { c.set(mine()); c.choose(&["CONFIG"]); c.facts.compared.source.factory = None; },
        "FLASH CONFIG", "itself", "", "CONFIG", "partition-locked", ""),
    Row("an unlocked BOOT of another camera's set", |c| { c.set(other()); c.choose(&["BOOT"]); c.unlock("BOOT"); },
        "FLASH BOOT WITHOUT RESCUE", BY_PC, "", "BOOT", "foreign-identity", COLD),
    Row("FACTORY is blank: the WiFi's mac is the set's",
        |c| { c.lost(mine()); c.facts.compared.own.wifi_mac = Some("50:ec:50:ab:cd:ef".to_owned()); },
        "FLASH FACTORY", "itself", "", "FACTORY", "", "identity-own"),
    Row("FACTORY is blank: the WiFi's mac is another",
        |c| { c.lost(mine()); c.facts.compared.own.wifi_mac = Some("50:ec:50:00:00:01".to_owned()); },
        "FLASH FACTORY", "itself", "", "FACTORY", "foreign-identity", ""),
    Row("FACTORY is blank: only this identity was ever saved",
        |c| { c.lost(mine()); c.facts.compared.own.only_saved = mine().identity; },
        "FLASH FACTORY", "itself", "", "FACTORY", "", "identity-own"),
    Row("FACTORY is blank: another one was saved",
        |c| { c.lost(mine()); c.facts.compared.own.only_saved = other().identity; },
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-uncertain", ""),
    Row("FACTORY is blank: nothing tells", |c| c.lost(mine()),
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-uncertain", ""),
    Row("FACTORY is blank: its did was typed",
        |c| { c.lost(mine()); c.request.did = Some("111111111".to_owned()); },
        "FLASH FACTORY", "itself", "", "FACTORY", "", "identity-own"),
    Row("FACTORY is blank: another did was typed",
        |c| { c.lost(mine()); c.request.did = Some("222222222".to_owned()); },
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-uncertain", ""),
    Row("both are blank, and BOOT is the same",
        |c| { c.lost(blank()); c.choose(&["CONFIG"]); c.facts.compared.source.has_live_boot = true; },
        "FLASH CONFIG", "itself", "", "CONFIG", "", ""),
    Row("both are blank, and BOOT is another", |c| { c.lost(blank()); c.choose(&["CONFIG"]); },
        "FLASH CONFIG", "itself", "", "CONFIG", "identity-not-healthy", ""),
    Row("both are gone, and BOOT is the same",
        |c| { c.lost(Judgement::missing()); c.facts.compared.own.identity = Judgement::missing();
              c.facts.compared.source.has_live_boot = true; },
        "FLASH FACTORY", "itself", "", "FACTORY", "identity-not-healthy", ""),
    Row("a set that is not on the card", |c| { c.set(mine()); c.choose(&["DATA"]); c.facts.compared.source.is_on_card = false; },
        "FLASH DATA", "itself", "", "DATA", "set-not-on-card", ""),
    Row("the same on a PC",
        |c| { c.set(mine()); c.choose(&["DATA"]); c.facts.compared.source.is_on_card = false; c.facts.is_device = false; },
        "FLASH DATA", "itself", "", "DATA", "", ""),
    // The WiFi settings.
    Row("settings that are not to be carried", |c| c.settings().is_wanted = false,
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", "wifi-not-carried"),
    Row("settings that cannot be read", |c| c.settings().nvram = None,
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", "wifi-not-carried"),
    Row("a simulated camera without settings", |c| { c.settings().nvram = None; c.facts.is_device = false; },
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", ""),
    Row("settings in another form", |c| c.settings().nvram = Some(b"ssid=home".to_vec()),
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", "wifi-not-carried"),
    Row("settings that are too long", |c| c.settings().config.as_mut().unwrap().part.size = 0x8000,
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", "wifi-not-carried"),
    Row("a camera without CONFIG", |c| c.settings().config = None,
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", ""),
    Row("settings that CONFIG has already", |c| c.settings().config = Some(part("CONFIG", "")),
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "", WIFI),
    Row("CONFIG cannot be read", |c| c.settings().config.as_mut().unwrap().plan = None,
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "chip-read", ""),
    Row("CONFIG has odd erase blocks",
        |c| { let config = c.settings().config.as_mut().unwrap(); config.plan = None; config.part.erase_size = 0; },
        "FLASH KERNEL ROOTFS DATA", BY_LOADER, REC, "DATA ROOTFS KERNEL", "odd-erase-size", ""),
    Row("CONFIG, for the settings, is written by nobody",
        |c| c.settings().config.as_mut().unwrap().is_writable = false,
        ALL, BY_LOADER, REC, ORDER, "read-only-partition", WIFI),
    // The chip.
    Row("KERNEL cannot be compared", |c| { c.part("KERNEL").plan = None; c.part("KERNEL").gap = Some(0x1_0000); },
        "FLASH ROOTFS DATA CONFIG WITHOUT RESCUE", BY_PC, "", "CONFIG DATA ROOTFS", "chip-read", COLD_WIFI),
    Row("KERNEL has a place that cannot be read", |c| c.part("KERNEL").gap = Some(0x1_0000),
        ALL, BY_LOADER, REC, ORDER, "chip-read", WIFI),
    Row("the same, and it stays", |c| { c.same("KERNEL"); c.part("KERNEL").gap = Some(0x1_0000); },
        "FLASH ROOTFS DATA CONFIG", BY_LOADER, REC, "CONFIG DATA ROOTFS", "", WIFI),
    Row("erase blocks that are too large", |c| { let part = c.part("ROOTFS"); part.plan = None; part.part.erase_size = 0x2_0000; },
        "FLASH KERNEL DATA CONFIG WITHOUT RESCUE", BY_PC, "", "CONFIG DATA KERNEL", "odd-erase-size", COLD_WIFI),
    Row("the kernel writes no ROOTFS", |c| c.part("ROOTFS").is_writable = false,
        ALL, BY_LOADER, REC, ORDER, "read-only-partition", WIFI),
    Row("the same, and it stays", |c| { c.same("ROOTFS"); c.part("ROOTFS").is_writable = false; },
        "FLASH KERNEL DATA CONFIG", BY_LOADER, REC, "CONFIG DATA KERNEL", "", WIFI),
    Row("KERNEL is write-protected", |c| c.part("KERNEL").is_protected = true,
        ALL, BY_LOADER, REC, ORDER, "", "protected wifi-carried"),
    // The card, and what is saved on it.
    Row("no card", |c| c.facts.card.state = CardState::Missing, ALL, BY_LOADER, REC, ORDER, "card-missing", WIFI),
    Row("a card that cannot be written", |c| c.facts.card.state = CardState::ReadOnly { free: NEEDED, total: NEEDED },
        ALL, BY_LOADER, REC, ORDER, "card-read-only", WIFI),
    Row("no card, and nothing to do",
        |c| { c.facts.card.state = CardState::Missing; c.choose(&["KERNEL"]); c.same("KERNEL"); },
        "", "itself", "", "", "", ""),
    Row("a byte too little room", |c| c.free(NEEDED - 1), ALL, BY_LOADER, REC, ORDER, "card-full", WIFI),
    Row("less room, and a backup that holds what is there",
        |c| { c.facts.card.held_by = Some("one".to_owned()); c.free(NEEDED - 32 * MIB); },
        ALL, BY_LOADER, REC, ORDER, "", WIFI),
    Row("a byte too little even so",
        |c| { c.facts.card.held_by = Some("one".to_owned()); c.free(NEEDED - 32 * MIB - 1); },
        ALL, BY_LOADER, REC, ORDER, "card-full", WIFI),
    Row("less room, and no rescue image", |c| { c.choose(&["KERNEL"]); c.free(33 * MIB); },
        "FLASH KERNEL WITHOUT RESCUE", BY_PC, "", "KERNEL", "", COLD),
    Row("an image that has to be copied", |c| c.facts.compared.source.to_copy = 1,
        ALL, BY_LOADER, REC, ORDER, "card-full", WIFI),
    Row("a chip whose size is not known", |c| { c.facts.card.chip_size = None; c.free(NEEDED - 1); },
        ALL, BY_LOADER, REC, ORDER, "card-full", WIFI),
    Row("the identity is not saved", |c| c.facts.card.lacks_identity = true,
        ALL, BY_LOADER, REC, ORDER, "identity-not-safe", WIFI),
    Row("there is no identity to save",
        |c| { c.facts.card.lacks_identity = true; c.facts.compared.own.identity = Judgement::missing(); },
        ALL, BY_LOADER, REC, ORDER, "", WIFI),
    // The machine.
    Row("DATA is in use", |c| c.facts.obstacles.data = Some("it is mounted at /mnt".to_owned()),
        ALL, BY_LOADER, REC, ORDER, "data-busy", WIFI),
    Row("DATA is in use, and stays", |c| { c.same("DATA"); c.facts.obstacles.data = Some("it is".to_owned()); },
        "FLASH KERNEL ROOTFS", BY_LOADER, REC, "ROOTFS KERNEL", "", ""),
    Row("another program has the watchdog", |c| c.facts.obstacles.watchdog = Some(("dog".to_owned(), 7)),
        ALL, BY_LOADER, REC, ORDER, "watchdog", WIFI),
    // What an earlier flash left.
    Row("another camera's flash was interrupted", |c| c.facts.left = Left::OtherCameras,
        ALL, BY_LOADER, REC, ORDER, "other-camera", WIFI),
    Row("one of the same partitions was interrupted", |c| c.interrupted(&["KERNEL", "DATA", "CONFIG"]),
        ALL, BY_LOADER, REC, ORDER, "", "replaces-interrupted wifi-carried"),
    Row("one that wrote what is there already", |c| { c.same("ROOTFS"); c.interrupted(&["ROOTFS"]); },
        "FLASH KERNEL DATA CONFIG", BY_LOADER, REC, "CONFIG DATA KERNEL", "", "replaces-interrupted wifi-carried"),
    Row("one of another partition was interrupted", |c| { c.choose(&["DATA"]); c.interrupted(&["DATA", "KERNEL"]); },
        "FLASH DATA CONFIG", "itself", "", "CONFIG DATA", "flash-interrupted", WIFI),
    Row("a journal that is damaged", |c| c.facts.left = Left::Damaged { reason: "it is".to_owned() },
        ALL, BY_LOADER, REC, ORDER, "", "journal-damaged wifi-carried"),
    // The first blocker is the code of the error.
    Row("everything is wrong at once",
        |c| { c.dump(&["BOOT", "KERNEL", "ROOTFS", "DATA"]);
              c.part("KERNEL").plan = None;
              c.part("ROOTFS").is_writable = false;
              c.facts.card.state = CardState::Missing;
              c.facts.card.lacks_identity = true;
              c.facts.obstacles = Obstacles { data: Some(String::new()), watchdog: Some((String::new(), 0)) };
              c.facts.left = Left::OtherCameras; },
        "FLASH BOOT ROOTFS DATA CONFIG WITHOUT RESCUE", BY_PC, "", "CONFIG DATA ROOTFS BOOT",
        "partition-locked chip-read card-missing identity-not-safe read-only-partition data-busy \
         watchdog other-camera", COLD_WIFI),
];

fn codes(findings: &[Finding]) -> String {
    findings.iter().map(|finding| finding.code).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_of_the_table_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    for Row(situation, change, phrase, heals, rescue, order, refused, said) in ROWS {
        let mut case = Case::usual();
        change(&mut case);
        let plan = case.decide();
        let changing = plan.parts.iter().filter(|part| part.changes()).cloned().collect();
        let names: Vec<String> =
            in_order(changing).into_iter().map(|plan| plan.part.name).collect();
        let told: Vec<Finding> = plan.warnings.iter().chain(&plan.notes).cloned().collect();
        let is = [
            plan.confirm.clone().unwrap_or_default(),
            plan.heals.word().to_owned(),
            plan.rescue.unwrap_or_default().to_owned(),
            names.join(" "),
            codes(&plan.blockers),
            codes(&told),
        ];
        let wanted = [phrase, heals, rescue, order, refused, said].map(|text| (*text).to_owned());
        if is != wanted {
            wrong.push(format!("{situation}:\n  is     {is:?}\n  wanted {wanted:?}"));
        }
        // What is refused says why, and what to do.
        let mute = plan.blockers.iter().find(|f| f.reason.is_empty());
        assert!(mute.is_none(), "{situation}: {mute:?}");
        let is_own = |f: &&Finding| !case.facts.compared.source.findings.contains(f);
        let helpless = plan.blockers.iter().filter(is_own).find(|f| f.hint.is_empty());
        assert!(helpless.is_none(), "{situation}: {helpless:?}");
        // Settings go with their partition, or not at all.
        let has_config = plan.parts.iter().any(|part| part.part.name == "CONFIG");
        assert!(plan.carried.is_none() || has_config, "{situation}");
        assert_eq!(plan.carried.is_some(), codes(&plan.notes).contains(WIFI), "{situation}");
    }
    assert!(wrong.is_empty(), "{} rows are decided otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every `Finding::KIND("code"` in the sources below a folder of `src`, without their tests.
fn named(folder: &str, kind: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]").next().unwrap();
        for after in code.split(&format!("Finding::{kind}(")).skip(1) {
            let name = after.trim_start().strip_prefix('"').and_then(|text| text.split('"').next());
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

#[test]
fn no_code_of_a_decision_is_without_a_row() {
    let rows: BTreeSet<&str> =
        ROWS.iter().flat_map(|row| row.6.split(' ').chain(row.7.split(' '))).collect();
    for (kind, at_least) in [("blocker", 17), ("warning", 5), ("note", 2)] {
        let codes = named("flash", kind);
        assert!(codes.len() >= at_least, "only {codes:?} were found");
        let without: Vec<_> = codes.iter().filter(|code| !rows.contains(code.as_str())).collect();
        assert!(without.is_empty(), "{kind}s without a row: {without:?}");
        // Nobody else decides about a flash.
        for folder in ["camera", "machine"] {
            assert_eq!(named(folder, kind), BTreeSet::new(), "src/{folder}");
        }
    }
}

#[test]
fn whatever_forbids_a_source_refuses_its_flash() {
    let all = named("image", "blocker");
    assert!(all.len() > 30, "only {all:?} were found");
    for code in all {
        let mut case = Case::usual();
        let code: &'static str = code.leak();
        case.facts.compared.source.findings = vec![Finding::blocker(code, "It is so.")];
        let plan = case.decide();
        assert_eq!(codes(&plan.blockers), code);
        let refused = agreement(!plan.blockers.is_empty(), plan.confirm.as_deref(), Some(ALL));
        assert_eq!(refused, Agreement::Refused, "{code}");
    }
}

#[test]
fn findings_are_where_their_severity_says() {
    let mut case = Case::usual();
    case.facts.compared.source.findings = vec![
        Finding::warning("b", "It is."),
        Finding::blocker("a", "It is."),
        Finding::note("c", "It is."),
    ];
    let plan = case.decide();
    for (findings, severity) in [
        (&plan.blockers, Severity::Blocker),
        (&plan.warnings, Severity::Warning),
        (&plan.notes, Severity::Note),
    ] {
        assert!(!findings.is_empty() && findings.iter().all(|f| f.severity == severity));
    }
}

#[test]
fn only_the_right_phrase_agrees_and_only_to_what_is_not_refused() {
    use Agreement::{Agreed, NothingToDo, PhraseNeeded, Refused, WrongPhrase};
    let right = Some("FLASH DATA");
    for (is_refused, confirm, phrase, wanted) in [
        (true, right, right, Refused),
        (true, None, right, Refused),
        (true, right, None, Refused),
        (false, None, right, NothingToDo),
        (false, None, None, NothingToDo),
        (false, right, None, PhraseNeeded),
        (false, right, Some(""), WrongPhrase),
        (false, right, Some("flash data"), WrongPhrase),
        (false, right, Some("FLASH DATA WITHOUT RESCUE"), WrongPhrase),
        (false, right, Some("  FLASH DATA\n"), Agreed),
        (false, right, right, Agreed),
    ] {
        let is = agreement(is_refused, confirm, phrase);
        assert_eq!(is, wanted, "{is_refused} {confirm:?} {phrase:?}");
    }
}

#[test]
fn how_long_wifi_is_away_is_said_where_data_is_released() {
    let mut case = Case::usual();
    assert_eq!(case.decide().away_s, None, "the page stays");
    case.facts.page_goes = true;
    let plan = case.decide();
    assert_eq!(plan.away_s, Some(60 + 90 + estimate(&plan.parts).as_secs() + 60));
    case.facts.card.held_by = Some("one".to_owned());
    assert_eq!(case.decide().away_s, Some(60 + estimate(&plan.parts).as_secs() + 60));
    case.same("DATA");
    assert_eq!(case.decide().away_s, None, "DATA stays");
}
