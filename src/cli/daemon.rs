//! `run` and `demo`: the daemon, from its start to its end.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log::LevelFilter;
use nix::sys::signal::{SigSet, Signal};
use thiserror::Error;

use super::args::Args;
use super::command::Command;
use super::lines;
use crate::camera::job::JobKind;
use crate::camera::{
    Camera, Hardware, controls, eject, event_pictures, facts, mqtt, network, privacy, services,
    startup, update, web_hook,
};
use crate::card::log::{LogFile, Recent};
use crate::chip::simulate;
use crate::error::{Code, Exit, Explain, chain};
use crate::machine::boots::Boots;
use crate::web;

/// A start that lasts this long is a good one.
const LASTED: Duration = Duration::from_secs(120);
/// How often `STATUS.txt` is checked again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How often a page that cannot be served is tried again.
const TRY_PAGE_AGAIN: Duration = Duration::from_secs(30);
/// Stack of the thread that reads, hashes and writes; measured, with room.
const WORK_STACK: usize = 256 << 10;

/// The page cannot be served.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

impl Explain for ListenError {
    fn code(&self) -> Code {
        Code::Listen
    }

    fn hint(&self) -> String {
        "Another program uses this port, or the address is not this machine's. Choose another \
         with --listen."
            .to_owned()
    }
}

/// Messages of a command in a terminal: to standard error, from `usual` upwards.
pub fn log_to_terminal(verbose: bool, usual: LevelFilter) {
    let level = if verbose { LevelFilter::Debug } else { usual };
    crate::card::logger::to(level, lines::Lines::default());
}

/// Prints to standard output, which may be closed: the daemon continues.
fn tell(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{words}");
}

pub fn demo(args: &Args, dir: Option<&Path>, listen: Option<SocketAddr>) -> super::failure::Result {
    let dir = dir.map_or_else(|| std::env::temp_dir().join("mi360d-demo"), PathBuf::from);
    if !dir.join("camera.toml").exists() {
        simulate::create(&dir, None, None)?;
    }
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8360)));
    let camera = Camera::open(Some(&dir))?;
    let config = camera.card().config();
    serve(args, camera, &config, &[listen], &mut |camera, port| {
        tell(format_args!("A simulated camera runs in {}", dir.display()));
        tell(format_args!("Open  http://{}:{port}/  in a browser; Ctrl-C ends it.", listen.ip()));
        match camera.login().setup_code() {
            Some(code) => tell(format_args!("Setup code: {code}")),
            None => tell(format_args!("Log in with the password that was set.")),
        }
    })
}

pub fn run(
    args: &Args,
    config: Option<&Path>,
    listen: Option<SocketAddr>,
) -> super::failure::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    let config = config.map_or_else(|| camera.card().config(), Path::to_owned);
    // The daemon's own folder may change: it does not stay on the card.
    let config = std::path::absolute(&config).unwrap_or(config);
    let wanted: Vec<SocketAddr> = listen.into_iter().collect();
    serve(args, camera, &config, &wanted, &mut |_, _| {})
}

