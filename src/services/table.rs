//! All hacks of the card, with what is wanted of each: what `config.toml` says,
//! what they need of each other, and in which order they start and end.

use std::time::Instant;

use super::config::{self, HackConfig, HacksConfig};
use super::find::{find, signature};
use super::found::{Found, Stamp};
use super::hack::{Hack, Origin, Prepare};
use super::setting::{self, Values};
use super::unit::{Around, ServiceState, Unit, Want};
use super::{World, original, process};

/// One hack.
pub struct Entry {
    /// The hack.
    pub found: Found,
    /// What `config.toml` says of it.
    pub config: HackConfig,
    /// The values in force, or what is wrong in `config.toml`.
    pub values: Result<Values, String>,
    /// Its programs.
    pub units: Vec<Unit>,
    /// It is no longer on the card.
    gone: bool,
}

impl Entry {
    /// The hack.
    pub fn hack(&self) -> &Hack {
        &self.found.hack
    }

    /// Whether it is to run.
    pub fn enabled(&self) -> bool {
        match self.hack().origin {
            // Its own file and ours: whichever says no.
            Origin::Original => self.hack().enabled && self.config.enabled != Some(false),
            _ => self.config.enabled.unwrap_or(self.hack().enabled),
        }
    }

    /// What keeps it from running for good.
    pub fn broken(&self) -> Option<String> {
        let fault = self.found.fault.as_ref().map(|fault| format!("hack.toml: {fault}"));
        fault.or_else(|| self.values.as_ref().err().cloned())
    }

    /// Its state as a whole.
    pub fn state(&self) -> ServiceState {
        if self.broken().is_some() {
            return ServiceState::Broken;
        }
        let units = self.units.iter().map(Unit::state).max();
        match units {
            Some(ServiceState::Off) | None if self.hack().unavailable.is_some() => {
                ServiceState::Unavailable
            }
            Some(state) => state,
            None => ServiceState::Off,
        }
    }

    fn is_gone(&self) -> bool {
        self.units.iter().all(Unit::is_gone)
    }

    /// What is wanted, the others aside.
    fn alone(&self) -> Want {
        let hack = self.hack();
        if self.gone || self.broken().is_some() || hack.unavailable.is_some() || !self.enabled() {
            return Want::Off;
        }
        if hack.confirm && self.config.enabled != Some(true) {
            return Want::Wait(
                "it may listen on the network: turn it on here once to confirm".to_owned(),
            );
        }
        Want::Run
    }
}

/// All hacks.
pub struct Table {
    /// The machine.
    pub world: World,
    /// The hacks, by name.
    pub entries: Vec<Entry>,
    /// Why none may run, if so.
    pub held: Option<String>,
    /// Whether all are to end for good.
    pub ending: bool,
    set: HacksConfig,
    seen: Vec<(std::path::PathBuf, Stamp)>,
}

impl Table {
    /// The hacks of a card.
    pub fn new(world: World) -> Table {
        let mut table = Table {
            world,
            entries: Vec::new(),
            held: None,
            ending: false,
            set: HacksConfig::new(),
            seen: Vec::new(),
        };
        table.reload();
        table
    }

    /// Reads the card again: new hacks, other settings, folders that are gone.
    pub fn reload(&mut self) {
        self.seen = signature(&self.world);
        match config::read(&self.world.config) {
            Ok(set) => self.set = set,
            // The previous settings stay in use: a typing error must not turn the camera off.
            Err(reason) => log::warn!("hacks: {reason}; the previous settings stay in use"),
        }
        let now = Instant::now();
        let mut found = find(&self.world);
        for entry in &mut self.entries {
            let at = found.iter().position(|f| f.hack.id == entry.found.hack.id);
            let fresh = at.map(|at| found.remove(at));
            entry.gone = fresh.is_none();
            let Some(fresh) = fresh else { continue };
            if fresh.stamp != entry.found.stamp {
                log::info!("hack '{}' was changed on the card", entry.found.hack.id);
                entry.found = fresh;
                Table::match_units(entry, now);
            }
        }
        for fresh in found {
            let mut entry = Entry {
                found: fresh,
                config: HackConfig::default(),
                values: Ok(Values::new()),
                units: Vec::new(),
                gone: false,
            };
            Table::match_units(&mut entry, now);
            self.entries.push(entry);
        }
        self.entries.sort_by(|a, b| a.found.hack.id.cmp(&b.found.hack.id));
        for i in 0..self.entries.len() {
            self.apply(i);
        }
    }

    /// Whether anything that hacks are read from is not as it was.
    pub fn card_changed(&self) -> bool {
        signature(&self.world) != self.seen
    }

    /// One unit for each program; those that are there continue, or start again.
    fn match_units(entry: &mut Entry, now: Instant) {
        let hack = &entry.found.hack;
        let mut old = std::mem::take(&mut entry.units);
        for program in &hack.programs {
            let unit = match old.iter().position(|unit| unit.name == program.name) {
                Some(at) => {
                    let mut unit = old.remove(at);
                    unit.start_again();
                    unit
                }
                None => Unit::new(&program.name, now),
            };
            entry.units.push(unit);
        }
        for unit in old {
            unit.abandon();
        }
    }

