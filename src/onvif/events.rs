//! Events for recorders: pull points, of which each is a place in the list of events that a client
//! asks for again and again. One topic: motion, as the camera's own detector sees it. Pure: events
//! and time come in. ONVIF Core Specification, 9.2 (real-time pull-point notification).

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::login;
use super::template::Templates;
use super::xml::{At, Tree};

/// Pull points at once.
pub const MOST: usize = 6;
/// Of these, pulls that wait at once: each holds one of the page's handlers.
const MOST_WAITING: usize = 3;
/// The longest wait of one pull, and that of one for which there is no room to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// How long a pull point lasts: where nothing is reported, at least, at most.
const USUAL: u64 = 60;
const LEAST: u64 = 10;
const LONGEST: u64 = 3600;
/// One that nobody pulled for so long makes room for another.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Messages in one answer.
const MOST_MESSAGES: usize = 32;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What this service can do.
    Capabilities,
    /// What can happen.
    Properties,
    /// A new pull point, for so many seconds.
    Create(u64),
    /// What happened; waits for it.
    Pull {
        /// The pull point.
        id: u32,
        /// How long.
        wait: Duration,
        /// Messages at most.
        most: usize,
    },
    /// It lasts so many seconds from now on.
    Renew(u32, u64),
    /// It ends.
    Unsubscribe(u32),
    /// The state is wanted again, though nothing happened.
    Synchronize(u32),
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// UTC.
    pub at: String,
    /// The state as it is, and no change.
    pub initial: bool,
    /// Whether something moves.
    pub motion: bool,
}

/// What a request to `events`, or to a pull point `sub-N`, asks; `None` for other services.
///
/// # Errors
/// [`Fault`].
pub fn ask(service: &str, tree: &Tree<'_>, now: u64) -> Result<Option<Ask>, Fault> {
    let service = service.strip_suffix("_service").unwrap_or(service);
    let id = service.strip_prefix("sub-").and_then(|id| id.parse().ok());
    if service != "events" && id.is_none() {
        return Ok(None);
    }
    let at = tree.path(&["Envelope", "Body"]).and_then(|body| tree.first(body));
    let at = at.ok_or(Fault::Malformed)?;
    let word = |at: At, name: &str| tree.below(at, &[name]).map(|at| tree.text(at));
    let lasts = |name: &str| word(at, name).map_or(Some(USUAL), |text| until(text, now));
    let lasts = |name: &str| lasts(name).map(|s| s.clamp(LEAST, LONGEST)).ok_or(Fault::BadTime);
    Ok(Some(match (tree.name(at), id) {
        ("GetServiceCapabilities", _) => Ask::Capabilities,
        ("GetEventProperties", _) => Ask::Properties,
        ("CreatePullPointSubscription", _) => Ask::Create(lasts("InitialTerminationTime")?),
        ("PullMessages", Some(id)) => {
            let wait = word(at, "Timeout").and_then(duration).ok_or(Fault::BadTime)?;
            let most = word(at, "MessageLimit").and_then(|text| text.parse().ok());
            let wait = Duration::from_secs(wait).min(LONGEST_WAIT);
            Ask::Pull { id, wait, most: most.unwrap_or(MOST_MESSAGES).clamp(1, MOST_MESSAGES) }
        }
        ("Renew", Some(id)) => Ask::Renew(id, lasts("TerminationTime")?),
        ("Unsubscribe", Some(id)) => Ask::Unsubscribe(id),
        ("SetSynchronizationPoint", Some(id)) => Ask::Synchronize(id),
        _ => return Err(Fault::Unknown),
    }))
}

/// Seconds until a time, or for a duration; what is over is none.
fn until(text: &str, now: u64) -> Option<u64> {
    duration(text).or_else(|| login::seconds(text)?.checked_sub(now))
}

