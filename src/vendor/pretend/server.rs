//! The fake's sockets: mortoxd's and fetch_av's, one thread for all their clients, in a folder that
//! is laid out as the firmware's.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::keys::{Keys, Name, News};
use crate::vendor::av::wire as av;
use crate::vendor::frames::Broadcaster;
use crate::vendor::mortox::Key;
use crate::vendor::mortox::wire::{self, ANSWER, PUSH, Parameter, number};

/// Clients at once, of each kind.
const MOST: usize = 16;
/// The longest sleep, after which a stop is noticed.
const IDLE: Duration = Duration::from_millis(200);
/// What the folders begin with.
const PREFIX: &str = "mi360d-bus-";
/// From one message of motion to the next.
const MOTION: Duration = Duration::from_millis(330);
const STACK: usize = 128 << 10;

/// A running fake. Dropping it ends it.
#[derive(Debug)]
pub struct Pretend {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pretend {
    /// Makes its folder, and serves.
    ///
    /// # Errors
    /// Where its folder, its sockets or its thread cannot be had.
    pub fn start() -> io::Result<Pretend> {
        Pretend::with(None)
    }

    /// The same; something moves while there is a file of this name.
    ///
    /// # Errors
    /// As of [`Pretend::start`].
    pub fn with(motion: Option<PathBuf>) -> io::Result<Pretend> {
        let folder = new_folder()?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut pretend = Pretend { folder, stop: Arc::clone(&stop), thread: None };
        pretend.files()?;
        let listen = |path: PathBuf| {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>(listener)
        };
        let server = Server {
            keys: Keys::default(),
            bus: listen(pretend.folder.join("tmp/mortox.socket"))?,
            av: listen(pretend.av())?,
            bus_clients: Vec::new(),
            av_clients: Vec::new(),
            pushed: 0,
            motion: Broadcaster::bind(&pretend.folder.join("run/md_event"))?,
            motion_file: motion,
            moved: None,
        };
        let thread = std::thread::Builder::new().name("pretend-bus".to_owned()).stack_size(STACK);
        pretend.thread = Some(thread.spawn(move || server.run(&stop))?);
        Ok(pretend)
    }

    /// The folder that is laid out as the firmware's root.
    pub fn root(&self) -> &Path {
        &self.folder
    }

    /// fetch_av's socket.
    pub fn av(&self) -> PathBuf {
        self.folder.join("tmp/av.socket")
    }

