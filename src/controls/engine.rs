//! The controls of one camera: the connection, and what is shown of them. A change of the same
//! control by the vendor's app arrives by the bus and is shown like one of ours.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::error::ControlError;
use super::events::{EventKind, Events};
use super::known::{Known, State, Watch};
use super::motors::{Counter, Motors};
use super::originals::Store;
use super::patrol::Patrol;
use super::presets::Presets;
use super::table::{Id, Value};
use super::view::{Absent, ControlsView, View};
use crate::base::host;
use crate::vendor::av::{Address, Av, Volume};
use crate::vendor::mortox::bus::Bus;
use crate::vendor::mortox::key::Key;
use crate::vendor::mortox::shared::{BusError, News};

/// How often a waiting client is looked at.
const WANTED: Duration = Duration::from_secs(1);
/// The longest wait for news.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
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
    pub(super) bus: Arc<Bus>,
    pub(super) av: Arc<Av>,
    pub(super) known: Arc<Known>,
    pub(super) store: Store,
    /// One change at a time: some are several sets. Whether no more are taken.
    pub(super) turn: Mutex<bool>,
    pub(super) counter: Arc<Count>,
    began: Instant,
    never: Duration,
    motors: Motors,
    presets: Mutex<Presets>,
    patrol: Mutex<Option<Patrol>>,
    events: Arc<Events>,
}

/// Numbers for commands; see [`Counter`].
#[derive(Debug)]
pub(super) struct Count(AtomicU32);

impl Counter for Count {
    fn next(&self) -> u32 {
        // Two at a time: some changes need a second number.
        self.0.fetch_add(2, Ordering::Relaxed) & 0x3FFF_FFFF
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
                log.note(if there { EventKind::FirmwareBack } else { EventKind::FirmwareAway });
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
        let (turn, patrol) = (Mutex::default(), Mutex::default());
        let (began, never) = (Instant::now(), firmware.never);
        Ok(Controls {
            bus,
            av,
            known,
            store,
            turn,
            counter,
            began,
            never,
            motors,
            presets,
            patrol,
            events,
        })
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

    /// The patrol, while there is one. Any other move ends it first, and keeps this lock until it
    /// has begun: then no step of the patrol comes later.
    pub fn patrol(&self) -> MutexGuard<'_, Option<Patrol>> {
        self.patrol.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub fn list(&self) -> ControlsView {
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
        ControlsView { connected, seq, controls, absent }
    }

    /// The same, once there is other news than those of `since`. Waits no longer than `wait`, and only
    /// as long as `wanted`. The caller bounds how many wait.
    pub fn list_after(
        &self,
        since: u64,
        wait: Duration,
        wanted: &dyn Fn() -> bool,
    ) -> ControlsView {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        self.bus.hurry();
        let mut state = self.known.state();
        while state.seq == since && !state.stopped && Instant::now() < until && wanted() {
            let left = until.saturating_duration_since(Instant::now()).min(WANTED);
            let waited = self.known.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
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

    pub(super) fn offered(&self, name: &str) -> Result<Id, ControlError> {
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

    pub(super) fn view(&self, id: Id) -> View {
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
