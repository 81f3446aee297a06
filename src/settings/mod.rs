//! Settings: `config.toml`, its fields and what each accepts. How a change is written to the
//! card is in [`crate::camera::settings`].
//!
//! | file | contents |
//! | --- | --- |
//! | [`config`] | all settings as types, with defaults and checks |
//! | `read` | how they are read from TOML |
//! | [`fields`] | the fields that the page shows: names, kinds, help |
//! | [`restart`] | a planned restart: its days, its time, and when it is due; pure |

pub mod config;
pub mod fields;
pub mod restart;

mod read;
