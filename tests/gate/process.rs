//! The gate in a process of its own, so that its memory can be measured, and its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mi360d::web::backend::{self, BackendConfig};
use mi360d::web::door::Door;
use mi360d::web::gate::Limits;

use crate::rig::{Latch, get, handle, start_gate, turn, until_within};

/// Set in the environment of the process that serves.
const SERVES: &str = "MI360D_TEST_SERVES";
/// What the daemon's memory may grow by at its peak, what tiny_http needs included.
/// The gate itself stays below 2 MiB; tiny_http has as many threads as requests were ever served at
/// once, and on a busy PC those are more than on a quiet one.
const GROWTH_KIB: u64 = 4 * 1024;

/// Serves until its standard input ends, then stops gate and server, and all threads and descriptors
/// must have been given back. [`Served`] starts it in a process of its own.
#[test]
fn what_serves_gives_all_back_at_its_end() {
    if std::env::var_os(SERVES).is_none() {
        return Served::start().stop();
    }
    let count = |dir| std::fs::read_dir(dir).unwrap().count();
    let census = || (count("/proc/self/fd"), count("/proc/self/task"));
    let before = census();
    let door = Door::new(&format!("mi360d-test-process-{}", std::process::id())).unwrap();
    let latch = Arc::new(Latch::default());
    let config = BackendConfig::new(door.clone());
    let backend = backend::start(&config, move |request| handle(request, &latch)).unwrap();
    let gate = start_gate(door, Limits::default());
    println!("\nport {}", gate.local_addr().port());
    let _ = std::io::stdin().read(&mut [0]);
    gate.stop();
    backend.stop();
    until_within(Duration::from_secs(15), "all is given back", || census() <= before);
}

/// The serving process.
struct Served {
    child: Child,
    says: BufReader<ChildStdout>,
    addr: std::net::SocketAddr,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["process::what_serves_gives_all_back_at_its_end", "--exact", "--nocapture"])
            .env(SERVES, "1")
            // As on the camera: small stacks, and one heap for all threads.
            .env("MALLOC_ARENA_MAX", "1")
            .env("RUST_MIN_STACK", mi360d::sys::DEFAULT_STACK.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let port = says
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
            .expect("the process says its port");
        Self { child, says, addr: ([127, 0, 0, 1], port).into() }
    }

    /// A line of its `/proc/PID/status`, in its unit.
    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Starts the measure of the peak anew.
    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.says.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "it did not end well: {rest}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Clients that each send this and then neither read nor close.
fn crowd(addr: std::net::SocketAddr, clients: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let send = |_| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_nonblocking(true).unwrap();
        // Some are dropped while they send: that is the point.
        let _ = stream.write(bytes);
        stream
    };
    (0..clients).map(send).collect()
}

#[test]
fn no_crowd_makes_the_memory_grow_by_four_mebibytes() {
    // Its hundreds of sockets are this process's, and another test may take descriptors away.
    let _turn = turn();
    let served = Served::start();
    for _ in 0..20 {
        assert_eq!(get(served.addr, "/peer").status, 200);
    }
    served.forget_peak();
    let before = served.status("VmRSS:");
    let host = "HTTP/1.1\r\nHost: localhost\r\n";
    let body = format!("POST /count {host}Content-Length: 65536\r\n\r\n");
    let crowds: [(&str, usize, Vec<u8>); 6] = [
        ("idle", 300, Vec::new()),
        ("heads of 16 KiB", 300, [b"GET /", &[b'x'; 16_000][..]].concat()),
        ("heads of 1 MiB", 100, [b"GET /".to_vec(), vec![b'x'; 1 << 20]].concat()),
        ("bodies cut short", 300, [body.as_bytes().to_vec(), vec![b'b'; 60_000]].concat()),
        ("bodies of 64 KiB", 300, [body.as_bytes().to_vec(), vec![b'b'; 65_536]].concat()),
        ("slow readers of 16 MiB", 100, format!("GET /big {host}\r\n").into_bytes()),
    ];
    let mut held = Vec::new();
    for (what, clients, bytes) in crowds {
        held.push(crowd(served.addr, clients, &bytes));
        for _ in 0..10 {
            let reply = get(served.addr, "/healthz");
            assert_eq!((reply.status, reply.body_text()), (200, "ok"), "{what}");
        }
        println!(
            "{what}: peak {} KiB over {before}, {} threads",
            served.status("VmHWM:").saturating_sub(before),
            served.status("Threads:"),
        );
    }
    drop(held);
    let grown = served.status("VmHWM:").saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grew by {grown} KiB");
    assert_eq!(get(served.addr, "/peer").status, 200);
    served.stop();
}
