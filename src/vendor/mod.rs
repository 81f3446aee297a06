//! The stock firmware's own services, as this program speaks to them. Only here are their protocols
//! known: pure codecs, and one connection for each service.
//!
//! | file | contains |
//! | --- | --- |
//! | [`frames`] | pictures, sound and snapshots: the vendor's shbf library on the wire |
//! | [`mortox`] | settings and events of mortoxd: one key read, or watched |
//! | [`mortox_sync`] | mortoxd, asked to write its settings |

pub mod frames;
pub mod mortox;
pub mod mortox_sync;
