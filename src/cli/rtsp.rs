//! `rtsp`: configures the server and runs it until a signal.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};
use serde_json::json;

use super::args::Args;
use super::command::RtspArgs;
use super::out;
use crate::error::Exit;
use crate::rtsp::pretend::Pretend;
use crate::rtsp::{Config, RtspError, Server, SoundForm, StreamSource, client};

/// The word for the synthetic scene.
const SCENE: &str = "scene:";

/// Where the firmware's folders are: `/`, or a folder that imitates a camera on a PC.
fn firmware_root() -> PathBuf {
    std::env::var_os("MI360D_FIRMWARE").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// A stream that the firmware has: its own frames, and the given source where they are not
/// understood. Other streams stay as they are.
fn of(root: &Path, name: &str, source: StreamSource) -> StreamSource {
    if !matches!(name, "mainstream" | "substream") {
        return source;
    }
    let folder = root.join("run").join(format!("video_{name}"));
    match source {
        StreamSource::Path(path) => StreamSource::Frames { folder, fallback: Some(path) },
        StreamSource::Frames { .. } | StreamSource::Stdin => source,
    }
}

pub fn rtsp(args: &Args, words: &RtspArgs) -> super::failure::Result {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    // Blocked before the first thread starts, so that none of them is ended by one.
    let _ = signals.thread_block();
    let root = words.firmware.then(firmware_root);
    let made_up: Vec<&str> =
        words.streams.iter().filter(|(_, path)| path == SCENE).map(|(name, _)| &**name).collect();
    // Its sockets stay until the server has ended.
    let scene = if made_up.is_empty() {
        None
    } else {
        Some(Pretend::start(&made_up).map_err(RtspError::Start)?)
    };
    let streams = words.streams.iter();
    let streams = streams
        .map(|(name, path)| {
            let source = match &scene {
                Some(scene) if path == SCENE => {
                    StreamSource::Frames { folder: scene.stream(name), fallback: None }
                }
                _ => StreamSource::from_word(path),
            };
            (name.clone(), root.as_deref().map_or(source.clone(), |root| of(root, name, source)))
        })
        .collect();
    let host = match &words.password_file {
        Some(_) => Ipv4Addr::UNSPECIFIED,
        None => Ipv4Addr::LOCALHOST,
    };
    let listen = words.listen.unwrap_or_else(|| SocketAddr::from((host, client::PORT)));
    let mut config = Config::new(streams, listen);
    config.password_file.clone_from(&words.password_file);
    config.basic = words.basic;
    config.viewers = words.viewers.unwrap_or(config.viewers);
    let own = |name: &str| root.as_deref().map(|root| root.join("run").join(name));
    let form = match words.sound.as_deref() {
        Some("off") => None,
        Some(word) => SoundForm::from_word(word),
        None => Some(SoundForm::default()),
    };
    let audio = words.audio.clone().or_else(|| own("audio_in"));
    config.sound = audio.or_else(|| scene.as_ref().map(Pretend::audio)).zip(form);
    let snapshots = words.snapshot.clone().or_else(|| own("jpeg_snap"));
    config.snapshots = snapshots.or_else(|| scene.as_ref().map(Pretend::snapshots));
    let speaker = words.speaker.clone().or_else(|| own("audio_play"));
    config.speaker = speaker.or_else(|| scene.as_ref().map(Pretend::speaker));
    let server = Server::start(&config)?;
    let address = server.address();
    let addresses: Vec<String> =
        config.streams.iter().map(|(name, _)| format!("rtsp://{address}/{name}")).collect();
    out::print(args, &json!({ "listen": address, "streams": addresses }), || {
        addresses.join("\n") + "\n"
    })?;
    loop {
        match signals.wait() {
            Ok(_) => break,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(RtspError::Start(error.into()).into()),
        }
    }
    server.stop();
    Ok(Exit::Done)
}
