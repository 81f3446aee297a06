//! ONVIF, the part of profile S that recorders need: their requests, their login, and the answers.
//! Pure: facts and time come in; [`crate::camera::onvif`] has them, and moves the motors.
//!
//! | file | contents |
//! | --- | --- |
//! | `xml` | a small reader for what strangers send, and escaping for what is answered |
//! | `login` | WS-Security's UsernameToken by digest, and what was used before |
//! | `fault` | why a request is not answered, as ONVIF says it |
//! | `audio` | the microphone and the speaker, in the words of the media service |
//! | `control` | motors by places and presets, imaging |
//! | `events` | pull points, for motion |
//! | `facts` | what is stated about the camera, and what comes back of a request |
//! | `answer`, `values` | from a request to its answer; what fills the templates of `answers.xml` |
//! | `discovery` | WS-Discovery: "is there a camera?" |

mod answer;
mod audio;
pub mod control;
pub mod discovery;
pub mod door;
pub mod events;
mod facts;
mod fault;
pub mod login;
mod template;
mod values;
pub mod xml;

pub use answer::{answer, is_open};
pub use facts::{Answered, Moved, OnvifFacts, Sound, Stream};
pub use fault::{Fault, fault};

use sha1::{Digest as _, Sha1};

/// A UUID that the same words give again.
pub fn uuid(words: &str) -> String {
    let hash = crate::base::hex(&Sha1::digest(words.as_bytes()));
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default().to_owned();
    // Version 5, as hashes make them.
    format!("{}-{}-5{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}
