//! `rtsp`: the words become a configuration, and the server runs until a signal.

use std::net::{Ipv4Addr, SocketAddr};

use nix::sys::signal::{SigSet, Signal};
use serde_json::json;

use super::args::{Args, RtspArgs};
use super::out;
use crate::error::Exit;
use crate::rtsp::{Config, RtspError, Server, Source, client};

pub fn rtsp(args: &Args, words: &RtspArgs) -> super::Result {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    // Blocked before the first thread starts, so that none of them is ended by one.
    let _ = signals.thread_block();
    let streams = words.streams.iter();
    let streams = streams.map(|(name, path)| (name.clone(), Source::from_word(path))).collect();
    let host = match &words.password_file {
        Some(_) => Ipv4Addr::UNSPECIFIED,
        None => Ipv4Addr::LOCALHOST,
    };
    let listen = words.listen.unwrap_or_else(|| SocketAddr::from((host, client::PORT)));
    let mut config = Config::new(streams, listen);
    config.password_file.clone_from(&words.password_file);
    config.basic = words.basic;
    config.viewers = words.viewers.unwrap_or(config.viewers);
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
