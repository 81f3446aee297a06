//! Home Assistant through MQTT 3.1.1: one connection to one broker, what is told
//! there, and what is taken from there. Knows no camera: `camera::mqtt` says what
//! there is to tell.
//!
//! | file | contents |
//! | --- | --- |
//! | `packet` | the packets that are needed, and no more (pure) |
//! | `discovery` | what Home Assistant's MQTT discovery wants to hear (pure) |
//! | `announce` | what the broker keeps of that, and what is taken back (pure) |
//! | `client` | the connection, and its return after it broke |

pub mod announce;
pub mod client;
pub mod discovery;
pub mod packet;
