//! The motors, through devicekit's own keys on the bus: moves while somebody asks for them,
//! absolute moves, calibration. One axis at a time, since one driver serves both. Limits:
//! [`crate::vendor::mortox::pace`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::Chain;
use crate::vendor::mortox::bus::Bus;
use crate::vendor::mortox::change::Change;
use crate::vendor::mortox::key::Key;
use crate::vendor::mortox::pace::{MOVES, PUSH, TRAVELS};
use crate::vendor::mortox::shared::BusError;
use crate::vendor::mortox::value::{Operation, Position, Reported, position};

/// The longest move that one request may ask for.
pub const LONGEST: Duration = Duration::from_secs(10);
/// From one push to the next: a little more than the least that is allowed.
const STEP: Duration = Duration::from_millis(PUSH.as_millis() as u64 + 10);
/// Stack of the thread.
const STACK: usize = 64 << 10;

/// Where the camera looks, in per cent: pan from its left end, tilt from its lower end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// 0 left, 100 right.
    pub pan: u8,
    /// 0 down, 100 up.
    pub tilt: u8,
}

impl Aim {
    /// What the firmware calls it; `None` above 100.
    pub fn position(self) -> Option<Position> {
        // The firmware counts 1 to 101, and to the left.
        Position::new(Position::MOST.checked_sub(self.pan)?, self.tilt.checked_add(1)?)
    }

    /// The firmware's position in per cent.
    pub fn of(at: Position) -> Aim {
        Aim { pan: Position::MOST - at.pan(), tilt: at.tilt() - 1 }
    }
}

/// What the motors do and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Motion {
    /// Where the camera looks, as devicekit reported last.
    pub position: Option<Aim>,
    /// Whether a motor runs.
    pub moving: bool,
    /// Whether devicekit refused the last move: an end is reached, or it calibrates.
    pub refused: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Which way, and until when.
    push: Option<(Operation, Instant)>,
    /// When something is done at the latest.
    busy: Option<Instant>,
    /// Of an absolute move: its end, and the count of the bus's news when it began.
    target: Option<(Position, u64)>,
    running: bool,
    stopped: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Motors {
    bus: Arc<Bus>,
    shared: Arc<(Mutex<State>, Condvar)>,
    counter: Arc<dyn Counter>,
    /// One command at a time: an absolute move is several sets.
    turn: Arc<Mutex<()>>,
}

/// Numbers for commands: each one another.
pub trait Counter: Send + Sync + std::fmt::Debug {
    /// The next number.
    fn next(&self) -> u32;
}

