//! RTSP that does not break: `mi360d rtsp`, a process of its own, so that nothing it does can hurt
//! the daemon. Depends on nothing of the camera, the card, or the page.
//!
//! ```text
//!  FIFO -> source (a thread each) -> annexb, assemble -> frame -> feed: the ring of shared frames
//!                                                                   |
//!             RTSP, RTP, RTCP  <-  server (one thread, one poll)  <-+->  local: the daemon's page
//! ```
//!
//! | file | contents |
//! | --- | --- |
//! | [`bits`], [`picture`] | bits of parameter sets; sizes and rates; pure |
//! | [`h264`], [`h265`] | kinds of units, parameter sets, continuity; pure |
//! | [`annexb`], [`params`], `unit`, [`assemble`] | bytes become whole pictures, or none; pure |
//! | [`clock`], [`timeline`] | even times from uneven arrivals; the encoder's own times; pure |
//! | [`sound`] | the microphone's sound as clients play it; pure |
//! | [`speech`] | what a client says, as the firmware's speaker plays it; pure |
//! | [`flac`] | sound as a browser plays it next to the picture; pure |
//! | [`frame`], [`ring`] | a picture as all share it, in RTP packets; the last ones; pure |
//! | [`rtp`], [`sdp`], [`message`], [`transport`] | the protocols' texts and bytes; pure |
//! | [`auth`] | logins; pure. What wrong ones cost is in [`crate::access`] |
//! | [`fmp4`] | a frame as MP4, for the page; pure |
//! | [`scene`], [`jpeg`] | a made-up picture where there is no camera; pure |
//! | [`pretend`] | a made-up camera that serves it as the firmware does |
//! | [`source`], `feed` | the reading thread, and what it shares with the server's |
//! | `firmware` | the one thread that reads the firmware's own frames ([`crate::vendor::frames`]) |
//! | `snapshots` | JPEG files from the firmware's encoder, shared by all clients |
//! | [`speaker`] | the speaker's one user, its pace and its time limit |
//! | [`server`] | the one thread that speaks with the network |
//! | [`stats`], [`client`] | the state as a document; how the daemon asks for it |
//!
//! **How the daemon uses it.** It starts the process as a hack, and asks it through an abstract
//! Unix socket (`mi360d-rtsp-PORT`), which only the same user may speak to: [`client::stats`] for
//! the page, [`client::snapshot`] for `GET /api/v1/snapshot`, [`client::live`], whose `Read` is the
//! body of `GET /api/v1/live`. docs/rtsp.md tells the rest.

pub mod annexb;
pub mod assemble;
pub mod auth;
pub mod bits;
pub mod client;
pub mod clock;
pub mod error;
mod feed;
mod firmware;
pub mod flac;
pub mod fmp4;
pub mod frame;
pub mod h264;
pub mod h265;
pub mod jpeg;
pub mod message;
pub mod params;
pub mod picture;
pub mod pretend;
pub mod ring;
pub mod rtp;
pub mod scene;
pub mod sdp;
pub mod server;
mod snapshots;
pub mod sound;
pub mod source;
pub mod speaker;
pub mod speech;
pub mod stats;
pub mod timeline;
pub mod transport;
mod unit;

pub use error::RtspError;
pub use server::{Config, Server};
pub use sound::SoundForm;
pub use source::StreamSource;
