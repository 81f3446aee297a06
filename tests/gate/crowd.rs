//! Many clients, slow ones, and ones that break off.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mi360d::web::gate::Limits;
use nix::sys::socket::{setsockopt, sockopt};

use crate::rig::{BIG, Rig, SOON, read_reply, until, until_within};

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &linger).unwrap();
    drop(stream);
}

#[test]
fn three_hundred_idle_connections_keep_nobody_out() {
    let rig = Rig::new(Limits { head_time: Duration::from_secs(60), ..Limits::default() });
    let mut idle = Vec::new();
    for number in 0..300 {
        idle.push(rig.connect());
        if number % 10 == 0 {
            assert_eq!(rig.get("/peer").status, 200, "with {number} idle");
        }
    }
    until("all are accepted and the oldest are gone", || rig.counters().dropped >= 300 - 64);
    // The youngest is still there, and works.
    let mut youngest = idle.pop().unwrap();
    youngest.write_all(b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut youngest).unwrap().status, 200);
    drop((idle, youngest));
    rig.end();
}

#[test]
fn heads_full_of_bytes_cost_no_more_than_the_budget() {
    // The clock alone would end them too.
    let long = Duration::from_secs(60);
    let rig = Rig::new(Limits { head_time: long, body_time: long, ..Limits::default() });
    let mut greedy = Vec::new();
    for _ in 0..120 {
        let mut stream = rig.connect();
        // Some are dropped while they write: that is the point.
        let _ = stream
            .write_all(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n");
        let _ = stream.write_all(&vec![b'x'; 60_000]);
        greedy.push(stream);
    }
    assert_eq!(rig.get("/peer").status, 200);
    until("only what the budget allows is left", || rig.counters().open <= 20);
    drop(greedy);
    rig.end();
}

/// Drips heads, a byte at a time, until the gate has ended them all; how long that took.
fn drip(rig: &Rig, clients: usize, pause: Duration) -> Vec<(Duration, u16)> {
    let start = Instant::now();
    let mut streams: Vec<_> = (0..clients).map(|_| Some(rig.connect())).collect();
    for stream in streams.iter().flatten() {
        stream.set_nonblocking(true).unwrap();
    }
    let mut ends = Vec::new();
    while ends.len() < clients {
        assert!(start.elapsed() < 4 * SOON, "{} of {clients} ended", ends.len());
        for slot in &mut streams {
            let Some(stream) = slot else { continue };
            let _ = stream.write(b"G");
            let mut answer = [0; 12];
            // Anything but "nothing yet" is the end; an answer must have come before it.
            if matches!(stream.read(&mut answer), Ok(12)) {
                let status = std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap();
                ends.push((start.elapsed(), status));
                *slot = None;
            }
        }
        std::thread::sleep(pause);
    }
    ends
}

#[test]
fn dripping_heads_are_ended_by_the_clock_and_told_so() {
    let rig = Rig::new(Limits { head_time: Duration::from_millis(600), ..Limits::default() });
    for (after, status) in drip(&rig, 40, Duration::from_millis(50)) {
        assert_eq!(status, 408);
        assert!(after >= Duration::from_millis(590) && after < SOON, "{after:?}");
    }
    rig.end();
}

#[test]
fn a_head_at_a_byte_a_second_is_ended_after_the_default_five_seconds() {
    let rig = Rig::new(Limits::default());
    for (after, status) in drip(&rig, 10, Duration::from_secs(1)) {
        assert_eq!(status, 408);
        assert!(after > Duration::from_secs(4) && after < Duration::from_secs(8), "{after:?}");
    }
    rig.end();
}

#[test]
fn a_body_that_does_not_come_is_ended_by_the_clock_and_reaches_no_handler() {
    let rig = Rig::new(Limits { body_time: Duration::from_millis(300), ..Limits::default() });
    let before = rig.calls.load(Ordering::SeqCst);
    let reply = rig.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf");
    assert_eq!((reply.status, reply.error_code().as_str()), (408, "request-timeout"));

    let mut cut = rig.connect();
    cut.write_all(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
        .unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    cut.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"", "nobody is there to be answered");
    drop(cut);
    assert_eq!(rig.calls.load(Ordering::SeqCst), before);
    rig.end();
}

#[test]
fn a_large_upload_is_refused_at_once_and_the_client_hears_it_while_it_sends() {
    let rig = Rig::new(Limits::default());
    let head = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BIG}\r\n\r\n");
    let piece = [b'u'; 16 * 1024];
    for _ in 0..5 {
        let mut stream = rig.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // Half of it, stubbornly, before the answer is looked at; then it is cut short.
        for _ in 0..512 {
            stream.write_all(&piece).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
        let reply = read_reply(&mut stream).unwrap();
        assert_eq!((reply.status, reply.error_code().as_str()), (413, "body-too-large"));
    }
    // And reset in the middle.
    for _ in 0..5 {
        let mut stream = rig.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&piece).unwrap();
        reset(stream);
    }
    rig.end();
}

