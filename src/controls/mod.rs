//! Controls: what the camera's own firmware lets its owner set, as switches, choices and numbers.
//! Page, API, MQTT and ONVIF all go through here.
//!
//! | file | contains |
//! | --- | --- |
//! | `table` | every control: what it takes, its keys on the bus, its values; pure |
//! | `evidence` | whether this camera's firmware acts on a key |
//! | `originals` | what was set before the first change, kept on the card |
//! | `engine` | the connection, and what is shown |
//! | `known` | what is known, and the thread that asks for more |
//! | `change` | changes, and putting them back |
//! | `detector` | what single messages and answers make of events; pure |
//! | `events` | what happened: motion, day and night, the button |
//! | `motors` | moves, absolute moves, calibration |
//! | `presets` | positions with names, kept on the card |
//! | `patrol` | from preset to preset with pauses; pure |
//! | `view` | the documents |
//! | `error` | why a change was not made |
//!
//! A control is offered only where this camera's firmware has answered for it: the name of the key
//! is in the bytes of the program that acts on it, mortoxd took the registration, and a change was
//! echoed. Otherwise it is absent, with the reason.

mod change;
pub mod detector;
pub mod engine;
pub mod error;
pub mod events;
pub mod evidence;
mod known;
pub mod motors;
pub mod originals;
pub mod patrol;
pub mod presets;
pub mod table;
pub mod view;

pub(crate) use engine::NEVER;
pub use engine::{Controls, Firmware};
pub use error::ControlError;
pub use table::{ControlForm, Id, Value};
