//! The gate in front of tiny_http: the only part of the daemon that strangers can reach.
//!
//! tiny_http 0.12 gives every connection a thread, waits forever, lets a header line grow without
//! bound, allocates what a Content-Length claims, and stops accepting at the first error. So it
//! listens on an abstract Unix socket, out of reach, and here one thread with one `poll(2)`
//! accepts, reads each request whole under limits and deadlines, judges it, and only then hands it
//! on and carries the answer back.
//!
//! One thread, and no workers: on one core more threads carry no more bytes, and a connection that
//! is only a state costs a table row where a thread costs a stack. So slow or idle clients can be
//! many without blocking anyone, `/healthz` is answered here even when every place behind the gate
//! is accepted, and another one is dropped from the table.
//!
//! | file | contents |
//! | --- | --- |
//! | [`head`], [`head_buffer`] | the parser of heads; a head as it arrives; pure |
//! | [`host`] | which Host is ours; pure |
//! | [`table`] | who has to go when it is full; pure |
//! | [`answer`] | what the gate says itself; pure |
//! | [`forward`] | heads rewritten on their way through; pure |
//! | [`spool`] | bodies that leave for the card |
//! | `conn` | one client, from its first byte to its end |
//! | `relay` | one request with tiny_http, and its answer on the way back |
//! | `poll_loop` | the thread |
//! | `accept` | new connections, and which one makes room |

mod accept;
pub mod answer;
mod conn;
pub mod forward;
pub mod head;
pub mod head_buffer;
pub mod host;
mod limits;
mod poll_loop;
mod relay;
mod shared;
pub mod spool;
pub mod table;

pub use limits::Limits;
pub use shared::{ForeignHost, ForeignPage};

use shared::Shared;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::error::{Code, Explain};
use crate::web::door::Door;
use crate::web::gate::host::Names;

/// The gate thread's stack in bytes: its buffers are on the heap, and it calls nothing deep.
const STACK: usize = 128 * 1024;

/// What [`Gate::start`] needs.
#[derive(Debug)]
pub struct GateConfig {
    /// Where clients connect; bound by the caller, who also chooses another port if one is taken.
    pub listener: TcpListener,
    /// Where tiny_http listens.
    pub door: Door,
    /// Host names that are the camera's, besides addresses, `localhost` and `*.local`.
    pub hosts: Names,
    /// Makes the page for a person who came by another name; without it, all get the error as JSON.
    pub foreign: Option<ForeignPage>,
    /// What is allowed.
    pub limits: Limits,
    /// The receiver of bodies that are too large for memory.
    pub uploads: Option<Arc<dyn spool::Spool>>,
}

/// Why the gate did not start.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The listener cannot be used.
    #[error("the listening socket cannot be used")]
    Listener(#[source] io::Error),
    /// The pair of sockets that wakes the gate's thread.
    #[error("no socket to wake the gate with")]
    Wake(#[source] io::Error),
    /// The thread.
    #[error("the gate's thread cannot be started")]
    Thread(#[source] io::Error),
}

impl Explain for GateError {
    fn code(&self) -> Code {
        match self {
            GateError::Listener(_) => Code::GateListener,
            GateError::Wake(_) => Code::GateWake,
            GateError::Thread(_) => Code::GateThread,
        }
    }

    fn hint(&self) -> String {
        match self {
            GateError::Listener(_) => "Listen on another address.",
            GateError::Wake(_) | GateError::Thread(_) => {
                "Stop other programs to free memory, then start again."
            }
        }
        .to_owned()
    }
}

/// What has happened since the start, and the state now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections dropped without an answer: too slow, too many, or broken.
    pub dropped: u64,
    /// Requests the gate answered with an error of its own.
    pub refused: u64,
    /// Requests whose answer went out whole.
    pub served: u64,
    /// Connections open now.
    pub open: u64,
    /// Requests with tiny_http now.
    pub serving: u64,
}

/// The gate; see the module.
#[derive(Debug)]
pub struct Gate;

impl Gate {
    /// Starts the gate's thread. It runs until the handle stops it.
    pub fn start(config: GateConfig) -> Result<GateHandle, GateError> {
        let address = config.listener.local_addr().map_err(GateError::Listener)?;
        config.listener.set_nonblocking(true).map_err(GateError::Listener)?;
        let (wake, woken) = UnixStream::pair().map_err(GateError::Wake)?;
        wake.set_nonblocking(true).map_err(GateError::Wake)?;
        woken.set_nonblocking(true).map_err(GateError::Wake)?;
        let shared = Arc::new(Shared {
            hosts: Mutex::new(config.hosts),
            foreign: config.foreign,
            uploads: config.uploads,
            ..Shared::default()
        });
        let gate = poll_loop::PollLoop::new(
            config.listener,
            woken,
            config.door,
            config.limits,
            Arc::clone(&shared),
        );
        let thread = thread::Builder::new()
            .name("gate".to_owned())
            .stack_size(STACK)
            .spawn(move || gate.run())
            .map_err(GateError::Thread)?;
        Ok(GateHandle { shared, address, wake, thread })
    }
}

/// The host names of a gate, changed from elsewhere.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<Shared>);

impl Hosts {
    /// Replaces the names; the next request is judged by these.
    pub fn set(&self, hosts: Names) {
        *self.0.hosts() = hosts;
    }
}

/// A running gate. Dropped without [`GateHandle::stop`] it runs on for as long as the process.
#[derive(Debug)]
pub struct GateHandle {
    shared: Arc<Shared>,
    address: SocketAddr,
    wake: UnixStream,
    thread: JoinHandle<()>,
}

impl GateHandle {
    /// Where clients connect.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters as they stand.
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            accepted: read(&self.shared.accepted),
            dropped: read(&self.shared.dropped),
            refused: read(&self.shared.refused),
            served: read(&self.shared.served),
            open: read(&self.shared.open),
            serving: read(&self.shared.serving),
        }
    }

    /// Its host names.
    pub fn hosts(&self) -> Hosts {
        Hosts(Arc::clone(&self.shared))
    }

    /// Closes the listener and every connection, and waits for the thread.
    pub fn stop(mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // Full means that the thread has not read earlier bytes yet, and will wake for those.
        let _ = self.wake.write(&[0]);
        if self.thread.join().is_err() {
            log::error!("the gate's thread had panicked");
        }
    }
}
