//! The server: one thread that speaks with everybody. Viewers are rows in a table, not threads: on
//! one core more threads carry no more bytes, and a frozen viewer costs a row.
//!
//! | file | contents |
//! | --- | --- |
//! | `poll_loop` | the thread: one `poll` over all sockets, and what is due when |
//! | `events` | the sockets in that `poll`, and what is done when one is ready |
//! | `accept` | new connections, and which one makes room |
//! | `input` | what is complete in a connection's input |
//! | `count` | viewers and streams, for the page |
//! | `conn` | one RTSP connection: bytes in, bytes out |
//! | `methods` | what each request does |
//! | `session` | one viewer: its place in the ring, its RTP and RTCP |
//! | `send` | a viewer's frames into its socket, as far as they go |
//! | `local` | the daemon's questions, on an abstract Unix socket |
//! | `live` | the live view as MP4, with its sound |
//! | `password` | the streams' password in its file, checked again and again |

mod accept;
mod conn;
mod count;
mod events;
mod input;
mod live;
mod local;
mod methods;
mod outcome;
mod password;
mod poll_loop;
mod send;
mod session;

pub use live::Head;
pub use local::{MOTORS_RUN, NO_JPEG, NO_SOUND, NO_SPEAKER, NO_STREAM, SPEAKER_BUSY, TOO_MANY};

use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::error::RtspError;
use super::feed::{Feed, Wake};
use super::firmware::{Firmware, Worker};
use super::ring::Room;
use super::snapshots::Snapshots;
use super::sound::SoundForm;
use super::source::{self, StreamSource};
use super::speaker::Speaker;
use crate::base::random;
use crate::vendor::frames::{Endpoint, EndpointKind, EndpointState};

/// Stacks of the threads, in bytes: all that is large is on the heap.
const STACK: usize = 128 * 1024;
/// Bytes of sound that are held for viewers: more than five seconds of G.711, two of L16.
const SOUND_ROOM: usize = 64 * 1024;
/// Streams at most.
const MOST_STREAMS: usize = 8;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// The streams' names, each with where it comes from.
    pub streams: Vec<(String, StreamSource)>,
    /// The folder with the microphone's frames, and what clients get of them.
    pub sound: Option<(PathBuf, SoundForm)>,
    /// The folder with the firmware's snapshots.
    pub snapshots: Option<PathBuf>,
    /// The folder with the firmware's speaker.
    pub speaker: Option<PathBuf>,
    /// Where to listen; port 0 is a free one.
    pub listen: SocketAddr,
    /// The file with the streams' password. Without one only loopback is listened on.
    pub password_file: Option<PathBuf>,
    /// Offer Basic logins too: they show the password to everybody that listens in.
    pub basic: bool,
    /// Viewers at once.
    pub viewers: usize,
    /// What is held of each stream for its viewers.
    pub room: Room,
}

impl Config {
    /// These streams for 10 viewers.
    pub fn new(streams: Vec<(String, StreamSource)>, listen: SocketAddr) -> Config {
        let room = Room::default();
        Config {
            streams,
            sound: None,
            snapshots: None,
            speaker: None,
            listen,
            password_file: None,
            basic: false,
            viewers: 10,
            room,
        }
    }
}

/// The name of the abstract socket on which the server at this port answers the daemon.
pub fn local_name(port: u16) -> String {
    format!("mi360d-rtsp-{port}")
}