    /// Applies the settings to one hack; a change restarts it.
    fn apply(&mut self, at: usize) {
        let entry = &mut self.entries[at];
        let (config, fault) = match self.set.get(&entry.found.hack.id) {
            None => (HackConfig::default(), None),
            Some(Ok(config)) => (config.clone(), None),
            Some(Err(fault)) => (HackConfig::default(), Some(fault.clone())),
        };
        let values = match (fault, entry.found.hack.origin) {
            (Some(fault), _) => Err(fault),
            (None, Origin::Original) => Ok(original::values(&entry.found.hack)),
            (None, _) => setting::in_force(&entry.found.hack.settings, &config.settings).map_err(
                |(name, reason)| {
                    format!(
                        "config.toml, [hacks.{}.settings], '{name}': {reason}",
                        entry.found.hack.id
                    )
                },
            ),
        };
        if values != entry.values {
            entry.units.iter_mut().for_each(Unit::start_again);
        }
        entry.config = config;
        entry.values = values;
    }

    /// The hack with an id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.hack().id == id && !entry.gone)
    }

    /// What is wanted of each.
    pub fn wants(&self) -> Vec<Want> {
        let alone: Vec<Want> = self.entries.iter().map(Entry::alone).collect();
        let mut wants: Vec<Want> =
            (0..self.entries.len()).map(|at| self.with_needs(at, &alone)).collect();
        // A hack that others need ends last.
        for (at, want) in wants.iter_mut().enumerate() {
            let id = &self.entries[at].hack().id;
            let needed = self.entries.iter().enumerate().any(|(other, entry)| {
                other != at && entry.hack().needs.contains(id) && !entry.is_gone()
            });
            if needed && *want != Want::Run && !self.entries[at].is_gone() {
                *want = Want::Run;
            }
        }
        wants
    }

    fn with_needs(&self, at: usize, alone: &[Want]) -> Want {
        let entry = &self.entries[at];
        if self.ending {
            return Want::Off;
        }
        if alone[at] != Want::Run {
            return alone[at].clone();
        }
        if let Some(reason) = &self.held {
            return Want::Wait(reason.clone());
        }
        if let Some(through) = self.circle(at) {
            return Want::Wait(format!("it needs itself, by way of '{through}'"));
        }
        for need in &entry.hack().needs {
            let Some(other) = self.position(need) else {
                return Want::Wait(format!("needs '{need}', which is not on the card"));
            };
            if alone[other] != Want::Run {
                return Want::Wait(format!("needs '{need}', which is not turned on"));
            }
            if entry.is_gone() && self.entries[other].state() != ServiceState::Running {
                return Want::Wait(format!("waits for '{need}'"));
            }
        }
        Want::Run
    }

    /// The hack in a circle of needs.
    fn circle(&self, start: usize) -> Option<String> {
        let mut seen = vec![false; self.entries.len()];
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            for need in &self.entries[at].hack().needs {
                let Some(other) = self.position(need) else { continue };
                if other == start {
                    return Some(self.entries[at].hack().id.clone());
                }
                if !std::mem::replace(&mut seen[other], true) {
                    next.push(other);
                }
            }
        }
        None
    }

    /// Looks at every program once; whether any of them printed much.
    pub fn tick(&mut self) -> bool {
        let now = Instant::now();
        let wants = self.wants();
        let mut printed = 0;
        let nothing = Values::new();
        for (entry, want) in self.entries.iter_mut().zip(&wants) {
            let values = entry.values.as_ref().unwrap_or(&nothing);
            let hack = &entry.found.hack;
            for (unit, program) in entry.units.iter_mut().zip(&hack.programs) {
                let before = unit.tail.printed;
                unit.tick(want, &Around { hack, program, values, world: &self.world, now });
                printed += unit.tail.printed - before;
            }
        }
        self.entries.retain(|entry| !(entry.gone && entry.is_gone()));
        printed > 16 << 10
    }

    /// Other SSH keys are on the card: who runs gets them, who waits starts.
    pub fn keys_changed(&mut self) {
        for entry in &mut self.entries {
            if entry.found.hack.prepare != Some(Prepare::Ssh) {
                continue;
            }
            if let Err(e) = super::ssh::renew_keys(&self.world) {
                log::warn!("the SSH keys cannot be updated: {e}");
            }
            let stuck = entry.units.iter_mut().filter(|unit| unit.state() == ServiceState::Pausing);
            stuck.for_each(Unit::start_again);
        }
    }

    /// Whether nothing runs any more.
    pub fn all_gone(&self) -> bool {
        self.entries.iter().all(Entry::is_gone)
    }

    /// Whether anything runs or is being waited for.
    pub fn is_busy(&self) -> bool {
        let busy = |state| {
            !matches!(state, ServiceState::Off | ServiceState::Unavailable | ServiceState::Broken)
        };
        self.entries.iter().any(|entry| busy(entry.state()) || !entry.is_gone())
    }

    /// Ends, at the start, what an earlier run of this program left behind.
    pub fn clear_strays(&self) {
        let strays = process::strays(&self.world.run, true);
        if !strays.is_empty() {
            log::warn!("{} programs of an earlier start were ended", strays.len());
            process::signal_all(&strays, nix::sys::signal::Signal::SIGKILL);
        }
    }
}
