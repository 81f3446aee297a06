//! The camera on its network, as `[camera]` of `config.toml` wants it: its clock,
//! its name, its place in the vendor's cloud. On a simulated camera nothing of
//! this is done but ONVIF: the clock and the name are the PC's.

use super::host_name::host_name;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::{Camera, Hardware, onvif, schedule};
use crate::base::host;
use crate::error::{Code, Exit, Explain};
use crate::network::clock;
use crate::network::cloud::{self, Blocked};
use crate::network::mdns::{self, Ourselves};

/// Stack of each thread; looking names up takes some.
const STACK: usize = 192 << 10;
/// How often the vendor's names are looked up again while they are blocked.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(600);
/// A name that took this long and was not found: no name server answers. Each further name would
/// take as long (musl waits 5 s), all of them minutes, in which the state would be an old one.
const SILENCE: Duration = Duration::from_secs(4);
/// Where the vendor's libraries are.
const LIBRARIES: &str = "/mnt/data/lib";
/// How often it is looked whether settings changed.
const LOOK: Duration = Duration::from_secs(5);

/// Starts all of it; a camera that is simulated only what touches no setting of its PC.
pub fn start(camera: &Arc<Camera>) {
    spawn("onvif", camera, onvif::discover::answer);
    spawn("schedule", camera, schedule::keep);
    if matches!(camera.hardware(), Hardware::Simulated { .. }) {
        return;
    }
    set_host_name(camera);
    spawn("clock", camera, |camera| {
        clock::keep(|| camera.state().settings.config.camera.time_servers(), std::thread::sleep);
    });
    spawn("mdns", camera, |camera| mdns::answer(|| ourselves(camera)));
    spawn("cloud", camera, |camera| keep_cloud(camera));
}

fn spawn(name: &str, camera: &Arc<Camera>, work: impl FnOnce(&Arc<Camera>) + Send + 'static) {
    let mine = Arc::clone(camera);
    let thread = std::thread::Builder::new().name(name.into()).stack_size(STACK);
    if let Err(e) = thread.spawn(move || work(&mine)) {
        log::error!("the thread '{name}' cannot be started: {e}");
    }
}

/// Why the clock is not set by a browser's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock is this PC's.
    #[error("a simulated camera has the clock of this PC")]
    Simulated,
    /// The time cannot be, or the kernel refuses it.
    #[error("the clock is not set: {0}")]
    Refused(String),
}

impl Explain for ClockError {
    fn code(&self) -> Code {
        match self {
            ClockError::Simulated => Code::ClockSimulated,
            ClockError::Refused(_) => Code::ClockRefused,
        }
    }

    fn hint(&self) -> String {
        match self {
            ClockError::Simulated => "Set the clock of the PC.",
            ClockError::Refused(_) => "Check the clock of the device you are using.",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Sets the clock to seconds since 1970: where no time server answers, a browser knows the time.
///
/// # Errors
/// [`ClockError`].
pub fn set_clock(camera: &Camera, utc: u64) -> Result<(), ClockError> {
    if matches!(camera.hardware(), Hardware::Simulated { .. }) {
        return Err(ClockError::Simulated);
    }
    let moved = clock::set(Duration::from_secs(utc)).map_err(ClockError::Refused)?;
    log::info!("a browser moved the clock by {moved} s");
    Ok(())
}

fn set_host_name(camera: &Camera) {
    if camera.state().settings.config.camera.name.is_none() {
        return;
    }
    if let Err(e) = nix::unistd::sethostname(host_name(camera)) {
        log::warn!("the host name cannot be set: {e}");
    }
}

/// What is answered to multicast DNS; nothing while it is switched off, or while
/// there is no page or no address.
fn ourselves(camera: &Camera) -> Option<Ourselves> {
    let port = {
        let state = camera.state();
        state.settings.config.camera.mdns.then_some(())?;
        state.listen.filter(|address| !address.ip().is_loopback())?.port()
    };
    let addresses: Vec<IpAddr> = host::addresses();
    let addresses = mdns::only_v4(&addresses);
    let host = host_name(camera);
    camera.state().network.name = Some(format!("{host}.local"));
    (!addresses.is_empty()).then_some(Ourselves { host, addresses, port })
}

/// Blocks the vendor's cloud while the settings say so, and takes all of it back when they do not.
fn keep_cloud(camera: &Camera) {
    // What an earlier run of the daemon left is taken back too.
    let mut blocked = true;
    let mut routes = Blocked::default();
    let mut literals = None;
    let mut wait = Duration::ZERO;
    loop {
        let wanted = camera.state().settings.config.camera.block_cloud;
        if !wanted {
            if blocked {
                cloud::names::release();
                if !routes.is_empty() {
                    routes.release();
                    log::info!("the vendor's cloud is no longer blocked");
                }
                let mut state = camera.state();
                let network = &mut state.network;
                (network.cloud_blocked, network.cloud_names_blocked) = (0, false);
                network.cloud_problem = None;
            }
            (blocked, wait) = (false, Duration::ZERO);
        } else if wait.is_zero() {
            blocked = true;
            let literals =
                literals.get_or_insert_with(|| cloud::literals::of_libraries(Path::new(LIBRARIES)));
            // The names first: nothing that starts meanwhile finds them.
            let names = cloud::names::block(cloud::hosts());
            camera.state().network.cloud_names_blocked = names.is_ok();
            let mut silent = false;
            let addresses = routes.block(literals, |name| {
                if silent {
                    return Vec::new();
                }
                let began = Instant::now();
                let found = cloud::look_up(name);
                silent = found.is_empty() && began.elapsed() >= SILENCE;
                found
            });
            let found = addresses.as_ref().is_ok_and(|count| count.of_names > 0);
            wait = if found && !silent { LOOK_UP_AGAIN } else { LOOK * 6 };
            let mut state = camera.state();
            let network = &mut state.network;
            if let Ok(count) = addresses {
                if count.all != network.cloud_blocked {
                    log::info!("{} addresses of the vendor's cloud are blocked", count.all);
                }
                network.cloud_blocked = count.all;
            }
            let unknown = || {
                "no address is known for the vendor's names: check that a name \
                server answers"
            };
            let problem = addresses.err().or(names.err());
            network.cloud_problem = problem.or_else(|| (!found).then(|| unknown().to_owned()));
        }
        std::thread::sleep(LOOK);
        wait = wait.saturating_sub(LOOK);
    }
}
