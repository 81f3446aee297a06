//! The connection to a broker: made, kept, and made again after it broke. Whatever
//! the broker does, nothing else waits for it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::announce::{Announced, subscriptions};
use super::discovery::Device;
use super::packet::{self, Heard, Hello};
use crate::network::lookup;

/// Where a broker listens, if no port is set.
const PORT: u16 = 1883;
/// A broker that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection to one of its addresses may take.
const FOR_ADDRESS: Duration = Duration::from_secs(5);
/// How often the state is checked.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is published although nothing changed.
const TELL: Duration = Duration::from_secs(60);
/// How often the broker is asked whether it is there; after three times it is gone.
const PING: Duration = Duration::from_secs(15);
const KEEP_ALIVE: u16 = 45;
/// The longest pause before the next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Which broker, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    /// `HOST`, `HOST:PORT` or `[IPv6]:PORT`.
    pub address: String,
    /// The user, if one is wanted.
    pub user: Option<String>,
    /// His password.
    pub password: Option<String>,
    /// Home Assistant's prefix for discovery.
    pub prefix: String,
}

/// What is published, and the receiver of messages.
pub trait Home {
    /// The broker that is set; `None` where none is.
    fn broker(&self) -> Option<Broker>;
    /// The device as it is now.
    fn device(&self) -> Device;
    /// Its state: a value for each of its entities.
    fn state(&self) -> Value;
    /// How often a picture is published; none: never.
    fn picture_every(&self) -> Option<Duration>;
    /// A picture as a JPEG file, taken now; may take some seconds. None if there is none.
    fn picture(&self) -> Option<Vec<u8>>;
    /// A button was pressed.
    fn press(&self, key: &str);
    /// A value is to be set.
    fn set(&self, key: &str, value: &str);
    /// Why it is not connected to the broker, in words; `None`: it is connected.
    fn says(&self, trouble: Option<String>);
}