/// Whole seconds of `PT1M30.5S`; years and months there are none.
fn duration(text: &str) -> Option<u64> {
    let (days, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((&text[1..], ""));
    let (mut total, mut digits, mut any) = (0u64, String::new(), false);
    for letter in days.chars().chain(time.chars()) {
        let unit = match letter {
            '0'..='9' | '.' if digits.len() < 12 => {
                digits.push(letter);
                continue;
            }
            'D' => 86_400,
            'H' => 3600,
            'M' if !time.is_empty() => 60,
            'S' => 1,
            _ => return None,
        };
        let whole = digits.split('.').next().unwrap_or_default();
        total = total.saturating_add(whole.parse::<u64>().ok()?.saturating_mul(unit));
        digits.clear();
        any = true;
    }
    (any && digits.is_empty()).then_some(total)
}

#[derive(Debug)]
struct Point {
    id: u32,
    /// The last event that was handed out.
    seen: u64,
    ends: Instant,
    /// How long it lasts from its creation, its renewal or a pull on.
    lasts: Duration,
    pulled: Instant,
    /// The state is reported with the next pull.
    initial: bool,
    /// A pull is under way, and whether it may wait.
    pulling: Option<bool>,
}

/// All pull points.
#[derive(Debug, Default)]
pub struct Points {
    all: Vec<Point>,
    last: u32,
}

/// A pull that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The last event that was handed out.
    pub seen: u64,
    /// Whether the state is reported, too.
    pub initial: bool,
    /// How long it may wait.
    pub wait: Duration,
}

impl Points {
    /// A new one that begins behind this event; its number.
    ///
    /// # Errors
    /// [`Fault::TooManyPoints`].
    pub fn create(&mut self, seconds: u64, seen: u64, now: Instant) -> Result<u32, Fault> {
        self.all.retain(|point| point.ends > now || point.pulling.is_some());
        if self.all.len() >= MOST {
            let idle = |point: &&Point| {
                point.pulling.is_none() && now.saturating_duration_since(point.pulled) >= FORGOTTEN
            };
            let oldest = self.all.iter().filter(idle).min_by_key(|point| point.pulled);
            let oldest = oldest.map(|point| point.id).ok_or(Fault::TooManyPoints)?;
            self.all.retain(|point| point.id != oldest);
        }
        self.last = self.last.wrapping_add(1);
        let lasts = Duration::from_secs(seconds);
        let (id, initial, pulling) = (self.last, true, None);
        let ends = now + lasts;
        self.all.push(Point { id, seen, ends, lasts, pulled: now, initial, pulling });
        Ok(id)
    }

    fn get(&mut self, id: u32, now: Instant) -> Result<&mut Point, Fault> {
        let mut all = self.all.iter_mut();
        all.find(|point| point.id == id && point.ends > now).ok_or(Fault::NoPoint)
    }

    /// A pull begins: one at a time for each pull point.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn begin(&mut self, id: u32, wait: Duration, now: Instant) -> Result<Begun, Fault> {
        let waiting = self.all.iter().filter(|point| point.pulling == Some(true)).count();
        let point = self.get(id, now)?;
        if point.pulling.is_some() {
            return Err(Fault::TooManyPoints);
        }
        let may = waiting < MOST_WAITING;
        (point.pulling, point.pulled) = (Some(may), now);
        // It ends where nobody pulls (Event Service WSDL, TerminationTime).
        point.ends = point.ends.max(now + wait + point.lasts);
        let wait = if may { wait } else { wait.min(SHORT_WAIT) };
        Ok(Begun { seen: point.seen, initial: std::mem::take(&mut point.initial), wait })
    }

    /// It has ended, and this was the last event that was handed out.
    pub fn end(&mut self, id: u32, seen: u64) {
        if let Some(point) = self.all.iter_mut().find(|point| point.id == id) {
            (point.pulling, point.seen) = (None, seen);
        }
    }

    /// It lasts so long from now on.
    ///
    /// # Errors
    /// [`Fault::NoPoint`].
    pub fn renew(&mut self, id: u32, seconds: u64, now: Instant) -> Result<(), Fault> {
        let lasts = Duration::from_secs(seconds);
        let point = self.get(id, now)?;
        (point.ends, point.lasts) = (now + lasts, lasts);
        Ok(())
    }

    /// It ends.
    ///
    /// # Errors
    /// [`Fault::NoPoint`].
    pub fn remove(&mut self, id: u32, now: Instant) -> Result<(), Fault> {
        self.get(id, now)?;
        self.all.retain(|point| point.id != id);
        Ok(())
    }

    /// The state is reported with its next pull.
    ///
    /// # Errors
    /// [`Fault::NoPoint`].
    pub fn synchronize(&mut self, id: u32, now: Instant) -> Result<(), Fault> {
        self.get(id, now)?.initial = true;
        Ok(())
    }

    /// Seconds that it still lasts.
    pub fn left(&self, id: u32, now: Instant) -> u64 {
        let point = self.all.iter().find(|point| point.id == id);
        point.map_or(0, |point| point.ends.saturating_duration_since(now).as_secs())
    }
}

