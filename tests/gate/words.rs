//! What single requests are answered with.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::atomic::Ordering;

use mi360d::web::gate::Limits;

use crate::rig::{Rig, names, read_reply};

#[test]
fn requests_and_bodies_reach_the_handler_and_the_answer_says_close() {
    let rig = Rig::new(Limits::default());
    let body = vec![b'b'; 64 * 1024];
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: cam.local\r\nContent-Length: {}\r\n\r\n", 65536);
    let reply = rig.send([head.as_bytes(), &body].concat());
    assert_eq!((reply.status, reply.body.len()), (200, 65536));
    assert_eq!(reply.body, body);
    assert!(reply.has("Connection: close"), "{}", reply.head);

    let reply = rig.send("GET /peer HTTP/1.0\r\nX-Mi360d-Peer: 8.8.8.8\r\n\r\n");
    assert_eq!(reply.body_text(), "127.0.0.1", "what the client claims does not count");

    let reply = rig.send("HEAD /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    rig.end();
}

#[test]
fn a_client_that_closes_its_half_gets_its_answer() {
    let rig = Rig::new(Limits::default());
    let mut stream = rig.connect();
    stream.write_all(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    rig.latch.open();
    assert_eq!(read_reply(&mut stream).unwrap().body_text(), "unblocked");
    drop(stream);
    rig.end();
}

#[test]
fn who_waits_for_100_continue_gets_it() {
    let rig = Rig::new(Limits::default());
    let mut stream = rig.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
              Expect: 100-continue\r\n\r\n",
        )
        .unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").unwrap();
    assert_eq!(read_reply(&mut stream).unwrap().body_text(), "hello");
    drop(stream);
    rig.end();
}

#[test]
fn healthz_is_answered_by_the_gate_to_get_and_head_only() {
    let rig = Rig::new(Limits::default());
    let before = rig.calls.load(Ordering::SeqCst);
    let reply = rig.get("/healthz?x");
    assert_eq!((reply.status, reply.body_text()), (200, "ok"));
    assert!(reply.has("Content-Type: text/plain; charset=utf-8"), "{}", reply.head);
    assert!(reply.has("Cache-Control: no-store"), "{}", reply.head);
    let reply = rig.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((reply.status, reply.body_text()), (200, ""));
    let reply = rig.send("POST /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((reply.status, reply.error_code().as_str()), (405, "method-not-allowed"));
    let reply = rig.send("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(reply.status, 403);
    assert_eq!(rig.calls.load(Ordering::SeqCst), before, "no handler was called");
    rig.end();
}

#[test]
fn what_is_not_plain_http_is_refused_in_json_and_reaches_no_handler() {
    let rig = Rig::new(Limits::default());
    let before = rig.calls.load(Ordering::SeqCst);
    let host = "Host: localhost\r\n";
    let long = "x".repeat(1024 * 1024);
    let cases = [
        (
            400,
            format!(
                "POST /echo HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"
            ),
        ),
        (400, format!("GET /echo HTTP/1.1\r\n{host}Content-Length: 2\r\n\r\nab")),
        (501, format!("POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        (400, format!("GET /a\0b HTTP/1.1\r\n{host}\r\n")),
        (400, "\0\0\0\0".to_owned()),
        (400, format!("GET /peer HTTP/1.1\r\n{host}{host}\r\n")),
        (400, "GET /peer HTTP/1.1\r\n\r\n".to_owned()),
        (400, format!("GET /peer HTTP/1.1\n{host}\n")),
        (400, format!("GET ftp://localhost/peer HTTP/1.1\r\n{host}\r\n")),
        (403, format!("GET http://rebound.evil.example/peer HTTP/1.1\r\n{host}\r\n")),
        (403, "GET /peer HTTP/1.1\r\nHost: rebound.evil.example\r\n\r\n".to_owned()),
        (403, "GET /peer HTTP/1.1\r\nHost: cam.example.evil.example\r\n\r\n".to_owned()),
        (413, format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 4294967296\r\n\r\n")),
        (413, format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 65537\r\n\r\n")),
        (417, format!("POST /echo HTTP/1.1\r\n{host}Expect: wonders\r\n\r\n")),
        (431, format!("GET /peer HTTP/1.1\r\n{host}X: {long}\r\n\r\n")),
        (431, format!("GET /peer HTTP/1.1\r\n{host}{}\r\n", "A: b\r\n".repeat(64))),
        (505, format!("GET /peer HTTP/3.0\r\n{host}\r\n")),
    ];
    for (status, request) in &cases {
        let reply = rig.send(request);
        let start: String = request.chars().take(80).collect();
        assert_eq!(reply.status, *status, "{start:?} got {}", reply.head);
        assert!(!reply.error_code().is_empty());
        for line in [
            "Connection: close",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Content-Type: application/json; charset=utf-8",
        ] {
            assert!(reply.has(line), "{start:?} got no {line} in {}", reply.head);
        }
    }
    assert_eq!(rig.calls.load(Ordering::SeqCst), before, "a handler was called");
    assert_eq!(rig.counters().refused, cases.len() as u64);
    rig.end();
}

#[test]
fn own_host_names_count_and_can_change() {
    let rig = Rig::new(Limits::default());
    let status =
        |name: &str| rig.send(format!("GET /peer HTTP/1.1\r\nHost: {name}\r\n\r\n")).status;
    assert_eq!(status("CAM.example:80"), 200);
    assert_eq!(status("door.example"), 403);
    rig.gate.as_ref().unwrap().hosts().set(names("door.example"));
    assert_eq!(status("door.example"), 200);
    assert_eq!(status("cam.example"), 403);
    rig.end();
}

#[test]
fn a_host_is_the_targets_or_the_host_lines_or_our_own_address() {
    let rig = Rig::new(Limits::default());
    let own = rig.addr.to_string();
    for (request, host) in [
        ("GET /host HTTP/1.0\r\n\r\n", own.as_str()),
        ("GET /host HTTP/1.1\r\nHost:\r\n\r\n", &own),
        ("GET /host HTTP/1.1\r\nHost: cam.local\r\n\r\n", "cam.local"),
        ("GET http://cam.example:80/host HTTP/1.1\r\nHost: evil.example\r\n\r\n", "cam.example:80"),
        ("GET /host HTTP/1.1\r\nHost: mi360-ab12.lan\r\n\r\n", "mi360-ab12.lan"),
    ] {
        let reply = rig.send(request);
        assert_eq!((reply.status, reply.body_text()), (200, host), "{request:?}");
    }
    rig.end();
}

#[test]
fn a_proxys_cookie_with_bytes_above_0x7e_locks_nobody_out() {
    let rig = Rig::new(Limits::default());
    let request = b"GET /peer HTTP/1.1\r\nHost: localhost\r\nCookie: city=Z\xfcrich; a=b\r\n\r\n";
    assert_eq!(rig.send(request).status, 200);
    rig.end();
}

#[test]
fn what_follows_a_request_is_never_a_request() {
    let rig = Rig::new(Limits::default());
    let before = rig.calls.load(Ordering::SeqCst);
    let hidden = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
    let mut junk = hidden.repeat(2).into_bytes();
    junk.extend((0..=255).cycle().take(100_000));
    let reply = rig.send(junk);
    assert_eq!(reply.body_text(), "hi", "one answer, and it arrives whole");
    assert_eq!(rig.calls.load(Ordering::SeqCst), before + 1);
    rig.end();
}

#[test]
fn a_handlers_panic_is_a_500_and_ends_nothing() {
    let rig = Rig::new(Limits::default());
    for path in ["/panic", "/drop"].into_iter().cycle().take(40) {
        let reply = rig.get(path);
        assert_eq!((reply.status, reply.error_code().as_str()), (500, "internal"), "{path}");
        assert!(reply.has("Connection: close"), "{}", reply.head);
    }
    rig.end();
}

#[test]
fn who_goes_around_the_gate_is_refused() {
    let rig = Rig::new(Limits::default());
    let before = rig.calls.load(Ordering::SeqCst);
    let name = SocketAddr::from_abstract_name(&rig.door_name).unwrap();
    for key in ["", "X-Mi360d-Key: 0\r\n"] {
        let mut stream = UnixStream::connect_addr(&name).unwrap();
        write!(
            stream,
            "GET /peer HTTP/1.1\r\nConnection: close\r\nX-Mi360d-Peer: 127.0.0.1\r\n{key}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    assert_eq!(rig.calls.load(Ordering::SeqCst), before);
    rig.end();
}

#[test]
fn what_follows_a_body_that_comes_later_is_never_a_request_either() {
    let rig = Rig::new(Limits::default());
    let calls = std::sync::Arc::clone(&rig.calls);
    let before = calls.load(Ordering::SeqCst);
    let mut stream = rig.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
              Expect: 100-continue\r\n\r\n",
        )
        .unwrap();
    // By now the gate has read the head, and waits for the body alone.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    let hidden = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
    stream.write_all(format!("hello{hidden}").as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).unwrap().body_text(), "hello");
    drop(stream);
    rig.end();
    assert_eq!(calls.load(Ordering::SeqCst) - before, 2, "this one, and the rig's own");
}

#[test]
fn an_old_client_gets_no_answer_before_the_answer() {
    let rig = Rig::new(Limits::default());
    let request = "POST /echo HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = rig.connect();
    stream.write_all(request.as_bytes()).unwrap();
    // HTTP/1.0 knows no interim answers: this client would take one for the answer itself.
    stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "nothing comes before the body was sent");
    stream.set_read_timeout(Some(crate::rig::SOON * 2)).unwrap();
    stream.write_all(b"hello").unwrap();
    let reply = read_reply(&mut stream).unwrap();
    assert_eq!((reply.status, reply.body_text()), (200, "hello"));
    drop(stream);
    rig.end();
}
