//! Heads of requests: no input panics, pieces give what the whole gives, and what goes on to
//! tiny_http reads back as the same request without anything the gate must drop.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use mi360d::web::gate::answer::Refusal;
use mi360d::web::gate::head::{MAX_HEADERS, parse};
use mi360d::web::gate::head_buffer::HeadBuffer;
use mi360d::web::gate::{forward, host};

const LIMIT: usize = 2048;

fn collect<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<Vec<u8>>, Refusal> {
    let mut buffer = HeadBuffer::new(LIMIT);
    for piece in pieces {
        if let Some(end) = buffer.feed(piece)? {
            return Ok(buffer.bytes().get(..end).map(<[u8]>::to_vec));
        }
    }
    Ok(None)
}

fuzz_target!(|input: &[u8]| {
    // The first byte says how large the pieces are.
    let Some((size, bytes)) = input.split_first() else { return };
    let whole = collect(std::iter::once(bytes));
    let pieces = collect(bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, pieces);

    let _ = forward::response(bytes);
    let _ = parse(bytes);
    let Ok(Some(text)) = whole else { return };
    assert!(text.len() <= LIMIT);
    let Ok(head) = parse(&text) else { return };
    let _ = head.host.map(|name| host::is_ours(name, &host::Names::default()));

    // The gate adds some lines of its own, which its parser would count.
    if head.headers.len() > MAX_HEADERS - 4 {
        return;
    }
    let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let own = head.host.unwrap_or("10.0.0.2");
    let added = forward::Added { peer, host: own, number: 7, key: "key" };
    let sent = forward::request(&head, &added, 0);
    let again = parse(&sent).expect("what the gate writes, the gate reads");
    assert_eq!(
        (again.method, again.target, again.version, again.content_length),
        (head.method, head.target, head.version, head.content_length),
    );
    assert!(!again.expects_continue);
    for (name, value) in [(forward::PEER, "10.0.0.1"), (forward::KEY, "key")] {
        let mut said = again.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        assert_eq!(said.next().map(|h| h.value), Some(value.as_bytes()));
        assert!(said.next().is_none(), "the client said {name} too");
    }
});
