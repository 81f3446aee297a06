//! tiny_http behind the gate: on an abstract Unix socket, with a bounded number of handler threads,
//! and restarted when it gives up.
//!
//! What tiny_http 0.12 makes necessary:
//! - Its accept loop ends at the first error, and with a panic when a thread cannot be started. The
//!   first makes `recv` fail, the second only closes its socket: then the gate's connect is
//!   refused, and the gate says so through the [`Door`].
//! - Dropping a `Server` on an abstract address panics. So none is ever dropped: an old one is
//!   emptied and forgotten, some hundred bytes for each time it is built again.

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, UnixAddr, connect, getsockname, shutdown, socket,
};
use tiny_http::{Request, Response, Server};

use crate::base::{hex, random};
use crate::error::{Code, Explain};
use crate::web::clients::Clients;
use crate::web::gate::forward::{KEY, NUMBER, PEER};

/// The first pause before tiny_http is built again after a failure, and the longest; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a server that was given up is asked for requests that its threads had not read yet,
/// and for how long: longer than the gate waits for an answer.
const STRAGGLER_PAUSE: Duration = Duration::from_millis(200);
const STRAGGLER_TIME: Duration = Duration::from_secs(150);
/// More than there are handlers to wake.
const MOST_WAKES: usize = 64;

/// Where tiny_http listens, and what proves that a request came through the gate. Clones are the
/// same door.
///
/// An abstract socket has no owner and no mode: any program on the machine could connect to it,
/// go around every check of the gate and claim any peer. So the gate sends a random key with each
/// request, and one without it is refused.
#[derive(Clone)]
pub struct Door(Arc<DoorParts>);

struct DoorParts {
    name: String,
    key: String,
    clients: Clients,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The server that takes requests; none while it is being built again.
    server: Option<Arc<Bound>>,
    /// The gate could not reach the server.
    reported: bool,
    stop: bool,
}

/// A listening server, and its listener's descriptor, by which it can be stopped.
struct Bound {
    server: ManuallyDrop<Server>,
    fd: RawFd,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({:?})", self.0.name)
    }
}

impl Door {
    /// A door at the abstract name `name` (without the leading NUL; at most 100 bytes), with a key
    /// of 128 random bits.
    pub fn new(name: &str) -> io::Result<Self> {
        SocketAddr::from_abstract_name(name)?;
        let key = hex(&random::<16>()?);
        Ok(Self(Arc::new(DoorParts {
            name: name.to_owned(),
            key,
            clients: Clients::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        })))
    }

    /// The key that each request carries as [`KEY`].
    pub(crate) fn key(&self) -> &str {
        &self.0.key
    }

    /// Which requests still have a client.
    pub fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// A connection to tiny_http that never blocks, not even now.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(fd.as_raw_fd(), &UnixAddr::new_abstract(self.0.name.as_bytes())?)?;
        Ok(UnixStream::from(fd))
    }

    /// Says that a connection was refused: nobody listens any more.
    pub(crate) fn report_closed(&self) {
        self.state().reported = true;
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, but not for long.
    fn wait_briefly<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.0.changed.wait_timeout(state, STRAGGLER_PAUSE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn is_at(&self, server: &Arc<Bound>) -> bool {
        self.state().server.as_ref().is_some_and(|current| Arc::ptr_eq(current, server))
    }

    /// Takes `server` out of service, if it still is the one in service.
    fn give_up(&self, server: &Arc<Bound>) {
        let mut state = self.state();
        if state.server.as_ref().is_some_and(|current| Arc::ptr_eq(current, server)) {
            state.server = None;
            self.0.changed.notify_all();
        }
    }

    fn bind(&self) -> io::Result<Bound> {
        let address = SocketAddr::from_abstract_name(&self.0.name)?;
        let listener = UnixListener::bind_addr(&address)?;
        let fd = listener.as_raw_fd();
        let server = catch_unwind(AssertUnwindSafe(move || Server::from_listener(listener, None)))
            .map_err(|_| io::Error::other("tiny_http could not start its threads"))?
            .map_err(io::Error::other)?;
        Ok(Bound { server: ManuallyDrop::new(server), fd })
    }
}

/// What [`start`] needs.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// Where to listen; the gate gets a clone.
    pub door: Door,
    /// Handler threads. As many as the gate serves at once (12): fewer, and slow clients can hold
    /// them all without the gate seeing it.
    pub handlers: usize,
    /// Each handler's stack in bytes. 128 KiB. tiny_http's own threads take theirs from
    /// [`sys::set_default_stack`](crate::sys::set_default_stack).
    pub stack: usize,
}