fn lock(shared: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hold(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Motors {
    /// Moves nothing yet.
    pub fn new(bus: Arc<Bus>, counter: Arc<dyn Counter>) -> Motors {
        Motors { bus, shared: Arc::default(), counter, turn: Arc::default() }
    }

    /// Where they are and what they do.
    pub fn motion(&self) -> Motion {
        let reported = self.bus.held(Key::MotorPosition);
        let kept = self.bus.held(Key::Motor);
        let status = reported.as_ref().and_then(|held| Reported::read(held.value.as_deref()?));
        // Whichever came last.
        let kept_is_newer = match (&reported, &kept) {
            (Some(reported), Some(kept)) => kept.seq > reported.seq,
            _ => true,
        };
        let of_kept = || kept.as_ref().and_then(|held| position(held.value.as_deref()?));
        let of_reported = || status.map(|status| status.at);
        let at = if kept_is_newer {
            of_kept().or_else(of_reported)
        } else {
            of_reported().or_else(of_kept)
        };
        let now = Instant::now();
        let mut state = lock(&self.shared);
        if let (Some((target, seq)), Some(held), Some(status)) = (state.target, &reported, status) {
            let near = |a: u8, b: u8| a.abs_diff(b) <= 2;
            let there =
                near(target.pan(), status.at.pan()) && near(target.tilt(), status.at.tilt());
            if held.seq > seq && there {
                (state.busy, state.target) = (None, None);
            }
        }
        let moving = state.push.is_some_and(|(_, until)| until > now)
            || state.busy.is_some_and(|until| until > now);
        let refused = status.is_some_and(|status| status.status < 0);
        Motion { position: at.map(Aim::of), moving, refused }
    }

    /// Moves for so long: right and up are positive, and the larger one counts. Another move in
    /// the meantime takes its place.
    ///
    /// # Errors
    /// Where the bus cannot be reached, or no thread can be had.
    pub fn push(&self, right: i32, up: i32, time: Duration) -> Result<(), BusError> {
        let operation = match (right, up) {
            (0, 0) => {
                self.stop();
                return Ok(());
            }
            (right, up) if right.abs() >= up.abs() => {
                if right < 0 {
                    Operation::Left
                } else {
                    Operation::Right
                }
            }
            (_, up) => {
                if up < 0 {
                    Operation::Down
                } else {
                    Operation::Up
                }
            }
        };
        let began = Instant::now();
        let mut until = began + time.min(LONGEST);
        match self.command(operation) {
            Ok(()) => {
                let mut state = lock(&self.shared);
                state.busy = Some(began + MOVES);
                state.push = None;
                if time <= STEP {
                    return Ok(());
                }
            }
            // Only the pause between two pushes: the thread waits for it.
            Err(BusError::TooSoon(left)) if left <= STEP => until = until.max(began + STEP * 2),
            Err(e) => return Err(e),
        }
        let mut state = lock(&self.shared);
        state.push = Some((operation, until));
        let start = !std::mem::replace(&mut state.running, true);
        drop(state);
        self.shared.1.notify_all();
        if start {
            self.start().inspect_err(|_| lock(&self.shared).running = false)?;
        }
        Ok(())
    }

    /// Ends a move: the motors stand within 350 ms.
    pub fn stop(&self) {
        lock(&self.shared).push = None;
        self.shared.1.notify_all();
    }

    fn start(&self) -> Result<(), BusError> {
        let (bus, shared) = (Arc::clone(&self.bus), Arc::clone(&self.shared));
        let counter = Arc::clone(&self.counter);
        let thread = std::thread::Builder::new().name("motors".to_owned()).stack_size(STACK);
        let turn = Arc::clone(&self.turn);
        let body = move || run(&bus, &shared, counter.as_ref(), &turn);
        thread.spawn(body).map(drop).map_err(|_| BusError::TooMany)
    }

    fn command(&self, operation: Operation) -> Result<(), BusError> {
        let _turn = hold(&self.turn);
        let counter = self.counter.next();
        self.bus.set(Change::Motor { operation, counter }).map(drop)
    }

    /// Moves straight to a place.
    ///
    /// # Errors
    /// [`BusError`]; too soon after the last push, for example.
    pub fn go(&self, place: Position) -> Result<(), BusError> {
        self.stop();
        let turn = hold(&self.turn);
        self.bus.set(Change::Target(place))?;
        self.bus.set(Change::TrackIdle(self.counter.next()))?;
        self.bus.set(Change::TrackStop)?;
        drop(turn);
        let mut state = lock(&self.shared);
        state.busy = Some(Instant::now() + TRAVELS);
        state.target = Some((place, self.bus.seq()));
        drop(state);
        // It answers once it is there, and reports nothing by itself.
        let _ = self.command(Operation::Report);
        Ok(())
    }

    /// To both ends of both axes, and to the middle.
    ///
    /// # Errors
    /// [`BusError`]; twice within two minutes, for example.
    pub fn calibrate(&self) -> Result<(), BusError> {
        self.stop();
        self.command(Operation::Calibrate)?;
        let ends = Instant::now() + crate::vendor::mortox::pace::CALIBRATES;
        lock(&self.shared).busy = Some(ends);
        Ok(())
    }
}

impl Drop for Motors {
    fn drop(&mut self) {
        lock(&self.shared).stopped = true;
        self.shared.1.notify_all();
    }
}

/// Pushes as long as somebody asks for it.
fn run(bus: &Bus, shared: &(Mutex<State>, Condvar), counter: &dyn Counter, turn: &Mutex<()>) {
    loop {
        let mut state = lock(shared);
        let operation = loop {
            if state.stopped {
                return;
            }
            match state.push {
                Some((operation, until)) if until > Instant::now() => break operation,
                Some(_) => state.push = None,
                None => {
                    state = shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        let began = Instant::now();
        let one = hold(turn);
        let sent = bus.set(Change::Motor { operation, counter: counter.next() });
        drop(one);
        let pause = match sent {
            Ok(_) => {
                lock(shared).busy = Some(began + MOVES);
                STEP.saturating_sub(began.elapsed())
            }
            Err(BusError::TooSoon(left)) => left.min(STEP),
            Err(e) => {
                log::warn!("the motors do not move: {e}", e = Chain(&e));
                lock(shared).push = None;
                continue;
            }
        };
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::vendor::pretend::Pretend;

    const LONG: Duration = Duration::from_secs(30);

    #[derive(Debug, Default)]
    struct Count(AtomicU32);

    impl Counter for Count {
        fn next(&self) -> u32 {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
    }

    #[test]
    fn per_cent_are_from_left_and_from_below_and_bounded() {
        let at = |pan, tilt| Position::new(pan, tilt).unwrap();
        for (place, position) in [
            (Aim { pan: 0, tilt: 0 }, at(101, 1)),
            (Aim { pan: 100, tilt: 100 }, at(1, 101)),
            (Aim { pan: 50, tilt: 50 }, at(51, 51)),
        ] {
            assert_eq!(place.position(), Some(position));
            assert_eq!(Aim::of(position), place);
        }
        assert_eq!(Aim { pan: 101, tilt: 0 }.position(), None);
        assert_eq!(Aim { pan: 0, tilt: 101 }.position(), None);
    }

    #[test]
    fn moves_end_by_themselves_go_one_way_at_a_time_and_are_reported() {
        let firmware = Pretend::start().unwrap();
        let bus = Bus::start(firmware.root().join("tmp/mortox.socket"), |_| {}).unwrap();
        assert!(bus.wait(LONG, Bus::is_connected));
        let motors = Motors::new(Arc::clone(&bus), Arc::new(Count::default()));
        assert_eq!(motors.motion().position, Some(Aim { pan: 50, tilt: 50 }));
        // The larger way counts.
        motors.push(-10, 3, Duration::from_millis(1)).unwrap();
        assert!(bus.wait(LONG, |_| motors.motion().position == Some(Aim { pan: 46, tilt: 50 })));
        // An absolute move is refused soon after a push, and nothing was sent.
        let sets = bus.sets();
        let soon = motors.go(Position::new(20, 80).unwrap());
        assert!(matches!(soon, Err(BusError::TooSoon(_))), "{soon:?}");
        assert_eq!(bus.sets(), sets);
        motors.calibrate().unwrap();
        assert!(matches!(motors.calibrate(), Err(BusError::TooSoon(_))));
        bus.stop();
    }

    #[test]
    fn an_absolute_move_arrives_and_the_next_may_follow() {
        let firmware = Pretend::start().unwrap();
        let bus = Bus::start(firmware.root().join("tmp/mortox.socket"), |_| {}).unwrap();
        assert!(bus.wait(LONG, Bus::is_connected));
        let motors = Motors::new(Arc::clone(&bus), Arc::new(Count::default()));
        for place in [Aim { pan: 20, tilt: 80 }, Aim { pan: 70, tilt: 10 }] {
            let position = place.position().unwrap();
            let end = Instant::now() + LONG;
            // The one before is over once its position was reported.
            while let Err(e) = motors.go(position) {
                assert!(matches!(e, BusError::TooSoon(_)) && Instant::now() < end, "{e}");
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(bus.wait(LONG, |bus| {
                bus.held(Key::MotorPosition)
                    .and_then(|held| Reported::read(&held.value?))
                    .is_some_and(|reported| reported.at == position)
            }));
            assert_eq!(motors.motion().position, Some(place));
        }
        bus.stop();
    }
}