/// Keeps a connection forever.
pub fn keep(home: &dyn Home) {
    let mut pause = Duration::from_secs(1);
    loop {
        let Some(broker) = home.broker() else {
            home.says(Some("no broker is set".to_owned()));
            std::thread::sleep(LOOK * 2);
            continue;
        };
        let began = Instant::now();
        match connected(home, &broker) {
            // The settings changed.
            Ok(()) => pause = Duration::from_secs(1),
            Err(trouble) => {
                home.says(Some(trouble));
                if began.elapsed() > PATIENCE * 3 {
                    pause = Duration::from_secs(1);
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Whether a broker accepts this user and password: a connection that is closed at once.
///
/// # Errors
/// Why not, in words.
pub fn check(broker: &Broker) -> Result<(), String> {
    let failed = |e: io::Error| format!("{}: {e}", broker.address);
    let mut line = open(&broker.address).map_err(failed)?;
    let hello = Hello {
        id: "mi360d-test",
        user: broker.user.as_deref(),
        password: broker.password.as_deref(),
        will: ("mi360d/test", "offline"),
        keep_alive: KEEP_ALIVE,
    };
    line.write_all(&packet::connect(&hello)).map_err(failed)?;
    greeting(&mut Incoming::default(), &mut line).map_err(|e| e.words(broker))?;
    line.write_all(&packet::DISCONNECT).map_err(failed)
}

/// Why a broker did not greet.
enum NotGreeted {
    Line(io::Error),
    Refused(&'static str),
}

impl NotGreeted {
    fn words(self, broker: &Broker) -> String {
        match self {
            NotGreeted::Line(e) => format!("{}: {e}", broker.address),
            NotGreeted::Refused(words) => words.to_owned(),
        }
    }
}

/// Waits for the broker's answer to the greeting.
fn greeting(came: &mut Incoming, line: &mut TcpStream) -> Result<(), NotGreeted> {
    let greeted = Instant::now();
    loop {
        match came.next(line, greeted + PATIENCE).map_err(NotGreeted::Line)? {
            Some(Heard::Connected(0)) => return Ok(()),
            Some(Heard::Connected(code)) => return Err(NotGreeted::Refused(packet::refusal(code))),
            Some(_) => return Err(NotGreeted::Refused("the broker sends no greeting")),
            None if greeted.elapsed() >= PATIENCE => {
                return Err(NotGreeted::Refused("the broker does not answer"));
            }
            None => {}
        }
    }
}

/// One connection, from its greeting to its end.
fn connected(home: &dyn Home, broker: &Broker) -> Result<(), String> {
    let failed = |e: io::Error| format!("{}: {e}", broker.address);
    let device = home.device();
    let mut line = open(&broker.address).map_err(failed)?;
    let availability = device.availability_topic();
    let hello = Hello {
        id: &device.id,
        user: broker.user.as_deref(),
        password: broker.password.as_deref(),
        will: (&availability, "offline"),
        keep_alive: KEEP_ALIVE,
    };
    line.write_all(&packet::connect(&hello)).map_err(failed)?;
    let mut came = Incoming::default();
    greeting(&mut came, &mut line).map_err(|e| e.words(broker))?;
    let presses = device.command_topic();
    let sets = device.set_topic();
    for topic in [&presses, &sets] {
        line.write_all(&packet::subscribe(&format!("{topic}+"))).map_err(failed)?;
    }
    for topic in subscriptions(&device.id, &broker.prefix) {
        line.write_all(&packet::subscribe(&topic)).map_err(failed)?;
    }
    line.write_all(&packet::publish(&availability, b"online", true)).map_err(failed)?;
    home.says(None);
    log::info!("MQTT: connected to {}", broker.address);

    let mut told = Told::default();
    let (mut heard, mut pinged, mut looked) = (Instant::now(), Instant::now(), None::<Instant>);
    loop {
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            let next = home.broker();
            if next.as_ref() != Some(broker) {
                leave(broker, next.as_ref(), &device, &told, &mut line).map_err(failed)?;
                return Ok(());
            }
            let current = home.device();
            if current.id != device.id {
                // Another identity is another device, and another client.
                return Ok(());
            }
            tell(&current, home.state(), broker, &mut line, &mut told).map_err(failed)?;
            show(home, &current, &mut line, &mut told).map_err(failed)?;
        }
        if pinged.elapsed() >= PING {
            line.write_all(&packet::PING).map_err(failed)?;
            pinged = Instant::now();
        }
        match came.next(&mut line, Instant::now() + LOOK).map_err(failed)? {
            Some(Heard::Told { topic, payload, kept }) => {
                heard = Instant::now();
                // A press that was kept would come again at every start.
                if let (Some(key), false, b"PRESS") =
                    (topic.strip_prefix(&presses), kept, payload.as_slice())
                {
                    home.press(key);
                    looked = None;
                }
                if let (Some(key), false, Ok(value)) =
                    (topic.strip_prefix(&sets), kept, std::str::from_utf8(&payload))
                {
                    home.set(key, value);
                    // The state is published again, also where nothing changed: the sender may show
                    // what it wished for.
                    told.state = None;
                    looked = None;
                }
                if kept {
                    told.documents.found(&device.id, &topic, &payload);
                }
            }
            Some(_) => heard = Instant::now(),
            None if heard.elapsed() > PING * 3 => {
                return Err("the broker does not answer".to_owned());
            }
            None => {}
        }
    }
}

/// What was published in this connection.
#[derive(Default)]
struct Told {
    documents: Announced,
    state: Option<(Value, Instant)>,
    /// When a picture was last asked for.
    picture: Option<Instant>,
}

/// Tells what changed: the device's documents, or its state.
fn tell(
    device: &Device,
    state: Value,
    broker: &Broker,
    line: &mut TcpStream,
    told: &mut Told,
) -> io::Result<()> {
    let document = |(topic, document): (String, Value)| (topic, document.to_string());
    let wanted = device.documents(&broker.prefix).into_iter().map(document).collect();
    let changes = told.documents.changes(wanted, device.complete, Instant::now());
    for (topic, text) in &changes {
        line.write_all(&packet::publish(topic, text.as_bytes(), true))?;
    }
    let known = told.state.as_ref();
    let same = known.is_some_and(|(before, at)| *before == state && at.elapsed() < TELL);
    if !changes.is_empty() || !same {
        let text = state.to_string();
        line.write_all(&packet::publish(&device.state_topic(), text.as_bytes(), true))?;
        told.state = Some((state, Instant::now()));
    }
    Ok(())
}

/// Publishes a picture when it is time. The broker does not retain it: a later subscriber sees
/// no old picture.
fn show(home: &dyn Home, device: &Device, line: &mut TcpStream, told: &mut Told) -> io::Result<()> {
    let Some(every) = home.picture_every().filter(|_| device.has_pictures()) else {
        return Ok(());
    };
    if told.picture.is_some_and(|at| at.elapsed() < every) {
        return Ok(());
    }
    // Also if there is none: the firmware is not asked more often.
    told.picture = Some(Instant::now());
    let Some(jpeg) = home.picture() else { return Ok(()) };
    line.write_all(&packet::publish(&device.picture_topic(), &jpeg, false))
}

/// Says good-bye. A broker that is not ours any more must not keep the device forever; one that
/// has another prefix now keeps its state.
fn leave(
    broker: &Broker,
    next: Option<&Broker>,
    device: &Device,
    told: &Told,
    line: &mut TcpStream,
) -> io::Result<()> {
    let stays = next.is_some_and(|next| next.address == broker.address);
    let availability = device.availability_topic();
    line.write_all(&packet::publish(&availability, b"offline", true))?;
    if !stays || next.is_some_and(|next| next.prefix != broker.prefix) {
        for topic in told.documents.topics() {
            line.write_all(&packet::publish(topic, b"", true))?;
        }
    }
    if !stays {
        for topic in [device.state_topic(), availability] {
            line.write_all(&packet::publish(&topic, b"", true))?;
        }
    }
    line.write_all(&packet::DISCONNECT)
}

/// A connection to the first of the broker's addresses that takes one.
fn open(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in lookup::addresses(address, PORT)? {
        match TcpStream::connect_timeout(&address, FOR_ADDRESS) {
            Ok(line) => {
                line.set_write_timeout(Some(PATIENCE))?;
                line.set_read_timeout(Some(Duration::from_millis(500)))?;
                return Ok(line);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// What came in and is not a whole packet yet.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
}

impl Incoming {
    /// The next packet; `None` where none came within half a second, or none was whole by `until`.
    fn next(&mut self, line: &mut TcpStream, until: Instant) -> io::Result<Option<Heard>> {
        loop {
            if let Some((heard, length)) = packet::take(&self.bytes).map_err(io::Error::other)? {
                self.bytes.drain(..length);
                return Ok(Some(heard));
            }
            if Instant::now() > until {
                return Ok(None);
            }
            let mut buffer = [0; 2048];
            match line.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the broker closed the connection")),
                Ok(n) => self.bytes.extend_from_slice(&buffer[..n]),
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}
