//! The stock firmware's own services, as this program speaks to them. Only here are their protocols
//! known: pure codecs, and one connection for each service.
//!
//! | file | contains |
//! | --- | --- |
//! | [`frames`] | pictures, sound and snapshots: the vendor's shbf library on the wire |
//! | [`mortox`] | settings and events: mortoxd's bus |
//! | [`av`] | fetch_av's direct commands: day or night, volume |
//! | [`pretend`] | fakes of mortoxd and fetch_av for `demo` and simulated cameras |

pub mod av;
pub mod frames;
pub mod mortox;
pub mod pretend;
