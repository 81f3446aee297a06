//! tiny_http behind the gate: on an abstract Unix socket, with a bounded number of handler threads,
//! and restarted when it gives up.
//!
//! tiny_http 0.12 ends its accept loop at the first error, and with a panic when a thread cannot be
//! started. The first makes `recv` fail, the second only closes its socket: then the gate's connect
//! is refused, and the gate says so through the [`Door`].

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tiny_http::{Request, Response};

use crate::error::{Code, Explain};
use crate::web::door::{Bound, Door, answer_late, close, retire};
use crate::web::gate::forward::{KEY, NUMBER, PEER};

/// The first pause before tiny_http is built again after a failure, and the longest; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// For how long a server that was given up is asked for requests that its threads had not read
/// yet: longer than the gate waits for an answer.
const STRAGGLER_TIME: Duration = Duration::from_secs(150);

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
        self.door.notify();
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
                door.notify();
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