    /// Files in place of the programs, each with the names of the keys it acts on.
    fn files(&self) -> io::Result<()> {
        let programs = self.folder.join("mnt/data/bin");
        fs::create_dir_all(&programs)?;
        fs::create_dir_all(self.folder.join("tmp"))?;
        let all: BTreeSet<&str> = Key::ALL.into_iter().map(Key::program).collect();
        for program in all {
            let keys = Key::ALL.into_iter().filter(|key| key.program() == program);
            let names: String = keys.map(|key| format!("\0{}\0", key.name())).collect();
            fs::write(programs.join(program), names)?;
        }
        Ok(())
    }
}

impl Drop for Pretend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder of this process alone, short enough for a socket's name.
fn new_folder() -> io::Result<PathBuf> {
    let temporary = std::env::temp_dir();
    let below = if temporary.as_os_str().len() > 40 { Path::new("/tmp") } else { &temporary };
    remove_left_over(below);
    let mut last = io::Error::from(ErrorKind::NotFound);
    for number in 0..64 {
        let folder = below.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Removes the folders of processes that were killed.
fn remove_left_over(below: &Path) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let is_dead = |process: &str| {
            process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
        };
        if process.is_some_and(is_dead) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

struct Client {
    stream: UnixStream,
    bytes: Vec<u8>,
    watched: BTreeSet<Name>,
    gone: bool,
}

impl Client {
    fn read(&mut self) {
        let mut piece = [0; 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => self.gone = true,
                Ok(count) => {
                    self.bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.gone = true,
            }
            return;
        }
    }

    /// A client that does not read is dropped.
    fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            self.gone = true;
        }
    }
}

struct Server {
    keys: Keys,
    bus: UnixListener,
    av: UnixListener,
    bus_clients: Vec<Client>,
    av_clients: Vec<Client>,
    pushed: u32,
    motion: Broadcaster,
    motion_file: Option<PathBuf>,
    /// When motion was reported last.
    moved: Option<Instant>,
}

impl Server {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            self.wait();
            accept(&self.bus, &mut self.bus_clients);
            accept(&self.av, &mut self.av_clients);
            for index in 0..self.bus_clients.len() {
                self.serve_bus(index);
            }
            let night = self.keys.night;
            for client in &mut self.av_clients {
                client.read();
                while let Some((command, _)) = av::take_request(&mut client.bytes) {
                    if command == av::Ask::IsNight.command() {
                        let state = u32::from(night).to_le_bytes();
                        client.write(&av::made_answer(command + 1, 0, &state));
                    }
                }
            }
            let news = self.keys.turn(Instant::now());
            self.push(&news);
            self.move_about();
            self.bus_clients.retain(|client| !client.gone);
            self.av_clients.retain(|client| !client.gone);
        }
    }

    /// A message for each picture with motion: three a second.
    fn move_about(&mut self) {
        self.motion.serve(&mut |_, _| {});
        let now = Instant::now();
        let is_due = self.moved.is_none_or(|last| now.saturating_duration_since(last) >= MOTION);
        if is_due && self.motion_file.as_ref().is_some_and(|file| file.exists()) {
            self.moved = Some(now);
            self.motion.tell(&1_000_000_i64.to_le_bytes());
        }
    }

    fn wait(&self) {
        let clients = self.bus_clients.iter().chain(&self.av_clients);
        let mut polled: Vec<PollFd<'_>> = [self.bus.as_fd(), self.av.as_fd()]
            .into_iter()
            .chain(clients.map(|client| client.stream.as_fd()))
            .chain(self.motion.descriptors())
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let due = self.keys.due().map(|at| at.saturating_duration_since(Instant::now()));
        let sleep = due.unwrap_or(IDLE).min(IDLE) + Duration::from_millis(1);
        let _ = poll(&mut polled, PollTimeout::try_from(sleep).unwrap_or(PollTimeout::ZERO));
    }

    fn serve_bus(&mut self, index: usize) {
        let Some(client) = self.bus_clients.get_mut(index) else { return };
        client.read();
        loop {
            let Some(client) = self.bus_clients.get_mut(index) else { return };
            match wire::take_packet(&mut client.bytes) {
                Ok(Some(packet)) => self.answer(index, &packet),
                Ok(None) => return,
                Err(_) => {
                    client.gone = true;
                    return;
                }
            }
        }
    }

    fn answer(&mut self, index: usize, packet: &wire::Packet) {
        let texts: Vec<String> = packet.parameters.iter().filter_map(Parameter::words).collect();
        if !is_ours(packet.command, &texts) {
            // Each test that runs on this fake shows that no secret is asked for, also if it looks at
            // something else.
            // Not by `eprintln`, which a test's harness keeps to itself.
            let key = texts.get(2).map_or("?", String::as_str);
            let said = format!("mortoxd must never be asked by {} for {key}\n", packet.command);
            let _ = io::stderr().write_all(said.as_bytes());
            std::process::abort();
        }
        let name = |texts: &[String]| match texts {
            [layer, _, key, ..] => Some((layer.clone(), key.clone())),
            _ => None,
        };
        let code = |code: i32| wire::framed(packet.id, ANSWER, 1, &number(code));
        let (answer, news) = match (packet.command, name(&texts), texts.get(3)) {
            (3, Some(name), Some(value)) => {
                (code(0), self.keys.set(name, value.clone(), Instant::now()))
            }
            (4, Some(name), _) => match self.keys.get(&name) {
                Some(value) => {
                    let mut parameters = number(0).to_vec();
                    parameters.extend(text(value));
                    (wire::framed(packet.id, ANSWER, 2, &parameters), Vec::new())
                }
                None => (code(-1), Vec::new()),
            },
            (5, Some(name), _) => (code(0), self.keys.unset(name)),
            (6, Some(name), _) => {
                let value = self.keys.get(&name).cloned();
                let mut parts = vec![name.0.as_str(), "default", name.1.as_str()];
                parts.extend(value.as_deref());
                let parameters: Vec<u8> = parts.iter().flat_map(|part| text(part)).collect();
                let answer = wire::framed(packet.id, ANSWER, parts.len() as u32, &parameters);
                if let Some(client) = self.bus_clients.get_mut(index) {
                    client.watched.insert(name);
                }
                (answer, Vec::new())
            }
            (12, ..) => (code(0), Vec::new()),
            _ => (code(-1), Vec::new()),
        };
        if let Some(client) = self.bus_clients.get_mut(index) {
            client.write(&answer);
        }
        self.push(&news);
    }

    fn push(&mut self, news: &[News]) {
        for (name, value) in news {
            self.pushed = self.pushed.wrapping_add(1);
            let mut parts = vec![name.0.as_str(), "default", name.1.as_str()];
            parts.extend(value.as_deref());
            let parameters: Vec<u8> = parts.iter().flat_map(|part| text(part)).collect();
            let packet = wire::framed(self.pushed, PUSH, parts.len() as u32, &parameters);
            for client in &mut self.bus_clients {
                if client.watched.contains(name) {
                    client.write(&packet);
                }
            }
        }
    }
}

/// Whether this program makes such a request: never `list`, and never for a key that is not its own.
fn is_ours(command: u16, texts: &[String]) -> bool {
    let key = match texts {
        [layer, group, key, ..] => group == "default" && Key::of(layer, key).is_some(),
        _ => false,
    };
    match command {
        3..=6 => key,
        command => command == 12,
    }
}

fn accept(listener: &UnixListener, clients: &mut Vec<Client>) {
    while let Ok((stream, _)) = listener.accept() {
        if clients.len() < MOST && stream.set_nonblocking(true).is_ok() {
            let (bytes, watched) = (Vec::new(), BTreeSet::new());
            clients.push(Client { stream, bytes, watched, gone: false });
        }
    }
}

/// A text as a parameter on the wire.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = 1u16.to_be_bytes().to_vec();
    bytes.extend((text.len() as u16 + 1).to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_every_key_of_others_end_the_program() {
        let ask = |command, texts: &[&str]| {
            is_ours(command, &texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        for command in 3..=6 {
            assert!(ask(command, &["nvram", "default", "flip", "on"]));
            for key in ["miio_token", "miio_passwd", "p2p_key", "did", "bind_status", "flip "] {
                assert!(!ask(command, &["nvram", "default", key, "on"]), "{command} {key}");
            }
            assert!(!ask(command, &["mem", "default", "flip"]) && !ask(command, &["nvram"]));
            assert!(!ask(command, &["nvram", "other", "flip"]));
        }
        assert!(ask(12, &["nvram"]));
        for command in [0, 1, 2, 7, 8, 9, 10, 11, 13] {
            assert!(!ask(command, &["nvram", "default", "flip"]), "{command}");
        }
    }
}
