//! The camera among the other machines of its network: its clock, its name, what
//! it says to the vendor's servers. Knows neither card nor chip: `camera` starts it.
//!
//! | file | contents |
//! | --- | --- |
//! | `sntp` | the time, asked of a server (RFC 5905, as a simple client) |
//! | `clock` | when an answer is believed, and the clock set |
//! | `mdns` | `mi360-XXXX.local`: answers to multicast DNS, and questions (RFC 6762, RFC 6763) |
//! | `lookup` | a server's addresses, by its name as it is set |
//! | `cloud` | the vendor's hosts, blocked by null routes |
//! | `web_hook` | one POST to an address of the owner's |
//! | `wifi` | the network's name and the signal, as Linux has them |
//! | `zone` | how far local time is from UTC, by POSIX's words for a zone |

pub mod clock;
pub mod cloud;
pub mod lookup;
pub mod mdns;
pub mod sntp;
pub mod web_hook;
pub mod wifi;
pub mod zone;
