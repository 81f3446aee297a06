//! mi360d: saves, verifies and flashes the firmware of Xiaomi Mi 360 cameras.
//!
//! The rooms, from the ground up; arrows point down only (docs/ARCHITECTURE.md):
//!
//! | module | holds |
//! | --- | --- |
//! | [`base`] | hex, random bytes, clock and memory of this machine |
//! | [`sys`] | every system call that needs `unsafe`, one thin wrapper each |
//! | [`formats`] | what bytes mean: FLSH, MXP, uImage, squashfs, JFFS2, tf image; pure |
//! | [`identity`] | the camera's identity: judged and masked, compared without being shown; pure |
//! | [`access`] | what wrong passwords and codes cost, the same at every door |
//! | [`chip`] | partitions, roles, map; the real flash and the simulated one behind one trait |
//! | [`card`] | the SD card: room, honest writes, small state |
//! | [`image`] | what a file is, and what is wrong with it |
//! | [`backup`] | sets, manifests, proof |
//! | [`flash`] | what has to change, the writer, and the proof |
//! | [`facts`] | what a camera's firmware is, for those who help; no secret |
//! | [`network`] | the camera on its network: clock, name, the vendor's cloud |
//! | [`mqtt`] | Home Assistant by way of a broker |
//! | [`onvif`] | what recorders ask by ONVIF, and what they are answered; pure |
//! | [`programmer`] | the chip clipped to a PC, by way of flashrom |
//! | [`update`] | a newer mi360d: whole, by whom, switched, taken back |
//! | [`services`] | the hacks: found, supervised, configured, shown |
//! | [`settings`] | `config.toml`: its fields, defaults and checks |
//! | [`machine`] | processes, watchdog, memory and restart around a flash |
//! | [`repair`] | dumps on a PC: assemble, redact, recover |
//! | [`controls`] | what the firmware lets its owner set: night vision, LED, motors and more |
//! | [`camera`] | one camera: its map, card, identity, jobs |
//! | [`vendor`] | the stock firmware's own services, as we speak to them |
//! | [`rtsp`] | the RTSP server, a process of its own |
//! | [`web`] | requests become calls of [`camera`], answers become JSON |
//! | [`cli`] | the same for a terminal |
//!
//! A PC build and the camera's build are the same program.

pub mod access;
pub mod backup;
pub mod base;
pub mod camera;
pub mod card;
pub mod chip;
pub mod cli;
pub mod controls;
pub mod error;
pub mod facts;
pub mod flash;
pub mod formats;
pub mod identity;
pub mod image;
pub mod machine;
pub mod mqtt;
pub mod network;
pub mod onvif;
pub mod programmer;
pub mod repair;
pub mod rtsp;
pub mod services;
pub mod settings;
pub mod sys;
pub mod update;
pub mod vendor;
pub mod web;
