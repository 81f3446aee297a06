//! mortox: the stock firmware's bus for settings and events. Every stock service registers for the
//! keys it acts on; a new value of a key is sent to all of them at once (docs/controls.md).
//!
//! | file | contains |
//! | --- | --- |
//! | `key` | the keys that may be read, and the changes that may be sent: types, never free text |
//! | `wire` | packets and their parameters; pure |
//! | `connection` | one connection |
//! | `sync` | the one command that writes the settings to DATA now |
//! | `pace` | how often a change may be sent; pure |
//! | `bus` | the daemon's connection: kept, made again, and shared by all who ask |
//!
//! The bus also carries the owner's secrets (WiFi password, tokens, the identity of FACTORY). So
//! there is no type for such a key, no way to name a key as text, and no `list` command.

pub mod bus;
pub mod connection;
pub mod key;
pub mod pace;
pub mod sync;
pub mod wire;

pub use connection::{Mortox, SOCKET};
pub use key::{Change, Key, Layer};
pub use wire::{Garbled, Said};
