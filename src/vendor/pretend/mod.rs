//! The firmware's services as `demo` and a simulated camera have them: the same sockets and the
//! same protocols, so that the program takes the same path as on a camera.
//!
//! | file | contains |
//! | --- | --- |
//! | `keys` | mortoxd's keys, and what devicekit and miio_algo do when one is set; pure |
//! | `server` | its sockets, fetch_av's, and that of motion |
//!
//! Pretended: that a set is echoed at once; devicekit's moves (350 ms a push, straight to a
//! target); miio_algo's switch between day and night after a tenth of a second; the values of a
//! camera that was set up (the bench had none); that something moves while there is a file `motion`
//! in the simulated camera's folder. Not pretended: the cloud, the card, sounds.

pub mod keys;
mod server;

pub use server::Pretend;
