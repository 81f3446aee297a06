//! Situations and wishes for the table of decisions: what a plan is decided from, made by hand.

use std::path::PathBuf;
use std::sync::Arc;

use crate::synthetic;
use mi360d::card::CardState;
use mi360d::chip::FlashMap;
use mi360d::flash::decide::{Plan, decide};
use mi360d::flash::facts::{
    CardFacts, Chosen, Compared, Facts, Left, OwnFacts, PartFacts, Settings, SourceFacts,
};
use mi360d::flash::plan::Block;
use mi360d::flash::{Action, Bytes, PartPlan, PlanRequest, PlanSource};
use mi360d::formats::tf;
use mi360d::formats::uimage::Family;
use mi360d::identity::{Judgement, judge};
use mi360d::machine::Obstacles;

pub const MIB: u64 = 1 << 20;
/// What is needed on the card for the usual situation: texts, two copies of the chip, the rescue
/// image.
pub const NEEDED: u64 = MIB + 32 * MIB + tf::BODY + MIB;

/// A situation, and a wish.
pub struct Case {
    pub facts: Facts,
    pub request: PlanRequest,
}

/// The camera's own identity, and another's.
pub fn mine() -> Judgement {
    judge(&synthetic::factory("111111111"))
}

pub fn other() -> Judgement {
    judge(&synthetic::factory("222222222"))
}

pub fn blank() -> Judgement {
    judge(&vec![0xFF; 0x1_0000])
}

/// A partition of an ipc009 of which these blocks differ: one letter for each of the first.
pub fn part(name: &str, letters: &str) -> PartFacts {
    let part = FlashMap::stock("ipc009").unwrap().by_name(name).unwrap().clone();
    let mut letters = letters.chars();
    let blocks = (0..part.blocks()).map(|_| Block {
        action: match letters.next() {
            Some('e') => Action::Erase,
            Some('p') => Action::Program,
            _ => Action::Same,
        },
        sha256: [0; 32],
        old_crc32: 0,
        pages: 1,
    });
    let content = Arc::new(Bytes(Vec::new()));
    let plan = PartPlan { blocks: blocks.collect(), sha256: [0; 32], content, part: part.clone() };
    PartFacts { part, plan: Some(plan), gap: None, is_writable: true, is_protected: false }
}

pub fn chosen(name: &str) -> Chosen {
    let on_chip = part(name, "esp");
    Chosen {
        name: name.to_owned(),
        role: on_chip.part.role,
        is_unlocked: false,
        identity: None,
        on_chip: Some(on_chip),
    }
}

impl Case {
    /// A genuine tf image of the vendor, of which all three partitions differ; a healthy camera, a
    /// good card, and no backup of what the chip holds now.
    pub fn usual() -> Case {
        let source = SourceFacts { is_whole_tf: true, is_genuine: true, ..SourceFacts::default() };
        let own = OwnFacts { identity: mine(), wifi_mac: None, only_saved: None };
        let chosen = ["KERNEL", "ROOTFS", "DATA"].map(chosen).into();
        let nvram = mi360d::formats::flsh::build(&[(b"ssid", b"home")], 0x1_0000).unwrap();
        let config = Some(part("CONFIG", "e"));
        let settings = Settings { is_wanted: true, nvram: Some(nvram), config };
        let request = PlanRequest {
            source: PlanSource::Image(PathBuf::from("tf.img")),
            only: None,
            did: None,
            sha256: None,
        };
        let facts = Facts {
            compared: Compared { source, own, chosen },
            settings: Some(settings),
            loader: vec!["tf_recovery.img"],
            family: Some(Family::I3),
            card: CardFacts {
                state: CardState::Ready { free: NEEDED, total: 64 * MIB },
                held_by: None,
                chip_size: Some(0x100_0000),
                lacks_identity: false,
            },
            obstacles: Obstacles::default(),
            left: Left::Nothing,
            is_device: true,
            page_goes: false,
        };
        Case { facts, request }
    }

    /// A file that is no tf image, with these partitions.
    pub fn dump(&mut self, names: &[&str]) {
        self.facts.compared.source.is_whole_tf = false;
        self.facts.compared.source.is_genuine = false;
        self.choose(names);
    }

    /// A whole backup set with this FACTORY, on the card.
    pub fn set(&mut self, factory: Judgement) {
        self.dump(&["BOOT", "KERNEL", "ROOTFS", "DATA", "CONFIG", "FACTORY"]);
        self.same("FACTORY");
        self.request.source = PlanSource::Set(PathBuf::from("backups/one"));
        self.facts.compared.source.factory = Some(factory);
        self.facts.compared.source.is_on_card = true;
    }

    /// FACTORY of a set, where the camera's own is blank.
    pub fn lost(&mut self, factory: Judgement) {
        self.set(factory);
        self.choose(&["FACTORY"]);
        self.facts.compared.own.identity = blank();
    }

    /// FACTORY of a dump, unlocked.
    pub fn factory(&mut self, factory: Option<Judgement>) {
        self.dump(&["FACTORY"]);
        self.unlock("FACTORY");
        self.facts.compared.chosen[0].identity = factory;
    }

    pub fn choose(&mut self, names: &[&str]) {
        self.facts.compared.chosen = names.iter().map(|name| chosen(name)).collect();
    }

    pub fn unlock(&mut self, name: &str) {
        self.chosen(name).is_unlocked = true;
    }

    pub fn same(&mut self, name: &str) {
        self.part(name).plan = part(name, "").plan;
    }

    pub fn chosen(&mut self, name: &str) -> &mut Chosen {
        self.facts.compared.chosen.iter_mut().find(|chosen| chosen.name == name).unwrap()
    }

    pub fn part(&mut self, name: &str) -> &mut PartFacts {
        self.chosen(name).on_chip.as_mut().unwrap()
    }

    pub fn settings(&mut self) -> &mut Settings {
        self.facts.settings.as_mut().unwrap()
    }

    pub fn free(&mut self, free: u64) {
        self.facts.card.state = CardState::Ready { free, total: 64 * MIB };
    }

    pub fn interrupted(&mut self, names: &[&str]) {
        let partitions = names.iter().map(|name| (*name).to_owned()).collect();
        self.facts.left = Left::Interrupted { partitions };
    }

    pub fn decide(&self) -> Plan {
        decide(&self.facts, &self.request)
    }
}