#[test]
fn resets_at_every_moment_end_nothing() {
    let rig = Rig::new(Limits::default());
    for round in 0..200 {
        let mut stream = rig.connect();
        let request: &[u8] = match round % 5 {
            0 => b"",
            1 => b"GET /pe",
            2 => b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n",
            3 => b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n",
            _ => b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nab",
        };
        stream.write_all(request).unwrap();
        reset(stream);
    }
    // All at once.
    let streams: Vec<_> = (0..200).map(|_| rig.connect()).collect();
    for stream in streams {
        reset(stream);
    }
    rig.end();
}

#[test]
fn slow_readers_give_way_to_who_waits() {
    let rig = Rig::new(Limits::default());
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = rig.connect();
        stream.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        slow.push(stream);
    }
    until("every place is taken", || rig.counters().serving == 12);
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(rig.get("/peer").status, 200);
    }
    assert!(start.elapsed() < SOON, "they waited {:?}", start.elapsed());
    assert!(rig.counters().dropped >= 1, "{:?}", rig.counters());
    drop(slow);
    rig.end();
}

#[test]
fn a_reader_that_never_reads_is_dropped_and_one_that_reads_slowly_gets_all() {
    let rig = Rig::new(Limits { write_stall: Duration::from_millis(700), ..Limits::default() });
    let mut never = rig.connect();
    never.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("it is served", || rig.counters().serving == 1);
    until_within(SOON, "it is dropped", || rig.counters().serving == 0);
    assert_eq!(rig.counters().dropped, 1);

    let mut slowly = rig.connect();
    slowly.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut total = 0;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let count = slowly.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        total += count;
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(total > BIG, "{total} bytes of {BIG} and a head");
    drop((never, slowly));
    rig.end();
}

/// A request that the gate refuses at once; the client then neither closes nor reads.
fn refused(rig: &Rig) -> TcpStream {
    let mut stream = rig.connect();
    stream.write_all(b"GET /peer HTTP/1.1\r\n\r\n").unwrap();
    stream
}

#[test]
fn who_has_its_answer_and_goes_on_sending_is_ended_by_the_clock() {
    let limits = Limits { leave_time: Duration::from_millis(200), ..Limits::default() };
    let rig = Rig::new(limits);
    rig.quiet(|| {
        let before = rig.counters().refused;
        let mut stream = refused(&rig);
        until("it is answered", || rig.counters().refused == before + 1);
        // The gate has been around once more since: it is counted as open, unless it has ended.
        assert_eq!(rig.get("/healthz").status, 200);
        // Each byte comes in time for the next wait; all of them together must not.
        until_within(SOON * 2, "it is ended although it still sends", || {
            let mut sender = &stream;
            let _ = sender.write(b"x");
            std::thread::sleep(Duration::from_millis(20));
            rig.counters().open == 0
        });
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    });
    rig.end();
}

#[test]
fn a_slow_client_whose_body_is_refused_gets_the_answer_and_no_reset() {
    // It needs longer than one that only has to leave may take: five times this.
    let limits = Limits { leave_time: Duration::from_millis(500), ..Limits::default() };
    let rig = Rig::new(limits);
    let mut client = rig.connect();
    let piece = [0x5A; 4096];
    let pieces = 70;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        pieces * piece.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    for n in 0..pieces {
        client.write_all(&piece).unwrap_or_else(|e| panic!("piece {n}: {e}"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("the answer, not a reset");
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    drop(client);
    rig.end();
}

#[test]
fn those_that_have_their_answer_and_do_not_close_stay_few() {
    let limits = Limits { leaving: 3, leave_time: Duration::from_secs(60), ..Limits::default() };
    let rig = Rig::new(limits);
    rig.quiet(|| {
        let before = rig.counters().refused;
        let held: Vec<_> = (0..20).map(|_| refused(&rig)).collect();
        until("all are answered", || rig.counters().refused == before + 20);
        until("only as many as may leave are left", || rig.counters().open <= 3);
        drop(held);
    });
    rig.end();
}
