//! What a camera of a synthetic chip knows of itself, and a file split for it.

use std::sync::Arc;

use mi360d::chip::{FlashMap, Role, WINDOW};
use mi360d::formats::uimage::Family;
use mi360d::formats::version::Version;
use mi360d::identity;
use mi360d::identity::Judgement;
use mi360d::image::{Slices, Target};

use crate::synthetic::factory;

/// What a camera of a synthetic chip knows of itself.
pub struct Own {
    pub map: FlashMap,
    pub model: Option<String>,
    pub family: Option<Family>,
    pub identity: Option<Judgement>,
    pub firmware: Option<Version>,
}

impl Own {
    pub fn of(model: &str) -> Own {
        Own {
            map: FlashMap::stock(model).unwrap(),
            model: Some("ipc009".into()), // as the synthetic FACTORY says
            family: Some(Family::I3),
            identity: Some(identity::judge(&factory("123456789"))),
            firmware: None,
        }
    }

    pub fn target(&self) -> Target<'_> {
        Target {
            map: &self.map,
            model: self.model.as_deref(),
            family: self.family,
            identity: self.identity.as_ref(),
            firmware: self.firmware,
            kernel_load: None,
            known: &[],
        }
    }

    pub fn take(&self, bytes: Vec<u8>) -> Slices {
        Slices::of_file(Arc::new(bytes), &self.target()).unwrap()
    }
}

pub fn take(bytes: Vec<u8>) -> Slices {
    Own::of("ipc009").take(bytes)
}

/// Codes of what forbids the partitions that are flashed by default.
pub fn blockers(slices: &Slices) -> Vec<&'static str> {
    let chosen = slices.firmware();
    slices.blockers_of(&chosen).map(|f| f.code).collect()
}

pub fn warnings(slices: &Slices) -> Vec<&'static str> {
    slices.warnings.iter().map(|f| f.code).collect()
}

pub fn names(slices: &Slices) -> Vec<&str> {
    slices.slices.iter().map(|s| s.name.as_str()).collect()
}

/// Each finding has a code, a reason and a hint where the owner can do something.
pub fn assert_refused(slices: &Slices, what: &str) {
    let chosen = slices.firmware();
    let found: Vec<_> = slices.blockers_of(&chosen).collect();
    assert!(!found.is_empty(), "{what} is not refused: {slices:?}");
    for f in found {
        assert!(!f.code.is_empty() && f.reason.ends_with('.'), "{what}: {f:?}");
    }
    assert!(slices.blockers.iter().any(|f| !f.hint.is_empty()), "{what}: {slices:?}");
}

/// All of a slice, window by window.
pub fn read(slices: &Slices, role: Role) -> Vec<u8> {
    let slice = slices.by_role(role).unwrap();
    let mut out = Vec::new();
    let mut window = vec![0; WINDOW as usize];
    for index in 0..slice.size.div_ceil(WINDOW) {
        slices.read_window(slice, index, &mut window).unwrap();
        out.extend_from_slice(&window);
    }
    out
}
