//! Settings: `config.toml`, its fields and what each accepts. How a change is written to the
//! card is in [`crate::camera::settings`].
//!
//! | file | contents |
//! | --- | --- |
//! | [`config`] | all settings as types with their defaults; reading the file |
//! | [`values`] | what each kind of value accepts; pure |
//! | [`edit`] | one value changed, with the owner's comments kept; pure |
//! | [`new_card`] | the file as a new card has it, made from the fields; pure |
//! | [`fields`] | the fields that the page shows: names, kinds, help |
//! | [`schedule`] | the table of times: days, times, what to do; pure |
//! | [`due`] | what of it is due; pure |

pub mod config;
pub mod due;
pub mod edit;
pub mod fields;
pub mod new_card;
pub mod schedule;
pub mod values;