/// The answer to a request that was done: of the pull point `id`, which ends at `ends`.
pub fn answer(
    ask: Ask,
    base: &str,
    id: u32,
    [utc, ends]: [String; 2],
    messages: &[Message],
) -> String {
    let name = match ask {
        Ask::Capabilities => "+events-capabilities",
        Ask::Properties => "+events-properties",
        Ask::Create(_) => "+events-create",
        Ask::Pull { .. } => "+events-pull",
        Ask::Renew(..) => "+events-renew",
        Ask::Unsubscribe(_) => "+events-unsubscribe",
        Ask::Synchronize(_) => "+events-synchronize",
    };
    let templates = Templates::unpack();
    let one = |message: &Message| {
        let operation = if message.initial { "Initialized" } else { "Changed" };
        templates.fill(
            "+events-message",
            &[&[
                ("at", message.at.clone(), false),
                ("operation", operation.to_owned(), false),
                ("motion", message.motion.to_string(), false),
            ]],
        )
    };
    let values = [
        ("base", base.to_owned(), false),
        ("id", id.to_string(), false),
        ("most", MOST.to_string(), false),
        ("utc", utc, false),
        ("ends", ends, false),
        ("messages", messages.iter().map(one).collect(), true),
    ];
    templates.events_envelope(templates.fill(name, &[&values]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onvif::xml::parse;

    fn asked(service: &str, inside: &str) -> Result<Option<Ask>, Fault> {
        let text = format!("<s:Envelope><s:Body>{inside}</s:Body></s:Envelope>");
        ask(service, &parse(&text).unwrap(), 1_767_323_040)
    }

    #[test]
    fn requests_are_bounded_and_belong_to_their_pull_point() {
        let pull = |wait: &str, most: &str| {
            format!("<PullMessages><Timeout>{wait}</Timeout>{most}</PullMessages>")
        };
        let pulled =
            |seconds, most| Ok(Some(Ask::Pull { id: 7, wait: Duration::from_secs(seconds), most }));
        let create = |time: &str| {
            let time = format!("<InitialTerminationTime>{time}</InitialTerminationTime>");
            asked(
                "events",
                &format!("<CreatePullPointSubscription>{time}</CreatePullPointSubscription>"),
            )
        };
        assert_eq!(asked("sub-7", &pull("PT5S", "<MessageLimit>3</MessageLimit>")), pulled(5, 3));
        assert_eq!(asked("sub-7", &pull("PT1M", "")), pulled(20, 32));
        assert_eq!(
            asked("sub-7", &pull("P0DT0H0M2.5S", "<MessageLimit>0</MessageLimit>")),
            pulled(2, 1)
        );
        for wrong in ["", "5", "PT", "PT5", "P1M", "PTxS", "P999999999999999999D"] {
            assert_eq!(asked("sub-7", &pull(wrong, "")), Err(Fault::BadTime), "{wrong}");
        }
        assert_eq!(asked("events", &pull("PT5S", "")), Err(Fault::Unknown), "of no pull point");
        assert_eq!(asked("device", "<GetScopes/>"), Ok(None));
        assert_eq!(asked("sub-x", "<Renew/>"), Ok(None));
        assert_eq!(asked("events", "<CreatePullPointSubscription/>"), Ok(Some(Ask::Create(60))));
        assert_eq!(create("PT10M"), Ok(Some(Ask::Create(600))));
        assert_eq!(create("P1D"), Ok(Some(Ask::Create(3600))));
        // Five minutes after now, and before it.
        assert_eq!(create("2026-01-02T03:09:00Z"), Ok(Some(Ask::Create(300))));
        assert_eq!(create("2026-01-02T03:00:00Z"), Err(Fault::BadTime));
        assert_eq!(asked("sub-7", "<Unsubscribe/>"), Ok(Some(Ask::Unsubscribe(7))));
    }

    #[test]
    fn pull_points_are_few_end_by_themselves_and_wait_one_at_a_time() {
        let (mut points, now) = (Points::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        let ids: Vec<u32> = (0..MOST).map(|_| points.create(600, 5, now).unwrap()).collect();
        assert_eq!(points.create(600, 5, now), Err(Fault::TooManyPoints));
        let long = Duration::from_secs(20);
        let begun = points.begin(ids[0], long, now).unwrap();
        assert_eq!(begun, Begun { seen: 5, initial: true, wait: long });
        assert_eq!(points.begin(ids[0], long, now), Err(Fault::TooManyPoints), "twice at once");
        for id in &ids[1..3] {
            assert_eq!(points.begin(*id, long, now).unwrap().wait, long);
        }
        assert_eq!(points.begin(ids[3], long, now).unwrap().wait, SHORT_WAIT, "no more may wait");
        points.end(ids[0], 9);
        points.synchronize(ids[0], now).unwrap();
        let again = points.begin(ids[0], long, now).unwrap();
        assert_eq!(again, Begun { seen: 9, initial: true, wait: long });
        // One that nobody pulls makes room; one that is pulled does not.
        let new = points.create(600, 5, later(60)).unwrap();
        assert_eq!(points.renew(ids[4], 10, later(60)), Err(Fault::NoPoint), "forgotten");
        points.renew(ids[3], 1000, later(60)).unwrap();
        assert_eq!(points.left(ids[3], later(60)), 1000);
        points.remove(new, later(61)).unwrap();
        assert_eq!(points.remove(new, later(61)), Err(Fault::NoPoint));
        assert_eq!(points.renew(ids[5], 10, later(601)), Err(Fault::NoPoint), "over");
    }

    #[test]
    fn every_answer_is_a_document_with_its_name() {
        let (id, times) =
            (3, || ["2026-01-02T03:04:00Z".to_owned(), "2026-01-02T03:05:00Z".to_owned()]);
        let message =
            Message { at: "2026-01-02T03:03:59Z".to_owned(), initial: false, motion: true };
        let pull = Ask::Pull { id, wait: Duration::ZERO, most: 1 };
        for (ask, name) in [
            (Ask::Capabilities, "GetServiceCapabilities"),
            (Ask::Properties, "GetEventProperties"),
            (Ask::Create(60), "CreatePullPointSubscription"),
            (pull, "PullMessages"),
            (Ask::Renew(id, 60), "Renew"),
            (Ask::Unsubscribe(id), "Unsubscribe"),
            (Ask::Synchronize(id), "SetSynchronizationPoint"),
        ] {
            let body = answer(ask, "http://camera", id, times(), std::slice::from_ref(&message));
            let tree = parse(&body).unwrap_or_else(|| panic!("{body}"));
            let response = format!("{name}Response");
            assert!(tree.path(&["Envelope", "Body", &response]).is_some(), "{body}");
            assert!(!body.contains(['{', '}']), "{body}");
        }
        let body = answer(pull, "", id, times(), &[message]);
        assert!(body.contains("tns1:RuleEngine/CellMotionDetector/Motion<"));
        assert!(body.contains(r#"Name="IsMotion" Value="true""#) && body.contains("Changed"));
        assert!(
            answer(Ask::Create(9), "http://camera", id, times(), &[])
                .contains("http://camera/onvif/sub-3<")
        );
    }
}