impl BackendConfig {
    /// 12 handlers with 128 KiB each.
    pub fn new(door: Door) -> Self {
        Self { door, handlers: 12, stack: 128 * 1024 }
    }
}

/// Why the server behind the gate did not start.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The name is taken, or no thread could be started.
    #[error("the server behind the gate cannot listen")]
    Listen(#[source] io::Error),
    /// One of our threads.
    #[error("a thread of the server cannot be started")]
    Thread(#[source] io::Error),
}

impl Explain for BackendError {
    fn code(&self) -> Code {
        match self {
            BackendError::Listen(_) => Code::BackendListen,
            BackendError::Thread(_) => Code::BackendThread,
        }
    }

    fn hint(&self) -> String {
        match self {
            BackendError::Listen(_) => "Another mi360d may be running: stop it, then start again.",
            BackendError::Thread(_) => "Stop other programs to free memory, then start again.",
        }
        .to_owned()
    }
}

/// A running server. Dropped without [`BackendHandle::stop`] it runs on.
#[derive(Debug)]
pub struct BackendHandle {
    door: Door,
    threads: Vec<JoinHandle<()>>,
}

/// Starts tiny_http, its handlers, and the thread that builds it again. A handler that panics
/// ends neither its thread nor the server: the client gets a 500.
pub fn start<H>(config: &BackendConfig, handler: H) -> Result<BackendHandle, BackendError>
where
    H: Fn(Request) + Send + Sync + 'static,
{
    let door = config.door.clone();
    let bound = door.bind().map_err(BackendError::Listen)?;
    door.state().server = Some(Arc::new(bound));

    let mut handle = BackendHandle { door: door.clone(), threads: Vec::new() };
    let handler = Arc::new(handler);
    let spawn = |name: &str, body: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.to_owned()).stack_size(config.stack).spawn(body)
    };
    for number in 0..=config.handlers {
        let door = door.clone();
        let handler = Arc::clone(&handler);
        let spawned = if number < config.handlers {
            spawn("web", Box::new(move || handle_requests(&door, &*handler)))
        } else {
            let handlers = config.handlers;
            spawn("web-keeper", Box::new(move || keep_alive(&door, handlers)))
        };
        match spawned {
            Ok(thread) => handle.threads.push(thread),
            Err(error) => {
                handle.stop();
                return Err(BackendError::Thread(error));
            }
        }
    }
    Ok(handle)
}

impl BackendHandle {
    /// Stops listening and waits until every handler has ended what it was doing.
    pub fn stop(self) {
        let server = {
            let mut state = self.door.state();
            state.stop = true;
            state.server.take()
        };
        self.door.0.changed.notify_all();
        if let Some(server) = server {
            close(&server, &self.door);
            retire(&server, self.threads.len());
        }
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("a thread of the server had panicked");
            }
        }
    }
}

/// Ends the accept loop: it takes the end of its listener for an error. The descriptor is
/// tiny_http's, and closed if its loop has ended before; so its name is checked first.
fn close(server: &Bound, door: &Door) {
    let ours = UnixAddr::new_abstract(door.0.name.as_bytes()).ok();
    if getsockname::<UnixAddr>(server.fd).ok() == ours && ours.is_some() {
        let _ = shutdown(server.fd, Shutdown::Both);
    }
}

