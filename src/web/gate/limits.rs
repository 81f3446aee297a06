//! The gate's limits.

use std::time::Duration;

/// The gate's limits. The defaults are for a camera with 64 MiB: all that strangers can make
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
    /// Bytes of a refused body that are still read and thrown away, as long as they come: a client
    /// that is reset while it sends never sees why. 17 MiB: the largest upload and a bit.
    pub refused_body: u64,
    /// How long they may take in all. 3 min: such an upload at 100 KiB/s.
    pub refused_time: Duration,
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
            refused_body: 17 << 20,
            refused_time: Duration::from_secs(180),
            kernel_buffer: 32 * 1024,
        }
    }
}
