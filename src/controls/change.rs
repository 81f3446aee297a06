//! Changes of the controls: set, confirmed, kept as they were before, and put back.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::engine::Controls;
use super::error::ControlError;
use super::motors::Counter as _;
use super::table::{Id, Value};
use super::view::View;
use crate::vendor::av::{AvError, Volume};
use crate::vendor::mortox::change::Change;
use crate::vendor::mortox::key::Key;
use crate::vendor::mortox::shared::{BusError, Done};
use crate::vendor::mortox::value::{Lamp, Region};

/// How long a change waits for the connection to the firmware.
const REACH: Duration = Duration::from_secs(3);
/// The longest pause that putting everything back waits for.
const PATIENCE: Duration = Duration::from_secs(6);

impl Controls {
    /// Sets a control, and waits until the firmware confirms it.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn set(&self, name: &str, value: &Json) -> Result<View, ControlError> {
        self.reach();
        let id = self.offered(name)?;
        let value = id
            .form()
            .read(value)
            .map_err(|expected| ControlError::Invalid { id: id.name(), expected })?;
        self.put(id, value)?;
        Ok(self.view(id))
    }

    /// Waits for the firmware's services, if they were there before.
    fn reach(&self) {
        let was_there = self.known.state().evidence.is_some();
        if was_there {
            self.bus.reach(REACH);
        }
    }

    /// Sets a control to a value of its form.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn put(&self, id: Id, value: Value) -> Result<(), ControlError> {
        self.reach();
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if *turn {
            return Err(ControlError::Uninstalled);
        }
        self.offered(id.name())?;
        let Some(key) = id.key() else {
            let Value::Number(decibels) = value else { return Ok(()) };
            return Volume::new(decibels).map_or(Ok(()), |volume| self.set_volume(volume));
        };
        // Not known is not the same as unset: what is put back one day must have been there.
        let now = self.bus.held(key).ok_or(BusError::Away)?.value;
        if let Some(text) = &now
            && Change::read(key, text).is_none()
        {
            return Err(ControlError::NotUnderstood { id: id.name() });
        }
        let changes = id.changes(value, self.region(now.as_deref()), self.counter.next());
        if changes.first().is_some_and(|first| Some(first.value()) == now) {
            return Ok(());
        }
        self.note(key, now)?;
        changes.into_iter().try_for_each(|change| self.send(change))?;
        log::info!("control '{}' was changed", id.name());
        Ok(())
    }

    /// The cells as they are, or as they were before they were all switched off.
    fn region(&self, now: Option<&str>) -> Region {
        let now = now.and_then(Region::read).filter(|region| region.level() > 0);
        now.or(self.known.state().region).unwrap_or_else(|| Region::all(0))
    }

    fn set_volume(&self, volume: Volume) -> Result<(), ControlError> {
        self.av.set_volume(volume).map_err(|error| match error {
            AvError::TooSoon(left) => BusError::TooSoon(left).into(),
            other => ControlError::from(other),
        })?;
        let mut state = self.known.state();
        state.volume = Some((volume, Instant::now()));
        state.seq += 1;
        drop(state);
        self.known.changed.notify_all();
        Ok(())
    }

    /// Keeps what was before, once.
    fn note(&self, key: Key, now: Option<String>) -> Result<(), ControlError> {
        let mut state = self.known.state();
        if !state.originals.note(key, now) {
            return Ok(());
        }
        let saved = self.store.save(&state.originals);
        if saved.is_err() {
            state.originals.forget(key);
        }
        Ok(saved?)
    }

    fn send(&self, change: Change) -> Result<(), ControlError> {
        let sent = self.bus.set(change);
        self.confirmed(change.key(), sent)
    }

    fn confirmed(&self, key: Key, sent: Result<Done, BusError>) -> Result<(), ControlError> {
        if matches!(sent, Err(BusError::Unconfirmed | BusError::Refused(_))) {
            let mut state = self.known.state();
            state.unconfirmed.insert(key);
            state.seq += 1;
        }
        Ok(sent.map(drop)?)
    }

    /// Takes no more changes: what is set from now on would have nobody to put it back.
    pub fn close(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Whether it takes no more changes.
    pub fn is_closed(&self) -> bool {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a control back to what it was before our first change; also one whose change was not
    /// confirmed.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn restore(&self, name: &str) -> Result<View, ControlError> {
        let changed = Id::of(name).filter(|id| self.changed().contains(id));
        let id = changed.map_or_else(|| self.offered(name), Ok)?;
        self.put_back(id)?;
        Ok(self.view(id))
    }

    fn put_back(&self, id: Id) -> Result<(), ControlError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = id.key() else {
            return self.set_volume(Volume::USUAL);
        };
        let Some(original) = self.known.state().originals.get(key).cloned() else {
            return Ok(());
        };
        match &original {
            None => {
                let unset = self.bus.unset(key);
                self.confirmed(key, unset)?;
            }
            Some(text) => {
                let change =
                    Change::read(key, text).ok_or(ControlError::NotUnderstood { id: id.name() })?;
                self.send(change)?;
            }
        }
        if id == Id::Led {
            let lit = original.as_deref() != Some("off");
            let counter = self.counter.next();
            self.send(Change::Lamp { lamp: Lamp::Blue, lit, counter })?;
        }
        let mut state = self.known.state();
        state.originals.forget(key);
        state.seq += 1;
        let saved = self.store.save(&state.originals);
        drop(state);
        self.known.changed.notify_all();
        log::info!("control '{}' is as it was", id.name());
        Ok(saved?)
    }

    /// The controls that mi360d changed.
    pub fn changed(&self) -> Vec<Id> {
        let state = self.known.state();
        let keys: BTreeSet<Key> = state.originals.keys().collect();
        // One for each key.
        let own = |id: &Id| {
            *id != Id::MotionSensitivity && id.key().is_some_and(|key| keys.contains(&key))
        };
        Id::ALL.into_iter().filter(own).collect()
    }

    /// Puts everything back; what could not be, with the reason.
    pub fn restore_all(&self) -> Vec<(Id, ControlError)> {
        let mut failed = Vec::new();
        for id in self.changed() {
            let mut done = self.put_back(id);
            if let Err(ControlError::Bus(BusError::TooSoon(left))) = done {
                std::thread::sleep(left.min(PATIENCE));
                done = self.put_back(id);
            }
            if let Err(e) = done {
                failed.push((id, e));
            }
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::{Firmware, NEVER};
    use super::super::originals::Store;
    use super::super::presets::Presets;
    use super::super::view::ControlsView;
    use super::*;
    use crate::card::Card;
    use crate::vendor::av::Address;
    use crate::vendor::mortox::Mortox;
    use crate::vendor::mortox::wire::Ask;
    use crate::vendor::pretend::Pretend;
    use serde_json::json;

    const LONG: Duration = Duration::from_secs(30);

    struct Rig {
        firmware: Pretend,
        card: tempfile::TempDir,
    }

    impl Rig {
        fn new() -> Rig {
            Rig { firmware: Pretend::start().unwrap(), card: tempfile::tempdir().unwrap() }
        }

        fn controls(&self) -> Controls {
            let firmware = Firmware {
                root: self.firmware.root().to_owned(),
                av: Address::File(self.firmware.av()),
                never: NEVER,
            };
            let store = Store::new(&Card::folder(self.card.path()), "00000001");
            let presets = Presets::load(&Card::folder(self.card.path()), "00000001");
            let controls = Controls::start(firmware, store, presets).unwrap();
            until(&controls, |all| all.controls.len() == Id::ALL.len());
            controls
        }
    }

    fn until(controls: &Controls, found: impl Fn(&ControlsView) -> bool) -> ControlsView {
        let end = Instant::now() + LONG;
        let mut document = controls.list();
        while !found(&document) {
            assert!(Instant::now() < end, "{document:?}");
            document = controls.list_after(document.seq, LONG, &|| Instant::now() < end);
        }
        document
    }

    #[test]
    fn a_change_is_confirmed_kept_and_put_back() {
        let rig = Rig::new();
        let controls = rig.controls();
        for (id, value) in [
            ("flip", json!(true)),
            ("power", json!(false)),
            ("night", json!("night")),
            ("led", json!(false)),
            ("motion-sensitivity", json!("high")),
            ("recording", json!("never")),
            ("volume", json!(-12)),
        ] {
            let view = controls.set(id, &value).unwrap();
            assert_eq!((view.value, view.changed), (value, true), "{id}");
        }
        until(&controls, |all| all.controls.iter().any(|c| c.state == Some("night")));
        // Another start knows what was before.
        drop(controls);
        let controls = rig.controls();
        assert_eq!(controls.changed().len(), 6);
        let view = controls.restore("flip").unwrap();
        assert_eq!((view.value, view.changed, view.original), (json!(false), false, Json::Null));
        assert!(controls.restore_all().is_empty());
        assert!(controls.changed().is_empty());
        assert_eq!(controls.get("night").unwrap().value, json!("auto"));
        assert_eq!(controls.get("motion-sensitivity").unwrap().value, json!("medium"));
    }

    #[test]
    fn an_equal_value_writes_nothing_and_keeps_nothing() {
        let rig = Rig::new();
        let controls = rig.controls();
        for (id, value) in [("flip", json!(false)), ("led", json!(true)), ("night", json!("auto"))]
        {
            assert!(!controls.set(id, &value).unwrap().changed);
        }
        assert_eq!(controls.bus().sets(), 0);
        assert!(controls.changed().is_empty() && !rig.card.path().join("mi360d").exists());
    }

    #[test]
    fn a_change_by_another_program_is_shown_like_ours() {
        let rig = Rig::new();
        let controls = rig.controls();
        let mut app = Mortox::connect(&rig.firmware.root().join("tmp/mortox.socket")).unwrap();
        app.ask(Ask::Set(Change::Watermark(false))).unwrap();
        let flipped = |all: &ControlsView| {
            all.controls.iter().any(|c| c.id == "watermark" && c.value == json!(false))
        };
        let all = until(&controls, flipped);
        let watermark = all.controls.iter().find(|c| c.id == "watermark").unwrap();
        assert!(!watermark.changed, "not by us");
    }

    #[test]
    fn without_a_card_nothing_is_changed() {
        let rig = Rig::new();
        let controls = rig.controls();
        // The folder cannot be made: a file is in its place.
        std::fs::create_dir_all(rig.card.path().join("mi360d")).unwrap();
        std::fs::write(rig.card.path().join("mi360d/state"), b"").unwrap();
        let refused = controls.set("flip", &json!(true)).unwrap_err();
        assert!(matches!(refused, ControlError::Card(_)), "{refused}");
        assert_eq!(controls.bus().sets(), 0);
    }

    #[test]
    fn what_this_firmware_does_not_know_is_absent_with_the_reason() {
        let rig = Rig::new();
        let programs = rig.firmware.root().join("mnt/data/bin");
        std::fs::remove_file(programs.join("miio_record")).unwrap();
        std::fs::write(programs.join("miio_algo"), b"\0night_mode\0motion_region\0").unwrap();
        let firmware = Firmware {
            root: rig.firmware.root().to_owned(),
            av: Address::File(rig.card.path().join("none")),
            never: NEVER,
        };
        let card = Card::folder(rig.card.path());
        let (store, presets) = (Store::new(&card, "00000001"), Presets::load(&card, "00000001"));
        let controls = Controls::start(firmware, store, presets).unwrap();
        let all = until(&controls, |all| all.connected);
        let absent: Vec<&str> = all.absent.iter().map(|absent| absent.id).collect();
        assert_eq!(absent, ["full-color", "recording", "volume"]);
        let error = controls.set("recording", &json!("never")).unwrap_err();
        assert!(error.to_string().contains("no miio_record"), "{error}");
        assert!(controls.facts().contains(&("power", "is offered".to_owned())));
    }
}
