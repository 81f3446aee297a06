//! A newer mi360d for the card: a release, its checks and signature, and how its files
//! replace the old ones, which are restored if the new program does not answer.
//!
//! | file | contents |
//! | --- | --- |
//! | `release` | the list of a release's files |
//! | `signature` | minisign's signature of that list |
//! | `package` | the zip of a release, checked |
//! | `switch` | next to the old ones, switched, confirmed or taken back |
//! | `error` | why not |
//!
//! A release is the zip of `cargo sdcard`: the whole card, and in it `mi360d/release.txt`,
//! which names every file with its SHA-256, signed in `mi360d/release.txt.minisig`.

mod error;
mod package;
mod release;
mod signature;
mod switch;

pub use error::UpdateError;
pub use package::{Package, phrase};
pub use release::{LISTING, Release, ReleaseFile, SIGNATURE, parse};
pub use signature::{PUBLIC_KEY, verify};
pub use switch::{Standing, TRIAL, confirm, is_trial, lay_down, standing, take_back};
