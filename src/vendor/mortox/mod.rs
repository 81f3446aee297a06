//! mortox: the stock firmware's bus for settings and events. Every stock service registers for the
//! keys it acts on; a new value of a key is sent to all of them at once (docs/controls.md).
//!
//! | file | contains |
//! | --- | --- |
//! | `key` | the keys that may be read: a type, never free text |
//! | `value` | what they may be, with bounds |
//! | `change` | the changes that may be sent: a type, never free text |
//! | `wire` | packets and their parameters; pure |
//! | `connection` | one connection |
//! | `sync` | the one command that writes the settings to DATA now |
//! | `pace` | how often a change may be sent; pure |
//! | `bus`, `shared` | the daemon's connection for all callers; what is known by it |
//! | `worker` | its thread: kept connected, one change after the other |
//!
//! The bus also carries the owner's secrets (WiFi password, tokens, the identity of FACTORY). So
//! there is no type for such a key, no way to name a key as text, and no `list` command.

pub mod bus;
pub mod change;
pub mod connection;
pub mod key;
pub mod pace;
pub mod shared;
pub mod sync;
pub mod value;
pub mod wire;
mod worker;

pub use change::Change;
pub use connection::{Mortox, SOCKET};
pub use key::{Key, Layer};
pub use wire::{Garbled, Said};
