//! One program under supervision: from wanted to running, and back to nothing.
//! Each [`Unit::tick`] looks once and waits for nothing.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde::Serialize;

use super::hack::{Hack, Port, Program, Ready, Restart};
use super::launch::{self, run_dir};
use super::output::Tail;
use super::process::{self, Running};
use super::setting::{Value, Values};
use super::{Pace, World, ports};

/// The state of a program, or of a whole hack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It works.
    Running,
    /// It was started, and is not ready yet.
    Starting,
    /// It ended by itself, and is not to be started again.
    Ended,
    /// It is switched off.
    Off,
    /// It was asked to end.
    Stopping,
    /// It waits for something: another hack, a confirmation, a port.
    Waiting,
    /// It ended, or could not be started; it is tried again after a pause.
    Pausing,
    /// It can never run here.
    Unavailable,
    /// Its `hack.toml`, or its part of `config.toml`, is broken.
    Broken,
}

/// What is wanted of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// That it does not run.
    Off,
    /// That it waits, for this reason.
    Wait(String),
    /// That it runs.
    Run,
}

enum Phase {
    Idle,
    Starting { until: Option<Instant> },
    Running,
    Pausing { until: Instant },
    Stopping { kill_at: Instant },
    Ended,
}

/// One program of a hack.
pub struct Unit {
    /// The program's name.
    pub name: String,
    phase: Phase,
    waiting: bool,
    running: Option<Running>,
    /// A group whose leader is gone, and whose rest is being ended.
    leftover: Option<(Pid, Instant)>,
    since: Instant,
    failures: u32,
    again: bool,
    /// Why it is being stopped, where that is its own fault.
    blame: Option<&'static str>,
    /// Why it is where it is.
    pub reason: String,
    /// How often it was started.
    pub starts: u64,
    /// What it printed.
    pub tail: Tail,
}

/// What a tick works with.
pub struct Around<'a> {
    /// The hack.
    pub hack: &'a Hack,
    /// The program.
    pub program: &'a Program,
    /// The settings in force.
    pub values: &'a Values,
    /// The machine.
    pub world: &'a World,
    /// Now.
    pub now: Instant,
}

impl Unit {
    /// One that does not run.
    pub fn new(name: &str, now: Instant) -> Unit {
        Unit {
            name: name.to_owned(),
            phase: Phase::Idle,
            waiting: false,
            running: None,
            leftover: None,
            since: now,
            failures: 0,
            again: false,
            blame: None,
            reason: String::new(),
            starts: 0,
            tail: Tail::default(),
        }
    }

    /// Its state.
    pub fn state(&self) -> ServiceState {
        match self.phase {
            Phase::Idle if self.leftover.is_some() => ServiceState::Stopping,
            Phase::Idle if self.waiting => ServiceState::Waiting,
            Phase::Idle => ServiceState::Off,
            Phase::Starting { .. } => ServiceState::Starting,
            Phase::Running => ServiceState::Running,
            Phase::Pausing { .. } => ServiceState::Pausing,
            Phase::Stopping { .. } => ServiceState::Stopping,
            Phase::Ended => ServiceState::Ended,
        }
    }

    /// Its process, while there is one.
    pub fn pid(&self) -> Option<i32> {
        self.running.as_ref().map(|running| running.pid().as_raw())
    }

