//! The clock: there is no clock chip, so after power-up it is 1970 until a server
//! tells the time. It is set in one step, and only when two answers agree.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use super::sntp::{self, Told};

/// 2026-01-01: no server that knows the time reports an earlier one.
const SANE_FROM: Duration = Duration::from_secs(1_767_225_600);
/// 2100-01-01.
const SANE_UNTIL: Duration = Duration::from_secs(4_102_444_800);
/// Two answers agree when they differ by no more.
const AGREE: Duration = Duration::from_secs(2);
/// A clock that is off by less stays as it is.
const GOOD_ENOUGH: Duration = Duration::from_millis(500);
/// How often a clock that is right is compared.
const WHEN_SET: Duration = Duration::from_secs(3600);
/// The first pause where nobody answers; each next is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// What is to be done with the clock. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockCheck {
    /// It is right.
    Right,
    /// It is to be set by so many seconds, rounded.
    Set,
    /// The answers are not to be believed.
    Unbelievable(&'static str),
}

/// What two answers make of a clock. `now` is what it shows, all three are taken
/// to one moment.
pub fn judge(now: Duration, one: Duration, two: Duration) -> ClockCheck {
    if one.abs_diff(two) > AGREE {
        return ClockCheck::Unbelievable("two answers differ");
    }
    if one < SANE_FROM || one >= SANE_UNTIL {
        return ClockCheck::Unbelievable("the reported time is impossible");
    }
    if now.abs_diff(one) < GOOD_ENOUGH { ClockCheck::Right } else { ClockCheck::Set }
}

/// Keeps the clock right, forever. `servers` is called each time: settings
/// change while the program runs.
pub fn keep(servers: impl Fn() -> Vec<String>, pause: impl Fn(Duration)) {
    let mut wait = FIRST_PAUSE;
    let mut last_reason = String::new();
    loop {
        match once(&servers()) {
            Ok(None) => wait = WHEN_SET,
            Ok(Some(moved)) => {
                log::info!("the clock was moved by {moved} s");
                wait = WHEN_SET;
            }
            Err(reason) => {
                if reason != last_reason {
                    log::info!("the clock is not set: {reason}");
                    last_reason = reason;
                }
                wait = if wait >= WHEN_SET { FIRST_PAUSE } else { (wait * 2).min(LONGEST_PAUSE) };
            }
        }
        pause(wait);
    }
}

/// Sets the clock to a time that somebody knows; by how many seconds.
///
/// # Errors
/// Why it was not set, in words.
pub fn set(to: Duration) -> Result<i64, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match judge(now, to, to) {
        ClockCheck::Right => Ok(0),
        ClockCheck::Unbelievable(reason) => Err(reason.to_owned()),
        ClockCheck::Set => {
            clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from_duration(to))
                .map_err(|e| format!("the kernel refused: {e}"))?;
            let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or_default();
            Ok(seconds(to) - seconds(now))
        }
    }
}

/// Asks until two answers are there, and sets the clock where it is wrong; by how
/// many seconds.
///
/// # Errors
/// Why it was not set, in words.
pub fn once(servers: &[String]) -> Result<Option<i64>, String> {
    let mut told: Vec<Told> = Vec::new();
    let mut reason = "no server is set".to_owned();
    // Each is asked, the first ones twice where there are not two.
    for server in servers.iter().chain(servers.iter()) {
        match sntp::ask(server) {
            Ok(answer) => told.push(answer),
            Err(e) => reason = e,
        }
        if told.len() == 2 {
            break;
        }
    }
    let [one, two] = told.as_slice() else { return Err(reason) };
    let moment = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (one, two) = (one.at(moment), two.at(moment));
    match judge(now, one, two) {
        ClockCheck::Right => Ok(None),
        ClockCheck::Unbelievable(reason) => Err(reason.to_owned()),
        ClockCheck::Set => set(one).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_set_only_by_two_sane_answers_that_agree() {
        let (then, now) = (Duration::from_secs(5), SANE_FROM + Duration::from_secs(1000));
        assert_eq!(judge(then, now, now + Duration::from_secs(1)), ClockCheck::Set);
        assert_eq!(judge(now, now, now), ClockCheck::Right);
        for (one, two) in
            [(now, now + Duration::from_secs(3)), (then, then), (SANE_UNTIL, SANE_UNTIL)]
        {
            assert!(
                matches!(judge(then, one, two), ClockCheck::Unbelievable(_)),
                "{one:?} {two:?}"
            );
        }
    }

    #[test]
    fn a_silent_server_is_said_and_harms_nothing() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap().to_string();
        assert!(once(&[server]).unwrap_err().contains("no answer"));
        assert!(once(&[]).unwrap_err().contains("no server"));
    }
}
