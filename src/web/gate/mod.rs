//! The gate in front of tiny_http: the only thing of the daemon that strangers can reach.
//!
//! tiny_http 0.12 gives every connection a thread, waits for ever, lets a header line grow without
//! bound, allocates what a Content-Length claims, and stops accepting at the first error. So it
//! listens on an abstract Unix socket, out of reach, and here one thread with one `poll(2)`
//! accepts, reads each request whole under limits and deadlines, judges it, and only then hands it
//! on and carries the answer back.
//!
//! One thread, and no workers: on one core more threads carry no more bytes, and a connection that
//! is only a state costs a table row where a thread costs a stack. So slow or idle clients can be
//! many without blocking anyone, `/healthz` is answered here even when every place behind the gate
//! is taken, and whoever has to go is simply dropped from the table.
//!
//! | file | holds |
//! | --- | --- |
//! | [`head`] | the parser of heads; pure |
//! | [`host`] | which Host is ours; pure |
//! | [`table`] | who has to go when it is full; pure |
//! | [`answer`] | what the gate says itself; pure |
//! | [`forward`] | heads rewritten on their way through; pure |
//! | [`spool`] | bodies that leave for the card |
//! | `conn` | one client, from its first byte to its end |
//! | `relay` | one request with tiny_http, and its answer on the way back |
//! | `poll_loop` | the thread |

pub mod answer;
mod conn;
pub mod forward;
pub mod head;
pub mod host;
mod poll_loop;
mod relay;
pub mod spool;
pub mod table;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::Explain;
use crate::web::backend::Door;
use crate::web::gate::host::Names;

/// The gate thread's stack in bytes: its buffers are on the heap, and it calls nothing deep.
const STACK: usize = 128 * 1024;

/// What the gate allows. The defaults are for a camera with 64 MiB: all that strangers can make
/// the gate itself hold stays under 2 MiB, and it has at most some 200 file descriptors open.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections whose request is not whole yet, in all. 64: several browsers that open six
    /// each, and room to tell idlers from owners.
    pub unfinished: usize,
    /// The same for one address, loopback excepted. 16: two browsers on one PC.
    pub unfinished_per_address: usize,
    /// Bytes of a head, its blank line included. 16 KiB: twice what servers usually take.
    pub head_bytes: usize,
    /// From accept to the whole head. 5 s: a few retransmissions on weak WiFi.
    pub head_time: Duration,
    /// Bytes of a body. 64 KiB: tiny_http allocates the unread rest of a body, so nothing larger
    /// may reach it.
    pub body_bytes: usize,
    /// From the whole head to the whole body. 10 s.
    pub body_time: Duration,
    /// Bytes of memory for requests that are unfinished or queued. 1 MiB: all heads at their
    /// largest, or a dozen of the largest bodies.
    pub held_bytes: usize,
    /// Requests with tiny_http at once. 12: each is one of its handlers' stacks, and four
    /// descriptors.
    pub served: usize,
    /// Whole requests that wait for a place. 32.
    pub queued: usize,
    /// How long they wait before they get a 503. 10 s: what a person waits for a page.
    pub queue_time: Duration,
    /// How long one waits before the slowest reader is dropped for it, and for how long at least
    /// that reader was served. 1 s.
    pub patience: Duration,
    /// How long a client may take none of its answer. 20 s.
    pub write_stall: Duration,
    /// How long an answer that has begun may pause when its client has closed its half: then it is
    /// gone. 5 s. While bytes go out, the first one tells.
    pub half_closed: Duration,
    /// How long tiny_http may give no byte. 120 s: longer than any `?wait=`, and than an erase.
    pub backend_silence: Duration,
    /// How long one request may be served in all. 1 h: a whole chip at 5 KiB/s.
    pub total_time: Duration,
    /// Connections that have their answer, and whose last bytes are read and thrown away. 32.
    pub leaving: usize,
    /// How long such a client may send nothing and not close. 2 s; it has five times that in all.
    pub leave_time: Duration,
    /// Bytes the kernel keeps for each direction of a connection (it takes twice that). 32 KiB:
    /// enough for some 10 MB/s in a home network, where its own choice can be 4 MiB each.
    pub kernel_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unfinished: 64,
            unfinished_per_address: 16,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(5),
            body_bytes: 64 * 1024,
            body_time: Duration::from_secs(10),
            held_bytes: 1024 * 1024,
            served: 12,
            queued: 32,
            queue_time: Duration::from_secs(10),
            patience: Duration::from_secs(1),
            write_stall: Duration::from_secs(20),
            half_closed: Duration::from_secs(5),
            backend_silence: Duration::from_secs(120),
            total_time: Duration::from_secs(3600),
            leaving: 32,
            leave_time: Duration::from_secs(2),
            kernel_buffer: 32 * 1024,
        }
    }
}

/// A person's request by a name that is none of ours.
#[derive(Clone, Copy, Debug)]
pub struct ForeignHost<'a> {
    /// The name, as the browser sent it.
    pub name: &'a str,
    /// Our address on this connection, by which the page opens.
    pub address: &'a str,
    /// The browser's Accept-Language.
    pub languages: &'a str,
}

/// The HTML for such a request.
pub type ForeignPage = fn(&ForeignHost<'_>) -> String;

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
    /// Who takes bodies that are too large to be held.
    pub uploads: Option<Arc<dyn spool::Spool>>,
}

/// Why the gate did not start.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The listener cannot be used.
    #[error("the listening socket cannot be used: {0}")]
    Listener(#[source] io::Error),
    /// The pair of sockets that wakes the gate's thread.
    #[error("no socket to wake the gate with: {0}")]
    Wake(#[source] io::Error),
    /// The thread.
    #[error("the gate's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl Explain for GateError {
    fn code(&self) -> &'static str {
        match self {
            GateError::Listener(_) => "gate-listener",
            GateError::Wake(_) => "gate-wake",
            GateError::Thread(_) => "gate-thread",
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

/// What has happened since the start, and how it stands now.
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

/// What the thread and its handle share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    hosts: Mutex<Names>,
    foreign: Option<ForeignPage>,
    uploads: Option<Arc<dyn spool::Spool>>,
    accepted: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    served: AtomicU64,
    open: AtomicU64,
    serving: AtomicU64,
}

impl Shared {
    fn hosts(&self) -> MutexGuard<'_, Names> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
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