    /// Seconds in this state.
    pub fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }

    /// Whether nothing of it is left.
    pub fn is_gone(&self) -> bool {
        self.running.is_none() && self.leftover.is_none()
    }

    /// Starts it again, at once.
    pub fn start_again(&mut self) {
        self.again = true;
        self.failures = 0;
    }

    /// Ends it without waiting: its program is no longer part of the hack.
    pub fn abandon(&self) {
        if let Some(running) = &self.running {
            running.signal(Signal::SIGKILL);
        }
    }

    fn go(&mut self, phase: Phase, reason: impl Into<String>, now: Instant) {
        self.phase = phase;
        self.reason = reason.into();
        self.since = now;
    }

    /// Looks once. `want` is what is wanted now.
    pub fn tick(&mut self, want: &Want, around: &Around<'_>) {
        let now = around.now;
        if let Some(running) = &mut self.running {
            running.read(&mut self.tail);
        }
        self.clear_leftover(around);
        self.notice_end(around);
        if self.again && self.running.is_none() {
            self.again = false;
            if !matches!(self.phase, Phase::Stopping { .. }) {
                self.go(Phase::Idle, "", now);
            }
        }
        match want {
            Want::Run if self.again => self.stop(around, "is being restarted"),
            Want::Run => self.run(around),
            Want::Off => {
                self.stop(around, "is being turned off");
                self.rest(false, "", now);
            }
            Want::Wait(reason) => {
                self.stop(around, reason);
                self.rest(true, reason, now);
            }
        }
    }

    /// Tells a running program to end, and ends it if it does not.
    fn stop(&mut self, around: &Around<'_>, why: &str) {
        let now = around.now;
        let Some(running) = &self.running else { return };
        match self.phase {
            Phase::Stopping { kill_at } if now >= kill_at => {
                running.signal(Signal::SIGKILL);
                self.tail.say("[mi360d] KILL: it did not end on TERM".to_owned());
                self.phase = Phase::Stopping { kill_at: now + Duration::from_secs(1) };
            }
            Phase::Stopping { .. } => {}
            _ => {
                running.signal(Signal::SIGTERM);
                let kill_at = now + around.world.pace.stop(around.program.stop);
                self.go(Phase::Stopping { kill_at }, why, now);
            }
        }
    }

    /// Nothing runs, and nothing shall.
    fn rest(&mut self, waiting: bool, reason: &str, now: Instant) {
        if self.running.is_none() {
            self.failures = 0;
            let rests = matches!(self.phase, Phase::Idle) && self.waiting == waiting;
            if !rests || self.reason != reason {
                self.waiting = waiting;
                self.go(Phase::Idle, reason, now);
            }
        }
    }

    fn notice_end(&mut self, around: &Around<'_>) {
        let Some(running) = &mut self.running else { return };
        let Some(status) = running.ended() else { return };
        let now = around.now;
        running.read(&mut self.tail);
        let group = running.pid();
        running.signal(Signal::SIGTERM);
        let took = self.since;
        let stopping = matches!(self.phase, Phase::Stopping { .. });
        let how = process::words(status);
        self.tail.close();
        self.tail.say(format!("[mi360d] {how}"));
        self.running = None;
        // A process that left its group is found by the mark in its environment.
        let strays = process::strays(&run_dir(around.world, &around.hack.id), false);
        if around.hack.programs.len() == 1 {
            process::signal_all(&strays, Signal::SIGTERM);
        }
        self.leftover = Some((group, now + around.world.pace.stop(around.program.stop)));
        if stopping {
            match self.blame.take() {
                Some(blame) => self.pause(blame, around),
                None => self.go(Phase::Idle, "", now),
            }
            return;
        }
        let lived = now.saturating_duration_since(took);
        if lived >= around.world.pace.good_after {
            self.failures = 0;
        }
        let again = match around.program.restart {
            Restart::Always => true,
            Restart::OnFailure => !status.success(),
            Restart::Never => false,
        };
        if again {
            self.pause(&format!("{how} after {} s", lived.as_secs()), around);
        } else {
            self.go(Phase::Ended, how, now);
        }
    }

    /// Waits before the next try, longer each time.
    fn pause(&mut self, why: &str, around: &Around<'_>) {
        let pause = around.world.pace.pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        let reason = format!("{why}; again in {} s", pause.as_secs());
        if self.failures <= 3 || self.failures.is_multiple_of(32) {
            log::warn!("{}: {reason}", self.name);
        }
        self.go(Phase::Pausing { until: around.now + pause }, reason, around.now);
    }

    /// Ends what the leader left: its group, and processes that left the group.
    fn clear_leftover(&mut self, around: &Around<'_>) {
        let Some((group, kill_at)) = self.leftover else { return };
        let alone = around.hack.programs.len() == 1;
        let strays = if alone {
            process::strays(&run_dir(around.world, &around.hack.id), false)
        } else {
            Vec::new()
        };
        let lives = process::group_lives(group);
        if !lives && strays.is_empty() {
            self.leftover = None;
        } else if around.now >= kill_at {
            let _ = nix::sys::signal::killpg(group, Signal::SIGKILL);
            process::signal_all(&strays, Signal::SIGKILL);
        }
    }

    fn run(&mut self, around: &Around<'_>) {
        let now = around.now;
        match self.phase {
            Phase::Idle => self.start(around),
            Phase::Pausing { until } if now >= until => self.start(around),
            Phase::Starting { until } => {
                if is_ready(around) {
                    self.go(Phase::Running, "", now);
                } else if until.is_some_and(|until| now >= until) {
                    let reason = match &around.program.ready {
                        Ready::Port { .. } => "did not listen on its port in time",
                        _ => "was not ready in time",
                    };
                    self.tail.say(format!("[mi360d] {reason}"));
                    self.blame = Some(reason);
                    self.stop(around, reason);
                }
            }
            // A stop that was cancelled is completed first, then it is started again.
            Phase::Stopping { .. } => {
                let why = self.reason.clone();
                self.stop(around, &why);
            }
            Phase::Pausing { .. } | Phase::Running | Phase::Ended => {}
        }
    }

    fn start(&mut self, around: &Around<'_>) {
        if self.leftover.is_some() {
            return;
        }
        let now = around.now;
        if let Some(number) = port_of(around).filter(|number| ports::is_taken(*number)) {
            self.pause(&format!("port {number} is used by another program"), around);
            return;
        }
        let launch = match launch::launch(around.hack, around.program, around.values, around.world)
        {
            Ok(launch) => launch,
            Err(reason) => return self.pause(&reason, around),
        };
        match Running::start(&launch) {
            Ok(running) => {
                self.starts += 1;
                self.running = Some(running);
                let until = match around.program.ready {
                    Ready::Started => None,
                    Ready::Port { within, .. } | Ready::File { within, .. } => Some(now + within),
                };
                self.go(Phase::Starting { until }, "", now);
                if until.is_none() {
                    self.go(Phase::Running, "", now);
                }
            }
            Err(e) => {
                self.pause(&format!("{} cannot be started: {e}", launch.program.display()), around);
            }
        }
    }
}

/// Whether a program does its work.
fn is_ready(around: &Around<'_>) -> bool {
    match &around.program.ready {
        Ready::Started => true,
        Ready::Port { .. } => port_of(around).is_some_and(ports::is_taken),
        Ready::File { path, .. } => {
            let places = launch::places(around.hack, around.world);
            let with = super::template::Places { places: &places, values: around.values };
            std::path::Path::new(&path.fill(&with)).exists()
        }
    }
}

fn port_of(around: &Around<'_>) -> Option<u16> {
    match &around.program.ready {
        Ready::Port { port: Port::Number(number), .. } => Some(*number),
        Ready::Port { port: Port::Setting(name), .. } => match around.values.get(name) {
            Some(Value::Integer(n)) => u16::try_from(*n).ok(),
            _ => None,
        },
        _ => None,
    }
}

impl Pace {
    /// The pause before the next try, after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.min(16)).min(self.most)
    }

    /// How long a program has to end after TERM.
    fn stop(&self, wanted: Duration) -> Duration {
        wanted.min(self.stop_most)
    }
}