fn serve(
    args: &Args,
    camera: Camera,
    config: &Path,
    wanted: &[SocketAddr],
    ready: &mut dyn FnMut(&Camera, u16),
) -> super::failure::Result {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    // Blocked before the first thread starts, so that none of them is ended by one.
    let _ = signals.thread_block();
    let recent = Recent::default();
    let log = LogFile::new(recent.clone());
    let log_on_card = log.handle();
    let level = if args.verbose { LevelFilter::Debug } else { LevelFilter::Info };
    log.take_messages(level);
    log::info!("mi360d {} starts", env!("CARGO_PKG_VERSION"));

    startup::before_serving(&camera, config);
    let settings = camera.state().settings.config.clone();
    log_on_card.open(&camera.card().logs(), settings.log.limit_kib.0 << 10);
    if !args.verbose {
        log::set_max_level(settings.log.level.into());
    }
    let on_trial = update::at_start(&camera);
    let camera = Arc::new(camera);
    // The backup does not wait for a page, and not for want of one either.
    let mut page = None;
    let mut page_failure = None;
    match serve_page(&camera, wanted, settings.web.listen, &recent) {
        Ok(served) => page = Some(served),
        // Somebody is at this PC and sees the error; nothing was promised yet.
        Err(e) if matches!(args.command, Command::Demo { .. }) => return Err(e),
        Err(e) => page_failure = Some(e),
    }
    let listening = camera.state().listen;
    if let Some(address) = listening {
        ready(&camera, address.port());
    }
    if camera.state().safe_mode {
        log::warn!("safe mode: no hacks are started");
    } else if camera.interrupted().is_some() {
        log::warn!("no hacks are started until the interrupted flash is finished");
    } else {
        services::start(&camera, config);
        controls::start(&camera);
        spawn("privacy", &camera, |camera| privacy::keep(camera));
        spawn("web-hook", &camera, |camera| web_hook::keep(camera));
        spawn("pictures", &camera, |camera| event_pictures::keep(camera));
        network::start(&camera);
        mqtt::start(&camera);
    }
    if on_trial {
        spawn("trial", &camera, |camera| update::prove(camera));
    }
    spawn("work", &camera, startup::beside_serving);
    spawn("watch", &camera, |camera| {
        std::thread::sleep(LASTED);
        Boots::lasted(camera.card());
        loop {
            startup::look_again(camera);
            std::thread::sleep(LOOK_AGAIN);
        }
    });
    spawn("facts", &camera, facts::keep);
    if matches!(camera.hardware(), Hardware::Device) {
        spawn("card", &camera, eject::watch);
    }
    if page_failure.is_some() {
        spawn("page", &camera, {
            let recent = recent.clone();
            let wanted = wanted.to_vec();
            move |camera| {
                // It is served until the process ends.
                while serve_page(camera, &wanted, settings.web.listen, &recent).is_err() {
                    std::thread::sleep(TRY_PAGE_AGAIN);
                }
            }
        });
    }
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => {
                log::info!("HUP: reading hacks and their settings again");
                services::reload(&camera);
            }
            Ok(signal) => {
                wait_for_flash(&camera);
                log::info!("{signal}: stopping cleanly");
                break;
            }
            Err(e) => log::warn!("waiting for signals: {e}"),
        }
    }
    services::stop(&camera);
    controls::stop(&camera);
    if let Some(page) = page {
        page.stop();
    }
    camera.machine().leave();
    Boots::lasted(camera.card());
    Ok(if update::starts_again() { Exit::Again } else { Exit::Done })
}

/// Binds and serves the page; an error is stored for status and STATUS.txt.
fn serve_page(
    camera: &Arc<Camera>,
    wanted: &[SocketAddr],
    set: Option<SocketAddr>,
    recent: &Recent,
) -> std::result::Result<web::Page, super::failure::Failure> {
    let served = listen(wanted, set).map_err(super::failure::Failure::from).and_then(|listener| {
        let address = listener.local_addr().ok();
        camera.state().listen = address;
        let page = web::start(listener, camera, recent.clone())?;
        log::info!("the page is on port {}", address.map_or(0, |a| a.port()));
        Ok(page)
    });
    let mut state = camera.state();
    state.page_problem = served.as_ref().err().map(|super::failure::Failure(e)| chain(e.as_ref()));
    if let Some(problem) = state.page_problem.clone() {
        state.listen = None;
        log::error!("the page cannot be served: {problem}");
    }
    served
}

/// A flash is never ended in its middle: who wants the daemon to end waits.
fn wait_for_flash(camera: &Camera) {
    let mut said = false;
    while camera
        .jobs()
        .running()
        .is_some_and(|job| matches!(job.kind, JobKind::Flash | JobKind::Restore))
    {
        if !std::mem::replace(&mut said, true) {
            log::warn!("waiting for the running flash before stopping");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Starts a thread on the camera; its panic is said and ends nothing else.
fn spawn(name: &str, camera: &Arc<Camera>, work: impl FnOnce(&Arc<Camera>) + Send + 'static) {
    let mine = Arc::clone(camera);
    let body = move || {
        if catch_unwind(AssertUnwindSafe(|| work(&mine))).is_err() {
            startup::work_panicked(&mine);
        }
    };
    let started = std::thread::Builder::new().name(name.into()).stack_size(WORK_STACK).spawn(body);
    if let Err(e) = started {
        log::error!("the thread '{name}' cannot be started: {e}");
        startup::work_panicked(camera);
    }
}

/// The first of the wanted addresses that can be had: what the command line
/// says, what the settings say, port 80, port 8080.
fn listen(
    wanted: &[SocketAddr],
    set: Option<SocketAddr>,
) -> std::result::Result<TcpListener, ListenError> {
    let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
    let choices: Vec<SocketAddr> = match (wanted, set) {
        ([], None) => vec![any(80), any(8080)],
        ([], Some(address)) => vec![address, any(80), any(8080)],
        (wanted, _) => wanted.to_vec(),
    };
    let mut failure = None;
    for address in choices {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(source) => {
                log::warn!("cannot listen on {address}: {source}");
                failure.get_or_insert(ListenError { address, source });
            }
        }
    }
    Err(failure.unwrap_or_else(|| ListenError {
        address: any(80),
        source: std::io::ErrorKind::AddrNotAvailable.into(),
    }))
}
