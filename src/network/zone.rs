//! A time zone as POSIX writes it (`CET-1CEST,M3.5.0,M10.5.0/3`): how far local time is
//! from UTC at a moment. Pure. Moments are seconds since the beginning of 2026, a Thursday:
//! 32 bits hold them until 2094. Days of the year (`Jn`, `n`) are not known here: then it is
//! standard time all year.

/// The beginning of 2026, in seconds since 1970.
pub const BEGIN: u64 = 1_767_225_600;
const DAY: i32 = 86_400;

/// Seconds that local time is ahead of UTC; 0 where the zone means nothing.
pub fn offset(zone: &str, utc: i32) -> i32 {
    judge(zone, utc).unwrap_or(0)
}

/// Whether a text is a time zone as POSIX writes it, whole, with rules that are known here.
pub fn is_zone(text: &str) -> bool {
    whole(text).is_some()
}

fn whole(text: &str) -> Option<()> {
    let rest = hours(named(text)?)?;
    if rest.is_empty() {
        return Some(());
    }
    let mut after = named(rest)?;
    if !after.is_empty() && !after.starts_with(',') {
        after = hours(after)?;
    }
    if after.is_empty() {
        return Some(());
    }
    let (from, until) = after.strip_prefix(',')?.split_once(',')?;
    (is_rule(from) && is_rule(until)).then_some(())
}

/// What follows a zone's name of at least three characters.
fn named(text: &str) -> Option<&str> {
    if let Some((quoted, _)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"+-".contains(&b);
        if quoted.len() < 3 || !quoted.bytes().all(good) {
            return None;
        }
    }
    name(text)
}

/// What follows an offset that a zone can have.
fn hours(text: &str) -> Option<&str> {
    let (seconds, rest) = span(text)?;
    (seconds.abs() <= 25 * 3600).then_some(rest)
}

fn is_rule(text: &str) -> bool {
    let (date, time) = text.split_once('/').unwrap_or((text, "2"));
    let whole = span(time).is_some_and(|(_, rest)| rest.is_empty());
    whole && date.split('.').count() == 3 && rule(text, 2026).is_some()
}

fn judge(zone: &str, utc: i32) -> Option<i32> {
    let (west, rest) = span(name(zone)?)?;
    let standard = -west;
    Some(summer(rest, standard, utc).unwrap_or(standard))
}

/// The offset of summer time, while it is summer.
fn summer(rest: &str, standard: i32, utc: i32) -> Option<i32> {
    let (zone, rules) = rest.split_once(',').unwrap_or((rest, "M3.2.0,M11.1.0"));
    let after = name(zone)?;
    let ahead = if after.is_empty() { standard + 3600 } else { -span(after)?.0 };
    let (from, until) = rules.split_once(',')?;
    let year = year((utc + standard).div_euclid(DAY));
    let (from, until) = (rule(from, year)? - standard, rule(until, year)? - ahead);
    let is_summer =
        if from < until { (from..until).contains(&utc) } else { !(until..from).contains(&utc) };
    is_summer.then_some(ahead)
}

/// What is behind a zone's name.
fn name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let end = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    if end < 3 { None } else { text.get(end..) }
}

/// `[+-]hh[:mm[:ss]]` in seconds, and what is behind it.
fn span(text: &str) -> Option<(i32, &str)> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b':').count();
    let (number, rest) = text.split_at(end);
    let (mut seconds, mut unit) = (0, 3600);
    for part in number.split(':') {
        seconds += part.parse::<i32>().ok().filter(|n| *n < 200)? * unit;
        unit /= 60;
    }
    Some((sign * seconds, rest))
}

/// `Mm.w.d[/time]` of a year, in seconds of local time.
fn rule(text: &str, year: i32) -> Option<i32> {
    let (date, time) = text.split_once('/').unwrap_or((text, "2"));
    let mut parts = date.strip_prefix('M')?.split('.').map(str::parse::<i32>);
    let mut next = |low, high| parts.next()?.ok().filter(|n| (low..=high).contains(n));
    let (month, week, weekday) = (next(1, 12)?, next(1, 5)?, next(0, 6)?);
    let first = days(year, month);
    let mut day = first + (weekday - (first + 4)).rem_euclid(7) + (week - 1) * 7;
    if day >= days(year, month + 1) {
        day -= 7;
    }
    Some(day * DAY + span(time)?.0)
}

/// Days from 2026 to the first of a month; the 13th is the next year's first.
fn days(year: i32, month: i32) -> i32 {
    // Years that begin in March have their leap day at their end.
    let year = year + (month - 3).div_euclid(12);
    let month = (month - 3).rem_euclid(12);
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - 739_922
}

/// The year of a day.
fn year(day: i32) -> i32 {
    let mut year = 2026 + day.div_euclid(366);
    while days(year + 1, 1) <= day {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn every_zone_is_what_date_says_all_through_the_years() {
        let moments: Vec<i32> = (0..4000).map(|n| n * 57_600 + n / 3).collect();
        let lines = moments.iter().fold(String::new(), |mut lines, moment| {
            writeln!(lines, "@{}", BEGIN + u64::from(moment.unsigned_abs())).unwrap();
            lines
        });
        for zone in [
            "UTC0",
            "WET0WEST,M3.5.0/1,M10.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<-03>3",
            "<+0545>-5:45",
            "EST5EDT,M3.2.0,M11.1.0",
            "AEST-10AEDT,M10.1.0,M4.1.0/3",
            "IST-1GMT0,M10.5.0,M3.5.0/1",
            "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        ] {
            let mut date = Command::new("date")
                .args(["-f", "-", "+%s %::z"])
                .env("TZ", zone)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut input = date.stdin.take().unwrap();
            let sent = lines.clone();
            let writer = std::thread::spawn(move || input.write_all(sent.as_bytes()));
            let said = date.wait_with_output().unwrap().stdout;
            writer.join().unwrap().unwrap();
            let said = String::from_utf8(said).unwrap();
            assert_eq!(said.lines().count(), moments.len());
            for line in said.lines() {
                let (moment, ahead) = line.split_once(' ').unwrap();
                let moment = (moment.parse::<u64>().unwrap() - BEGIN) as i32;
                assert_eq!(offset(zone, moment), span(ahead).unwrap().0, "{zone} at {moment}");
            }
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for zone in [
            "UTC0",
            "WET0WEST,M3.5.0/1,M10.5.0",
            "<+0545>-5:45",
            "EST5EDT",
            "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        ] {
            assert!(is_zone(zone), "{zone}");
        }
        for zone in [
            "",
            "Lisbon",
            "UTC",
            "Europe/Lisbon",
            "CET",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "AB1",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,J80,J300",
            "CET-99",
            "CET-1CEST,M3.5.0.1,M10.5.0",
            "CET-1CEST,M3.5.0/x,M10.5.0",
            "<+>1",
            "UTC0 ",
            "UTC0,M3.5.0,M10.5.0,M1.1.1",
        ] {
            assert!(!is_zone(zone), "{zone}");
        }
    }

    #[test]
    fn what_means_nothing_is_utc_or_standard_time() {
        for zone in ["", "X", "UTC", "<+01", "ABC9999999999"] {
            assert_eq!(offset(zone, 32_774_400), 0, "{zone}");
        }
        for zone in ["CET-1CEST,J80,J300", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M3.5.0"] {
            assert_eq!(offset(zone, 15_774_400), 3600, "{zone}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_zone_panics(zone in "[A-Z]{3}[-+0-9:,./MJ<>A-Z]{0,40}", utc in 0i32..2_147_000_000) {
            let _ = offset(&zone, utc);
        }
    }
}