/// Wakes all who wait for requests of this server, and answers those that came too late.
fn retire(server: &Bound, waiting: usize) {
    answer_late(server);
    for _ in 0..waiting {
        server.server.unblock();
    }
}

/// Answers 500 to what is in the queue of a server that nobody serves any more. A request left
/// there would hold its connection forever.
fn answer_late(server: &Bound) {
    // A wake that nobody needed looks like an empty queue: requests may be behind it.
    for _ in 0..MOST_WAKES {
        if let Ok(Some(late)) = server.server.try_recv() {
            drop(late); // answers 500
        }
    }
}

fn handle_requests(door: &Door, handler: &(dyn Fn(Request) + Send + Sync)) {
    loop {
        let server = {
            let mut state = door.state();
            loop {
                if state.stop {
                    return;
                }
                if let Some(server) = &state.server {
                    break Arc::clone(server);
                }
                state = door.wait(state);
            }
        };
        match catch_unwind(AssertUnwindSafe(|| server.server.recv())) {
            Ok(Ok(request)) => handle(door, request, handler),
            Ok(Err(error)) => {
                if door.is_at(&server) {
                    log::error!("tiny_http has stopped accepting: {error}");
                    door.give_up(&server);
                }
            }
            Err(_) => door.give_up(&server),
        }
    }
}

fn handle(door: &Door, request: Request, handler: &(dyn Fn(Request) + Send + Sync)) {
    if header(&request, KEY) != Some(door.key()) {
        log::warn!("a program on this machine tried to bypass the gate: refused");
        let _ = request.respond(Response::empty(403));
        return;
    }
    // Unwinding drops the request, and dropped without an answer it says 500.
    if catch_unwind(AssertUnwindSafe(|| handler(request))).is_err() {
        log::error!("a handler panicked: the request was answered with 500");
    }
}

/// Builds tiny_http again whenever it has given up, with growing pauses where that fails.
fn keep_alive(door: &Door, handlers: usize) {
    let mut pause = FIRST_PAUSE;
    let mut last: Option<Arc<Bound>> = door.state().server.clone();
    let mut given_up: Vec<(Arc<Bound>, Instant)> = Vec::new();
    loop {
        {
            let mut state = door.state();
            while !state.stop && !state.reported && state.server.is_some() {
                if given_up.is_empty() {
                    state = door.wait(state);
                    continue;
                }
                state = door.wait_briefly(state);
                given_up.retain(|(old, since)| {
                    answer_late(old);
                    since.elapsed() < STRAGGLER_TIME
                });
            }
            if state.stop {
                return;
            }
            // A report may be older than the server in service: ask it.
            if std::mem::take(&mut state.reported) && state.server.is_some() {
                if !matches!(door.connect(), Err(e) if e.kind() == io::ErrorKind::ConnectionRefused)
                {
                    continue;
                }
                state.server = None;
            }
        }
        if let Some(old) = last.take() {
            close(&old, door);
            retire(&old, handlers);
            given_up.push((old, Instant::now()));
        }
        match door.bind() {
            Ok(bound) => {
                log::warn!("tiny_http was restarted");
                let bound = Arc::new(bound);
                last = Some(Arc::clone(&bound));
                let mut state = door.state();
                if state.stop {
                    drop(state);
                    close(&bound, door);
                    return;
                }
                state.server = Some(bound);
                drop(state);
                door.0.changed.notify_all();
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                log::error!("tiny_http cannot be restarted: {error}; trying again");
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// The value of the first header of this name.
pub fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut headers = request.headers().iter();
    headers
        .find(|header| header.field.as_str().as_str().eq_ignore_ascii_case(name))
        .map(|header| header.value.as_str())
}

/// The number under which the gate knows the request's client. None only if the request is not the
/// gate's.
pub fn number(request: &Request) -> Option<u64> {
    header(request, NUMBER)?.parse().ok()
}

/// The client's address, as the gate saw it. None only if the request is not the gate's.
pub fn peer(request: &Request) -> Option<std::net::IpAddr> {
    header(request, PEER)?.parse().ok()
}
