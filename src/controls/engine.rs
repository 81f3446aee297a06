//! The controls of one camera: what is known of them, and how they are changed. A change of the
//! same control by the vendor's app arrives by the bus and is shown like one of ours.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::error::ControlError;
use super::events::{Events, Kind};
use super::evidence::{self, Evidence};
use super::motors::{Counter, Motors};
use super::originals::{Originals, Store};
use super::presets::Presets;
use super::table::{Id, Value};
use super::view::{Absent, Document, View};
use crate::base::host;
use crate::vendor::av::{Address, Av, AvError, Volume};
use crate::vendor::mortox::bus::{Bus, BusError, Done, News};
use crate::vendor::mortox::key::{Change, Key, Lamp, Region};

/// From a switch between day and night to the question what it is now.
const SETTLE: Duration = Duration::from_secs(1);
/// How often fetch_av is asked though nothing was heard of it.
const LOOK: Duration = Duration::from_secs(60);
/// How often a waiting client is looked at.
const WANTED: Duration = Duration::from_secs(1);
/// The longest wait for news, and how many wait at once: each holds one of the page's handlers.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
const MOST_WAITERS: usize = 2;
/// The longest pause that putting everything back waits for.
const PATIENCE: Duration = Duration::from_secs(6);
/// A camera whose services were not seen for so long has none.
pub(crate) const NEVER: Duration = Duration::from_secs(60);
/// Stack of the thread.
const STACK: usize = 96 << 10;

/// Where the firmware's programs and sockets are.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The folder that is `/` on a camera.
    pub root: PathBuf,
    /// fetch_av's socket.
    pub av: Address,
    /// How long after our start nothing is seen of them until there are none: [`NEVER`] on a camera.
    pub never: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Controls {
    bus: Arc<Bus>,
    av: Arc<Av>,
    known: Arc<Known>,
    store: Store,
    /// One change at a time: some are several sets. Whether no more are taken.
    turn: Mutex<bool>,
    counter: Arc<Count>,
    began: Instant,
    never: Duration,
    motors: Motors,
    presets: Mutex<Presets>,
    events: Arc<Events>,
}

/// Numbers for commands; see [`Counter`].
#[derive(Debug)]
struct Count(AtomicU32);

impl Counter for Count {
    fn next(&self) -> u32 {
        // Two at a time: some changes need a second number.
        self.0.fetch_add(2, Ordering::Relaxed) & 0x3FFF_FFFF
    }
}

