//! A started gate with its tiny_http, a plain client, and the probe.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mi360d::web::backend::{self, BackendConfig};
use mi360d::web::door::Door;
use mi360d::web::gate::host::Names;
use mi360d::web::gate::{Gate, GateConfig, GateHandle, Limits};
use tiny_http::{Header, Request, Response};

/// What `/big` answers with.
pub const BIG: usize = 16 * 1024 * 1024;
/// How long anything may take that should happen at once.
pub const SOON: Duration = Duration::from_secs(5);
/// tiny_http ends the threads it no longer needs after 5 s.
const CALM: Duration = Duration::from_secs(20);
/// The probe's answers must come within this.
const PROMPT: Duration = Duration::from_secs(1);

/// Descriptors, threads and memory are the process's: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A door that tests open when they like.
#[derive(Default)]
pub struct Latch {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Latch {
    fn wait(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
    }

    fn close(&self) {
        *self.open.lock().unwrap() = false;
    }

    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// What the process has of what the daemon could leak.
#[derive(Clone, Copy, Debug)]
struct Census {
    fds: usize,
    /// The daemon's threads, by their names: tiny_http's take the name of who started it.
    threads: usize,
}

impl Census {
    fn take() -> Self {
        let fds = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| {
            // A thread may end meanwhile.
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        });
        let ours = ["gate", "web", "web-keeper", "server"];
        Self { fds, threads: names.filter(|name| ours.contains(&name.trim())).count() }
    }

    fn is_back_at(self, before: Self) -> bool {
        self.fds <= before.fds && self.threads <= before.threads
    }
}

/// tiny_http and its handlers: one for all tests, as its threads take 5 s to end.
struct Server {
    door_name: String,
    door: Door,
    latch: Arc<Latch>,
    calls: Arc<AtomicU64>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let start = || {
            let door_name = format!("mi360d-test-{}", std::process::id());
            let door = Door::new(&door_name).unwrap();
            let latch = Arc::new(Latch::default());
            let calls = Arc::new(AtomicU64::new(0));
            let (inner_latch, inner_calls) = (Arc::clone(&latch), Arc::clone(&calls));
            backend::start(&BackendConfig::new(door.clone()), move |request| {
                inner_calls.fetch_add(1, Ordering::SeqCst);
                handle(request, &inner_latch);
            })
            .unwrap();
            Server { door_name, door, latch, calls }
        };
        let builder = std::thread::Builder::new().name("server".to_owned());
        builder.spawn(start).unwrap().join().unwrap()
    })
}

/// The names of a camera: one that is set, one that is announced.
pub fn names(set: &str) -> Names {
    Names { set: vec![set.to_owned()], announced: vec!["mi360-ab12".to_owned()] }
}

pub fn start_gate(door: Door, limits: Limits) -> GateHandle {
    Gate::start(GateConfig {
        listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        door,
        hosts: names("cam.example"),
        foreign: None,
        limits,
        uploads: None,
    })
    .unwrap()
}

/// What the probe saw.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    pause: AtomicBool,
    asked: AtomicU64,
    slowest_ms: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// Everything of one test.
pub struct Rig {
    pub addr: SocketAddr,
    pub gate: Option<GateHandle>,
    pub latch: Arc<Latch>,
    pub calls: Arc<AtomicU64>,
    pub door_name: &'static str,
    probe: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
    before: Census,
    _turn: MutexGuard<'static, ()>,
}

