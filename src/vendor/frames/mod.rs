//! The firmware's frame transport (its library calls it shbf): pictures, sound and snapshots, each
//! from a Unix socket `DIR/control`. docs/rtsp.md has the protocol in short.
//!
//! | file | contains |
//! | --- | --- |
//! | [`wire`] | datagrams and the frame file's page header; pure |
//! | [`payload`] | what the frame file contains: the headers of pictures, sound, JPEG; pure |
//! | [`error`] | why something was not understood, in words |
//! | [`link`] | one connection: datagrams in, texts out, a polite end |
//! | [`endpoint`], `slot` | an endpoint and what is reported of it; its connection and what is due |
//! | `copied` | a frame, copied out of its file |
//! | `datagrams` | what a datagram means: a descriptor, a message, a frame |
//! | [`reader`] | all endpoints of this process: connecting, checking, waiting, asking |
//! | [`broadcaster`] | the other side: for tests, `demo` and a simulated camera |
//!
//! Rules that protect the vendor's process, which nothing else enforces:
//!
//! - A connection is closed only after its descriptor (the first datagram) or the end came. The
//!   vendor's library forgets to report a peer that left earlier, and fetch_av died of that.
//! - One connection for each endpoint, for as long as this process runs. None for a viewer.
//! - An end is polite: no more sending, read to the end, then close.
//! - A frame's descriptor is copied out and closed at once: each one that is kept costs memory.
//! - A key frame is requested at most once a second, a snapshot likewise. Silence is no error.

pub mod broadcaster;
mod copied;
mod datagrams;
pub mod endpoint;
pub mod error;
pub mod link;
pub mod payload;
pub mod reader;
mod slot;
pub mod wire;

pub use broadcaster::Broadcaster;
pub use endpoint::{Endpoint, EndpointKind, EndpointState, Event};
pub use error::FrameError;
pub use reader::Reader;