#[derive(Debug)]
struct Known {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    seq: u64,
    waiters: usize,
    evidence: Option<Evidence>,
    originals: Originals,
    /// Whether it is night, as fetch_av said last.
    night: Option<bool>,
    /// When fetch_av is asked next.
    look: Option<Instant>,
    /// The volume that we set since fetch_av was away last.
    volume: Option<(Volume, Instant)>,
    /// Keys whose first change was not echoed.
    unconfirmed: BTreeSet<Key>,
    /// Whether the camera is switched off, by the last word of the firmware.
    off: bool,
    /// The last cells that were not all off.
    region: Option<Region>,
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the bus; on its thread.
    fn hear(&self, news: News<'_>) {
        let mut state = self.state();
        state.seq += 1;
        let now = Instant::now();
        match news {
            News::Connected(true) => state.look = Some(now),
            News::Connected(false) => {
                // What did not work may work with the next one.
                state.unconfirmed.clear();
                state.night = None;
                state.look = None;
            }
            News::Value(key, value) => {
                state.unconfirmed.remove(&key);
                if key == Key::Power {
                    state.off = value == Some("off");
                }
                if matches!(key, Key::NightTime | Key::NightMode | Key::Power) {
                    state.look = Some(now + SETTLE);
                }
                let region = value.filter(|_| key == Key::MotionRegion).and_then(Region::read);
                if let Some(region) = region.filter(|region| region.level() > 0) {
                    state.region = Some(region);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl Controls {
    /// Connects to the firmware; it may start later, and again.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(firmware: Firmware, store: Store, presets: Presets) -> io::Result<Controls> {
        let state = State { originals: store.load(), ..State::default() };
        let known = Arc::new(Known { state: Mutex::new(state), changed: Condvar::new() });
        let events = Arc::new(Events::default());
        let (ears, log) = (Arc::clone(&known), Arc::clone(&events));
        let socket = firmware.root.join("tmp/mortox.socket");
        let bus = Bus::start(socket, move |news| {
            ears.hear(news);
            if let News::Connected(there) = news {
                log.note(if there { Kind::FirmwareBack } else { Kind::FirmwareAway });
            }
        })?;
        events.watch(firmware.root.clone())?;
        let av = Arc::new(Av::new(firmware.av.clone()));
        let watch = Watch {
            bus: Arc::clone(&bus),
            av: Arc::clone(&av),
            known: Arc::clone(&known),
            events: Arc::clone(&events),
            root: firmware.root,
        };
        let thread = std::thread::Builder::new().name("controls".to_owned()).stack_size(STACK);
        thread.spawn(move || watch.run())?;
        // Differs from that of an earlier start.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let counter = AtomicU32::new(clock.subsec_nanos() ^ clock.as_secs() as u32);
        let counter = Arc::new(Count(counter));
        let numbers: Arc<dyn Counter> = counter.clone();
        let motors = Motors::new(Arc::clone(&bus), numbers);
        let presets = Mutex::new(presets);
        let (turn, began, never) = (Mutex::default(), Instant::now(), firmware.never);
        Ok(Controls { bus, av, known, store, turn, counter, began, never, motors, presets, events })
    }

    /// The bus itself, for motors and events.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Ends all threads, and waits for the one that must end politely.
    pub fn stop(&self) {
        self.known.state().stopped = true;
        self.known.changed.notify_all();
        self.bus.stop();
        self.events.stop();
    }

    /// What happened.
    pub fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// The motors.
    ///
    /// # Errors
    /// [`ControlError`] where this firmware has none that can be asked.
    pub fn motors(&self) -> Result<&Motors, ControlError> {
        if !self.bus.is_connected() {
            return Err(BusError::Away.into());
        }
        for key in [Key::MotorCommand, Key::Motor, Key::Track] {
            self.acts_on(key).map_err(|reason| ControlError::Absent { id: "motors", reason })?;
        }
        Ok(&self.motors)
    }

    /// The presets.
    pub fn presets(&self) -> MutexGuard<'_, Presets> {
        self.presets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this firmware acts on a key, and mortoxd took its registration.
    ///
    /// # Errors
    /// Why not.
    pub fn acts_on(&self, key: Key) -> Result<(), String> {
        let state = self.known.state();
        match state.evidence.as_ref().and_then(|evidence| evidence.get(&key)) {
            None => return Err("the firmware was not checked yet".to_owned()),
            Some(found) => found.clone()?,
        }
        if state.unconfirmed.contains(&key) {
            return Err("the camera did not confirm a change".to_owned());
        }
        drop(state);
        let registered = self.bus.held(key).map(drop);
        registered.ok_or_else(|| "mortoxd did not accept the registration".to_owned())
    }

    fn available(&self, id: Id) -> Result<(), String> {
        if id == Id::Volume {
            let answered = self.known.state().night.map(drop);
            return answered.ok_or_else(|| "fetch_av does not answer".to_owned());
        }
        id.needs().into_iter().try_for_each(|key| self.acts_on(key))
    }

    /// All controls, as they are now.
    pub fn list(&self) -> Document {
        let (seq, ready) = {
            let state = self.known.state();
            (state.seq, state.evidence.is_some())
        };
        let connected = self.bus.is_connected() && ready;
        let (mut controls, mut absent) = (Vec::new(), Vec::new());
        for id in Id::ALL.into_iter().filter(|_| connected) {
            match self.available(id) {
                Ok(()) => controls.push(self.view(id)),
                Err(reason) => absent.push(Absent { id: id.name(), reason }),
            }
        }
        Document { connected, seq, controls, absent }
    }

    /// The same, once there is other news than those of `since`. Waits no longer than `wait`, and only
    /// as long as `wanted`.
    pub fn list_after(&self, since: u64, wait: Duration, wanted: &dyn Fn() -> bool) -> Document {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        let mut state = self.known.state();
        if state.waiters < MOST_WAITERS {
            state.waiters += 1;
            while state.seq == since && !state.stopped && Instant::now() < until && wanted() {
                let left = until.saturating_duration_since(Instant::now()).min(WANTED);
                let waited = self.known.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            state.waiters -= 1;
        }
        drop(state);
        self.list()
    }

    /// One control.
    ///
    /// # Errors
    /// [`ControlError`] where this camera does not have it.
    pub fn get(&self, name: &str) -> Result<View, ControlError> {
        let id = self.offered(name)?;
        Ok(self.view(id))
    }

    /// The value of a control that this camera has.
    pub fn value(&self, id: Id) -> Option<Value> {
        self.available(id).ok()?;
        if id == Id::Volume {
            return Some(Value::Number(self.volume().decibels().into()));
        }
        id.shown(&self.bus.value(id.key()?)?)
    }

    /// Whether this camera has it.
    pub fn has(&self, id: Id) -> bool {
        self.bus.is_connected() && self.available(id).is_ok()
    }

    /// The controls that this camera has; none while the firmware cannot be reached.
    pub fn offered_ids(&self) -> Vec<Id> {
        Id::ALL.into_iter().filter(|id| self.has(*id)).collect()
    }

    /// Whether [`Controls::offered_ids`] are all that there will be: not while the firmware's
    /// services restart.
    pub fn is_settled(&self) -> bool {
        let state = self.known.state();
        let is_looked_at = state.evidence.is_some();
        drop(state);
        let never_seen = !is_looked_at && self.began.elapsed() > self.never;
        never_seen || (is_looked_at && self.bus.is_connected())
    }

    /// Whether the camera is switched off, as the firmware said last: also where the control is not
    /// offered, and while the firmware's services restart.
    pub fn is_off(&self) -> bool {
        self.known.state().off
    }

    /// Waits until [`Controls::is_off`] differs from `known`, at most for so long; false where the
    /// controls have ended.
    pub fn wait_off(&self, known: bool, patience: Duration) -> bool {
        let state = self.known.state();
        let same = |state: &mut State| state.off == known && !state.stopped;
        let waited = self.known.changed.wait_timeout_while(state, patience, same);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Whether the picture is that of the night, where that is known.
    pub fn is_night(&self) -> Option<bool> {
        self.known.state().night
    }

    fn volume(&self) -> Volume {
        self.known.state().volume.map_or(Volume::USUAL, |(volume, _)| volume)
    }

    fn offered(&self, name: &str) -> Result<Id, ControlError> {
        let id = Id::of(name).ok_or_else(|| {
            let known: String = name.chars().take(40).filter(|c| !c.is_control()).collect();
            ControlError::Unknown(known)
        })?;
        if !self.bus.is_connected() {
            return Err(BusError::Away.into());
        }
        match self.available(id) {
            Ok(()) => Ok(id),
            Err(reason) => Err(ControlError::Absent { id: id.name(), reason }),
        }
    }

    fn view(&self, id: Id) -> View {
        let mut view = View::of(id);
        let since = |at: Instant| {
            let now = host::seconds()?;
            Some(host::utc(now.saturating_sub(at.elapsed().as_secs())))
        };
        let Some(key) = id.key() else {
            let state = self.known.state();
            view.value = state.volume.map_or(Volume::USUAL, |(volume, _)| volume).decibels().into();
            view.since = state.volume.and_then(|(_, at)| since(at));
            view.changed = state.volume.is_some_and(|(volume, _)| volume != Volume::USUAL);
            return view;
        };
        let shown = |text: &Option<String>| {
            text.as_deref().and_then(|text| id.shown(text)).map_or(Json::Null, Value::json)
        };
        let state = self.known.state();
        let original = state.originals.get(key).cloned();
        let night = state.night;
        drop(state);
        if let Some(held) = self.bus.held(key) {
            view.value = shown(&held.value);
            view.since = since(held.since);
            view.changed = original.as_ref().is_some_and(|original| *original != held.value);
        }
        view.original = original.as_ref().map_or(Json::Null, shown);
        if id == Id::Night {
            view.state = night.map(|night| if night { "night" } else { "day" });
        }
        view
    }

    /// Sets a control, and waits until the firmware confirms it.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn set(&self, name: &str, value: &Json) -> Result<View, ControlError> {
        let id = self.offered(name)?;
        let value = id
            .form()
            .read(value)
            .map_err(|expected| ControlError::Invalid { id: id.name(), expected })?;
        self.put(id, value)?;
        Ok(self.view(id))
    }

    /// Sets a control to a value of its form.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn put(&self, id: Id, value: Value) -> Result<(), ControlError> {
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

    /// What was found out about this firmware, for the facts.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let connected = self.bus.is_connected();
        let of = |id: Id| match self.available(id) {
            _ if !connected => "mortoxd cannot be reached".to_owned(),
            Ok(()) => "is offered".to_owned(),
            Err(reason) => reason,
        };
        Id::ALL.into_iter().map(|id| (id.name(), of(id))).collect()
    }
}

impl Drop for Controls {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread that asks what the bus does not tell.
struct Watch {
    bus: Arc<Bus>,
    av: Arc<Av>,
    known: Arc<Known>,
    events: Arc<Events>,
    root: PathBuf,
}

impl Watch {
    fn run(self) {
        let mut state = self.known.state();
        while !state.stopped {
            let now = Instant::now();
            if self.bus.is_connected() && state.evidence.is_none() {
                drop(state);
                let evidence = evidence::gather(&self.root);
                state = self.known.state();
                state.evidence = Some(evidence);
                state.seq += 1;
                self.known.changed.notify_all();
            } else if state.look.is_some_and(|due| due <= now) {
                state.look = Some(now + LOOK);
                drop(state);
                let night = self.av.is_night();
                if let Err(e) = &night {
                    log::debug!("{e}");
                }
                state = self.known.state();
                let night = night.ok();
                if state.night != night {
                    if let (Some(before), Some(now)) = (state.night, night)
                        && before != now
                    {
                        self.events.note(if now { Kind::Night } else { Kind::Day });
                    }
                    state.night = night;
                    state.seq += 1;
                    if night.is_none() {
                        state.volume = None;
                    }
                    self.known.changed.notify_all();
                }
            } else {
                let left = state.look.map_or(LOOK, |due| due.saturating_duration_since(now));
                let waited = self.known.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Card;
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

    fn until(controls: &Controls, found: impl Fn(&Document) -> bool) -> Document {
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
        let flipped = |all: &Document| {
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