/// Waits until no other test of this process opens descriptors, counts them or takes them away.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rig {
    pub fn new(limits: Limits) -> Self {
        static FIRST: OnceLock<Census> = OnceLock::new();
        let turn = turn();
        let server = server();
        server.latch.close();
        let gate = start_gate(server.door.clone(), limits);
        let addr = gate.local_addr();
        // Whatever is made once is made before the census, and the first one counts for all.
        assert_eq!(get(addr, "/peer").status, 200);
        until("the first connection is gone", || gate.counters().open == 0);
        let before = *FIRST.get_or_init(Census::take);

        let seen = Arc::new(Seen::default());
        let probe = Some(start_probe(addr, Arc::clone(&seen)));
        until("the probe asks", || seen.asked.load(Ordering::SeqCst) > 2);
        Self {
            addr,
            gate: Some(gate),
            latch: Arc::clone(&server.latch),
            calls: Arc::clone(&server.calls),
            door_name: &server.door_name,
            probe,
            seen,
            before,
            _turn: turn,
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        get(self.addr, path)
    }

    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Reply {
        exchange(self.addr, bytes.as_ref())
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.addr)
    }

    pub fn counters(&self) -> mi360d::web::gate::Counters {
        self.gate.as_ref().unwrap().counters()
    }

    /// Waits until so many connections are open. The probe's own come and go: it pauses.
    fn until_open(&self, wanted: u64) {
        self.quiet(|| {
            until(&format!("{wanted} open connections"), || self.counters().open == wanted);
        });
    }

    /// Does something with the probe silent.
    pub fn quiet<T>(&self, what: impl FnOnce() -> T) -> T {
        let was = self.seen.pause.swap(true, Ordering::SeqCst);
        until("the probe pauses", || self.seen.asked.load(Ordering::SeqCst).is_multiple_of(2));
        let result = what();
        self.seen.pause.store(was, Ordering::SeqCst);
        result
    }

    /// The test is over and its clients are gone: all must be as before.
    pub fn end(mut self) {
        assert_eq!(self.get("/peer").body_text(), "127.0.0.1", "a normal request works");
        self.until_open(0);
        self.seen.stop.store(true, Ordering::SeqCst);
        self.probe.take().unwrap().join().unwrap();
        let failures = std::mem::take(&mut *self.seen.failures.lock().unwrap());
        assert!(failures.is_empty(), "the probe saw {failures:?}");
        println!(
            "probe asked {} times, slowest {} ms; {:?}",
            self.seen.asked.load(Ordering::SeqCst) / 2,
            self.seen.slowest_ms.load(Ordering::SeqCst),
            self.counters(),
        );
        let before = self.before;
        until_within(CALM, &format!("the same census as {before:?}"), || {
            Census::take().is_back_at(before)
        });
        self.stop();
    }

    fn stop(&mut self) {
        self.latch.open();
        self.seen.stop.store(true, Ordering::SeqCst);
        if let Some(probe) = self.probe.take() {
            let _ = probe.join();
        }
        if let Some(gate) = self.gate.take() {
            gate.stop();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks `/healthz` and watches the memory; `asked` is odd while a question is open.
fn start_probe(addr: SocketAddr, seen: Arc<Seen>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !seen.stop.load(Ordering::SeqCst) {
            seen.asked.fetch_add(1, Ordering::SeqCst);
            if !seen.pause.load(Ordering::SeqCst) {
                let start = Instant::now();
                let answer =
                    try_exchange(addr, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let took = start.elapsed();
                let millis = u64::try_from(took.as_millis()).unwrap();
                seen.slowest_ms.fetch_max(millis, Ordering::SeqCst);
                let fine = answer.as_ref().is_ok_and(|reply| reply.body == b"ok");
                if !fine || took > PROMPT {
                    seen.failures.lock().unwrap().push(format!("{answer:?} after {took:?}"));
                }
            }
            seen.asked.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(10));
        }
    })
}

pub fn handle(mut request: Request, latch: &Latch) {
    let url = request.url().to_owned();
    match url.as_str() {
        "/echo" => {
            let mut body = Vec::new();
            request.as_reader().read_to_end(&mut body).unwrap();
            let answer = Response::from_data(body).with_chunked_threshold(usize::MAX);
            let _ = request.respond(answer);
        }
        "/count" => {
            let count = io::copy(request.as_reader(), &mut io::sink()).unwrap();
            let _ = request.respond(Response::from_string(count.to_string()));
        }
        "/host" => {
            let host = backend::header(&request, "Host").unwrap_or("none").to_owned();
            let _ = request.respond(Response::from_string(host));
        }
        "/peer" => {
            let peer = backend::peer(&request).unwrap().to_string();
            let _ = request.respond(Response::from_string(peer));
        }
        "/big" => {
            let kind = Header::from_bytes("Content-Type", "application/octet-stream").unwrap();
            let bytes = io::repeat(b'x').take(BIG as u64);
            let length = Some(BIG);
            let _ = request.respond(Response::new(200.into(), vec![kind], bytes, length, None));
        }
        "/block" => {
            latch.wait();
            let _ = request.respond(Response::from_string("unblocked"));
        }
        "/panic" => panic!("as asked"),
        "/drop" => drop(request),
        _ => {
            let _ = request.respond(Response::empty(404));
        }
    }
}

/// An answer, read until the gate closed.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn body_text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn has(&self, line: &str) -> bool {
        self.head.lines().any(|l| l.eq_ignore_ascii_case(line))
    }

    /// The code of an error in the contract's form.
    pub fn error_code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in {:?}", self.body_text()));
        let error = &json["error"];
        assert!(error["message"].is_string() && error["hint"].is_string(), "{json}");
        error["code"].as_str().unwrap().to_owned()
    }
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, SOON).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    stream
}

pub fn get(addr: SocketAddr, path: &str) -> Reply {
    exchange(addr, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
}

pub fn exchange(addr: SocketAddr, bytes: &[u8]) -> Reply {
    try_exchange(addr, bytes).unwrap()
}

fn try_exchange(addr: SocketAddr, bytes: &[u8]) -> io::Result<Reply> {
    let mut stream = connect(addr);
    stream.write_all(bytes)?;
    read_reply(&mut stream)
}

/// Reads to the end of the connection, which must be an orderly one.
pub fn read_reply(stream: &mut TcpStream) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| io::Error::other(format!("no head in {} bytes", bytes.len())))?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).map_err(io::Error::other)?;
    let status = head.get(9..12).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(head.clone()))?;
    Ok(Reply { status, head, body })
}

/// Waits for a condition; the deadline is long, the wait is not.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    until_within(SOON * 3, what, condition);
}

pub fn until_within(limit: Duration, what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
