//! The door between the gate and tiny_http: an abstract Unix socket and the key that each request
//! through it carries, and the server that listens there now.
//!
//! Dropping a `Server` of tiny_http 0.12 on an abstract address panics. So none is ever dropped: an
//! old one is emptied and forgotten, some hundred bytes for each time it is built again.

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, UnixAddr, connect, getsockname, shutdown, socket,
};
use tiny_http::Server;

use crate::base::{hex, random};
use crate::web::clients::Clients;

/// How often a server that was given up is asked for requests that its threads had not read yet.
const STRAGGLER_PAUSE: Duration = Duration::from_millis(200);
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

/// What the door's threads share.
#[derive(Default)]
pub(super) struct State {
    /// The server that takes requests; none while it is being built again.
    pub(super) server: Option<Arc<Bound>>,
    /// The gate could not reach the server.
    pub(super) reported: bool,
    pub(super) stop: bool,
}

/// A listening server, and its listener's descriptor, by which it can be stopped.
pub(super) struct Bound {
    pub(super) server: ManuallyDrop<Server>,
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, but not for long.
    pub(super) fn wait_briefly<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let waited = self.0.changed.wait_timeout(state, STRAGGLER_PAUSE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn is_at(&self, server: &Arc<Bound>) -> bool {
        self.state().server.as_ref().is_some_and(|current| Arc::ptr_eq(current, server))
    }

    /// Wakes all threads that wait for a change.
    pub(super) fn notify(&self) {
        self.0.changed.notify_all();
    }

    /// Takes `server` out of service, if it still is the one in service.
    pub(super) fn give_up(&self, server: &Arc<Bound>) {
        let mut state = self.state();
        if state.server.as_ref().is_some_and(|current| Arc::ptr_eq(current, server)) {
            state.server = None;
            self.0.changed.notify_all();
        }
    }

    pub(super) fn bind(&self) -> io::Result<Bound> {
        let address = SocketAddr::from_abstract_name(&self.0.name)?;
        let listener = UnixListener::bind_addr(&address)?;
        let fd = listener.as_raw_fd();
        let server = catch_unwind(AssertUnwindSafe(move || Server::from_listener(listener, None)))
            .map_err(|_| io::Error::other("tiny_http could not start its threads"))?
            .map_err(io::Error::other)?;
        Ok(Bound { server: ManuallyDrop::new(server), fd })
    }
}

/// Ends the accept loop: it takes the end of its listener for an error. The descriptor is
/// tiny_http's, and closed if its loop has ended before; so its name is checked first.
pub(super) fn close(server: &Bound, door: &Door) {
    let ours = UnixAddr::new_abstract(door.0.name.as_bytes()).ok();
    if getsockname::<UnixAddr>(server.fd).ok() == ours && ours.is_some() {
        let _ = shutdown(server.fd, Shutdown::Both);
    }
}

/// Wakes all who wait for requests of this server, and answers those that came too late.
pub(super) fn retire(server: &Bound, waiting: usize) {
    answer_late(server);
    for _ in 0..waiting {
        server.server.unblock();
    }
}

/// Answers 500 to what is in the queue of a server that nobody serves any more. A request left
/// there would hold its connection forever.
pub(super) fn answer_late(server: &Bound) {
    // A wake that nobody needed looks like an empty queue: requests may be behind it.
    for _ in 0..MOST_WAKES {
        if let Ok(Some(late)) = server.server.try_recv() {
            drop(late); // answers 500
        }
    }
}
