//! Hacks as page and API show them, without secret values.

use std::time::Instant;

use serde::Serialize;

use super::error::ManifestError;
use super::hack::Origin;
use super::setting::SettingView;
use super::table::Entry;
use super::unit::ServiceState;

/// One hack.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// `hack`, `original` or `broken`.
    pub origin: Origin,
    /// Whether it can run here at all.
    pub available: bool,
    /// Whether it is to run.
    pub enabled: bool,
    /// Its state.
    pub state: ServiceState,
    /// Why, in words; empty where there is nothing to say.
    pub reason: String,
    /// Seconds in this state.
    pub seconds: u64,
    /// Hacks that it needs.
    pub needs: Vec<String>,
    /// Its programs.
    pub programs: Vec<ProgramView>,
    /// The form.
    pub settings: Vec<SettingView>,
    /// What is wrong with its `hack.toml`.
    pub fault: Option<ManifestError>,
}

/// One program of a hack.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramView {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ServiceState,
    /// Why.
    pub reason: String,
    /// Its process, while there is one.
    pub pid: Option<i32>,
    /// How often it was started.
    pub starts: u64,
    /// Bytes that it printed.
    pub printed: u64,
}

/// One hack in `GET /api/v1/status`.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceBrief {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Its state.
    pub state: ServiceState,
    /// Why.
    pub reason: String,
}

/// What a hack printed.
#[derive(Clone, Debug, Serialize)]
pub struct LogView {
    /// Its id.
    pub id: String,
    /// The last lines, oldest first; where there are several programs, one after the other,
    /// each line with its program in front.
    pub lines: Vec<String>,
    /// The same by program.
    pub programs: Vec<ProgramLog>,
}

/// What one program printed.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramLog {
    /// Its name.
    pub name: String,
    /// The last lines.
    pub lines: Vec<String>,
}

/// One hack, as it is now.
pub fn of(entry: &Entry) -> ServiceView {
    let now = Instant::now();
    let hack = entry.hack();
    let brief = brief(entry);
    let nothing = super::Values::new();
    let values = entry.values.as_ref().unwrap_or(&nothing);
    ServiceView {
        id: brief.id,
        name: brief.name,
        description: hack.about.clone(),
        origin: hack.origin,
        available: !matches!(brief.state, ServiceState::Unavailable | ServiceState::Broken),
        enabled: brief.enabled,
        state: brief.state,
        reason: brief.reason,
        seconds: entry.units.iter().map(|unit| unit.seconds(now)).min().unwrap_or(0),
        needs: hack.needs.clone(),
        programs: entry
            .units
            .iter()
            .map(|unit| ProgramView {
                name: unit.name.clone(),
                state: unit.state(),
                reason: unit.reason.clone(),
                pid: unit.pid(),
                starts: unit.starts,
                printed: unit.tail.printed,
            })
            .collect(),
        settings: hack.settings.iter().map(|setting| setting.view(values)).collect(),
        fault: entry.found.fault.clone(),
    }
}

/// The same in short.
pub fn brief(entry: &Entry) -> ServiceBrief {
    let hack = entry.hack();
    let state = entry.state();
    let worst = entry.units.iter().find(|unit| unit.state() == state && !unit.reason.is_empty());
    let reason = entry
        .broken()
        .or_else(|| hack.unavailable.clone())
        .or_else(|| worst.map(|unit| unit.reason.clone()))
        .unwrap_or_default();
    ServiceBrief {
        id: hack.id.clone(),
        name: hack.name.clone(),
        enabled: entry.enabled(),
        state,
        reason,
    }
}

/// What its programs printed.
pub fn log(entry: &Entry) -> LogView {
    let programs: Vec<ProgramLog> = entry
        .units
        .iter()
        .map(|unit| ProgramLog { name: unit.name.clone(), lines: unit.tail.lines() })
        .collect();
    let lines = match programs.as_slice() {
        [one] => one.lines.clone(),
        several => several
            .iter()
            .flat_map(|program| {
                program.lines.iter().map(move |line| format!("{}: {line}", program.name))
            })
            .collect(),
    };
    LogView { id: entry.hack().id.clone(), lines, programs }
}
