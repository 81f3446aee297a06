//! The thread that supervises all hacks, and the requests to it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::{ManifestError, ServiceError};
use super::hack::Origin;
use super::ptz::{self, Moved, Wish};
use super::setting::Values;
use super::table::Table;
use super::unit::ServiceState;
use super::view::{self, LogView, ServiceBrief, ServiceView};
use super::{World, config, original, process, rtsp, setting};
use crate::sys;

/// Stack of the thread; measured, with room.
const STACK: usize = 256 << 10;
/// The pause between two looks while a program prints much: its speed limit.
const HURRY: Duration = Duration::from_millis(10);
/// How often orphans are searched for.
const REAP: Duration = Duration::from_secs(2);

/// All hacks of a card, looked after. Clones are the same.
#[derive(Clone)]
pub struct Services {
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    news: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Services {
    /// Starts what is to run, and looks after it.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(world: World) -> std::io::Result<Services> {
        if let Err(e) = sys::spawn::adopt_orphans() {
            log::warn!("orphans go to init: {e}");
        }
        let table = Table::new(world);
        table.clear_strays();
        let shared = Arc::new(Shared {
            table: Mutex::new(table),
            news: Condvar::new(),
            thread: Mutex::new(None),
        });
        let looking = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("services".into())
            .stack_size(STACK)
            .spawn(move || look_after(&looking))?;
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Services { shared })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, as the page shows them.
    pub fn list(&self) -> Vec<ServiceView> {
        let table = self.table();
        table.entries.iter().map(view::of).collect()
    }