/// A running server. Dropped without [`Server::stop`] it runs on.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    wake: Arc<Wake>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens, and starts the threads.
    ///
    /// # Errors
    /// [`RtspError`], before anything runs.
    pub fn start(config: &Config) -> Result<Server, RtspError> {
        check_names(&config.streams)?;
        if config.password_file.is_none() && !config.listen.ip().is_loopback() {
            return Err(RtspError::NoPassword(config.listen));
        }
        let secret = random().map_err(RtspError::Start)?;
        let password = config.password_file.clone();
        let password = password.map(|file| password::Password::read(file, secret, config.basic));
        let password = password.transpose()?;
        let listening = |source| RtspError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        listener.set_nonblocking(true).map_err(RtspError::Start)?;
        let local = bind_local(address.port());
        let wake = Arc::new(Wake::new().map_err(RtspError::Start)?);
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();

        let mut server =
            Server { address, stop: Arc::clone(&stop), wake: Arc::clone(&wake), threads: vec![] };
        let mut feeds = Vec::new();
        let reader_wake = Arc::new(Wake::new().map_err(RtspError::Start)?);
        let mut firmware = Firmware::new(Arc::clone(&reader_wake));
        let mut reads_frames = false;
        for (name, from) in &config.streams {
            let parts = (Arc::clone(&wake), Arc::clone(&stop));
            let feed = Feed::new(name.clone(), started, config.room, parts.0, parts.1);
            let feed = Arc::new(feed);
            feeds.push(Arc::clone(&feed));
            if let StreamSource::Frames { folder, .. } = from {
                feed.set_firmware(&EndpointState::Missing);
                let endpoint = Endpoint { folder: folder.clone(), kind: EndpointKind::Picture };
                firmware.add(endpoint, Worker::pictures(Arc::clone(&feed)));
                reads_frames = true;
            }
            if !matches!(from, StreamSource::Frames { fallback: None, .. }) {
                let from = from.clone();
                server.spawn(name, move || source::run(&from, &feed))?;
            }
        }
        let mut sound = None;
        if let Some((folder, form)) = config.sound.clone() {
            let parts = (Arc::clone(&wake), Arc::clone(&stop));
            let room = Room { bytes: SOUND_ROOM, ..config.room };
            let feed = Feed::new("sound".to_owned(), started, room, parts.0, parts.1);
            let feed = Arc::new(feed);
            feed.set_firmware(&EndpointState::Missing);
            let endpoint = Endpoint { folder, kind: EndpointKind::Sound };
            firmware.add(endpoint, Worker::sound(Arc::clone(&feed), form));
            sound = Some((feed, form));
            reads_frames = true;
        }
        let mut snapshots = None;
        if let Some(folder) = config.snapshots.clone() {
            let new = Arc::new(Snapshots::new(Arc::clone(&reader_wake), Arc::clone(&wake)));
            let endpoint = Endpoint { folder, kind: EndpointKind::Jpeg };
            firmware.add(endpoint, Worker::Snapshots(Arc::clone(&new)));
            snapshots = Some(new);
            reads_frames = true;
        }
        let mut speaker = None;
        if let Some(folder) = config.speaker.clone() {
            let new = Arc::new(Speaker::new(Arc::clone(&reader_wake)));
            let endpoint = Endpoint { folder, kind: EndpointKind::Speaker };
            firmware.add(endpoint, Worker::Speaker(Arc::clone(&new)));
            speaker = Some(new);
            reads_frames = true;
        }
        if reads_frames {
            let stop = Arc::clone(&server.stop);
            server.spawn("frames", move || firmware.run(&stop))?;
        }
        let poll_loop = poll_loop::PollLoop::new(poll_loop::Parts {
            listener,
            local,
            wake,
            stop,
            feeds,
            sound,
            snapshots,
            speaker,
            password,
            secret,
            started,
            most_viewers: config.viewers,
        });
        server.spawn("rtsp", move || poll_loop.run())?;
        Ok(server)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), RtspError> {
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(body);
        match thread {
            Ok(thread) => {
                self.threads.push(thread);
                Ok(())
            }
            Err(error) => {
                self.stop.store(true, Ordering::Release);
                Err(RtspError::Start(error))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says goodbye to the viewers, and waits for the threads.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("a thread of the RTSP server had panicked");
            }
        }
    }
}

fn check_names(streams: &[(String, StreamSource)]) -> Result<(), RtspError> {
    if streams.is_empty() || streams.len() > MOST_STREAMS {
        return Err(RtspError::Streams(format!("{} streams; 1 to {MOST_STREAMS}", streams.len())));
    }
    for (index, (name, source)) in streams.iter().enumerate() {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(letters) {
            return Err(RtspError::Streams(format!("'{name}' is not a stream name")));
        }
        let others = streams.get(..index).unwrap_or_default();
        if others.iter().any(|(other, _)| other == name) {
            return Err(RtspError::Streams(format!("the stream '{name}' is named twice")));
        }
        if *source == StreamSource::Stdin
            && others.iter().any(|(_, other)| *other == StreamSource::Stdin)
        {
            return Err(RtspError::Streams("standard input can be one stream only".to_owned()));
        }
    }
    Ok(())
}

/// Without it there are viewers and no page: worth a warning, not an end.
fn bind_local(port: u16) -> Option<UnixListener> {
    let bound = std::os::unix::net::SocketAddr::from_abstract_name(local_name(port))
        .and_then(|address| UnixListener::bind_addr(&address))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    match bound {
        Ok(listener) => Some(listener),
        Err(error) => {
            log::warn!("the page cannot reach this server: {error}");
            None
        }
    }
}