    /// All of them, in short.
    pub fn brief(&self) -> Vec<ServiceBrief> {
        self.table().entries.iter().map(view::brief).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ServiceError::Unknown`].
    pub fn get(&self, id: &str) -> Result<ServiceView, ServiceError> {
        let table = self.table();
        let at = table.position(id).ok_or_else(|| ServiceError::Unknown(id.to_owned()))?;
        Ok(view::of(&table.entries[at]))
    }

    /// The last lines that its programs printed.
    ///
    /// # Errors
    /// [`ServiceError::Unknown`].
    pub fn log(&self, id: &str) -> Result<LogView, ServiceError> {
        let table = self.table();
        let at = table.position(id).ok_or_else(|| ServiceError::Unknown(id.to_owned()))?;
        Ok(view::log(&table.entries[at]))
    }

    /// Switches a hack on or off, and sets values; what is not said stays. All
    /// of it is checked before any of it is written.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing was changed then.
    pub fn put(
        &self,
        id: &str,
        enabled: Option<bool>,
        settings: &Values,
    ) -> Result<ServiceView, ServiceError> {
        let mut table = self.table();
        let at = table.position(id).ok_or_else(|| ServiceError::Unknown(id.to_owned()))?;
        let entry = &table.entries[at];
        let hack = entry.hack();
        if let Some(fault) = &entry.found.fault {
            return Err(ServiceError::Broken { id: id.to_owned(), fault: fault.clone() });
        }
        if let (Some(true), Some(reason)) = (enabled, &hack.unavailable) {
            return Err(ServiceError::Unavailable { id: id.to_owned(), reason: reason.clone() });
        }
        let wrong = |(name, reason)| ServiceError::Setting { name, reason };
        let settings = &setting::to_keep(&hack.settings, settings).map_err(wrong)?;
        if hack.origin == Origin::Original {
            setting::in_force(&hack.settings, settings).map_err(wrong)?;
            original::put(hack, enabled, settings)?;
            config::store(&table.world.config, id, enabled, &Values::new())?;
        } else {
            // One that its owner mistyped in the file must not keep others from being set.
            setting::in_force(&hack.settings, settings).map_err(wrong)?;
            config::store(&table.world.config, id, enabled, settings)?;
        }
        table.reload();
        self.shared.news.notify_all();
        match table.position(id) {
            Some(at) => Ok(view::of(&table.entries[at])),
            None => Err(ServiceError::Unknown(id.to_owned())),
        }
    }

    /// Starts a hack again.
    ///
    /// # Errors
    /// [`ServiceError`] where it is not there, broken, or not switched on.
    pub fn restart(&self, id: &str) -> Result<ServiceView, ServiceError> {
        let mut table = self.table();
        let at = table.position(id).ok_or_else(|| ServiceError::Unknown(id.to_owned()))?;
        let entry = &mut table.entries[at];
        if let Some(message) = entry.broken() {
            let fault = entry.found.fault.clone().unwrap_or_else(|| {
                ManifestError::new(message, "Correct it, and the hack starts automatically.")
            });
            return Err(ServiceError::Broken { id: id.to_owned(), fault });
        }
        if !entry.enabled() {
            let reason = "it is turned off".to_owned();
            return Err(ServiceError::Unavailable { id: id.to_owned(), reason });
        }
        entry.units.iter_mut().for_each(super::unit::Unit::start_again);
        self.shared.news.notify_all();
        Ok(view::of(entry))
    }

    /// The password of the RTSP server's streams.
    ///
    /// # Errors
    /// [`ServiceError`] where it is not on this card, or the password cannot be had.
    pub fn streams_password(&self) -> Result<String, ServiceError> {
        let unknown = || ServiceError::Unknown(rtsp::ID.to_owned());
        let table = self.table();
        let at = table.position(rtsp::ID).ok_or_else(unknown)?;
        let values = table.entries[at].values.clone().map_err(ServiceError::Config)?;
        let unavailable = |reason| ServiceError::Unavailable { id: rtsp::ID.to_owned(), reason };
        rtsp::password(&table.world.card, &values).map_err(unavailable)
    }

    /// Moves the camera, through the hack that has the motors.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] where it does not run.
    pub fn move_camera(&self, wish: Wish) -> Result<Moved, ServiceError> {
        let table = self.table();
        let id = ptz::HACK;
        let unavailable = |reason: String| ServiceError::Unavailable { id: id.to_owned(), reason };
        let at = table.position(id).ok_or_else(|| {
            unavailable("it is not on the card, and it is needed for the motors".into())
        })?;
        let state = table.entries[at].state();
        if state != ServiceState::Running {
            let brief = view::brief(&table.entries[at]);
            return Err(unavailable(format!("it is not running. {}", brief.reason)));
        }
        ptz::tell(&table.world.run.join(id), wish).map_err(unavailable)
    }

    /// Starts SSH again where it waits for want of a key: other keys are there.
    /// Sessions that are open stay.
    pub fn keys_changed(&self) {
        let mut table = self.table();
        table.keys_changed();
        self.shared.news.notify_all();
    }

    /// Reads the card again, now.
    pub fn reload(&self) {
        self.table().reload();
        self.shared.news.notify_all();
    }

    /// Ends all programs for as long as something else has the camera, and
    /// waits for that; whether all are gone. [`Services::release`] starts them again.
    pub fn hold(&self, reason: &str, patience: Duration) -> bool {
        self.table().held = Some(reason.to_owned());
        self.wait_gone(patience)
    }

    /// Starts again what [`Services::hold`] ended.
    pub fn release(&self) {
        self.table().held = None;
        self.shared.news.notify_all();
    }

    fn wait_gone(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            self.shared.news.notify_all();
            let table = self.table();
            if table.all_gone() {
                return true;
            }
            drop(table);
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends all programs for good, those that are needed last, and the thread.
    pub fn stop(&self) {
        self.table().ending = true;
        self.shared.news.notify_all();
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn look_after(shared: &Shared) {
    let mut table = shared.table.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut card_seen, mut reaped) = (Instant::now(), Instant::now());
    loop {
        let hurry = table.tick();
        let now = Instant::now();
        if now.duration_since(reaped) >= REAP {
            // It reads of every process: nobody who asks for the state is to wait for that.
            drop(table);
            process::reap_orphans();
            table = shared.table.lock().unwrap_or_else(PoisonError::into_inner);
            reaped = now;
            // What was asked for meanwhile is done before there is a pause.
            continue;
        }
        if table.ending && table.all_gone() {
            process::reap_orphans();
            return;
        }
        let pace = table.world.pace;
        // The process that has the camera also uses the card.
        if !table.ending
            && table.held.is_none()
            && now.duration_since(card_seen) >= pace.look_at_card
        {
            if table.card_changed() {
                table.reload();
            }
            card_seen = now;
        }
        let pause = match (hurry, table.is_busy()) {
            (true, _) => HURRY,
            (false, true) => pace.look,
            (false, false) => pace.look_at_card,
        };
        table = shared.news.wait_timeout(table, pause).unwrap_or_else(PoisonError::into_inner).0;
    }
}
