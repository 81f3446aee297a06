//! A newer mi360d for this camera: checked, agreed to, written, and after the next
//! start confirmed or taken back. What a release is: [`crate::update`].

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

use super::jobs::Busy;
use super::{Camera, Hardware, images, notice};
use crate::backup::verify;
use crate::error::{Chain, Code, Explain};
use crate::update::{self, PUBLIC_KEY, Package, Standing, UpdateError};

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The answer should reach the owner first.
const PAUSE: Duration = Duration::from_millis(700);
/// How often the new program asks its own page whether it answers.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The process is to end so that the hook starts the new program.
static AGAIN: AtomicBool = AtomicBool::new(false);

/// Whether the daemon ends for the hook to start it again.
pub fn starts_again() -> bool {
    AGAIN.load(Ordering::SeqCst)
}

/// What a release is, and what agrees to it.
#[derive(Clone, Debug, Serialize)]
pub struct Offer {
    /// The version that runs.
    pub runs: &'static str,
    /// The version in it.
    pub version: String,
    /// What its maker signed with it; none where nobody signed it.
    pub signed: Option<String>,
    /// The phrase that installs it.
    pub confirm: String,
    /// Whether it is being installed: the program restarts now.
    pub installing: bool,
}

/// Looks at a release that was uploaded; with its phrase, installs it.
///
/// # Errors
/// Whatever forbids it: then nothing was changed.
pub fn update<E>(camera: &Arc<Camera>, image: &str, confirm: Option<&str>) -> Result<Offer, E>
where
    E: From<images::ImageError> + From<UpdateError> + From<Busy>,
{
    let (_, path) = images::find(camera, image)?;
    let package = Package::open(&path, PUBLIC_KEY)?;
    let mut offer = Offer {
        runs: VERSION,
        version: package.release.version.clone(),
        signed: package.signed.clone(),
        confirm: update::phrase(&package),
        installing: false,
    };
    let Some(given) = confirm else { return Ok(offer) };
    if given.trim() != offer.confirm {
        return Err(UpdateError::Phrase(offer.confirm).into());
    }
    if matches!(camera.hardware(), Hardware::Simulated { .. }) {
        return Err(UpdateError::Simulated.into());
    }
    let quiet = camera.quiet()?;
    log::warn!("mi360d {} replaces {VERSION}", offer.version);
    update::lay_down(camera.card(), &package, VERSION)?;
    drop(package);
    if let Err(e) = images::remove(camera, image) {
        log::warn!("the release cannot be removed from the images: {e}", e = Chain(&e));
    }
    AGAIN.store(true, Ordering::SeqCst);
    std::thread::spawn(move || {
        // Nothing begins any more.
        let _quiet = quiet;
        std::thread::sleep(PAUSE);
        if let Err(e) = kill(Pid::this(), Signal::SIGTERM) {
            log::error!("the program cannot end: {e}", e = Chain(&e));
        }
    });
    offer.installing = true;
    Ok(offer)
}

/// At a start: whether this program has to answer for an update to count. Where the
/// new one did not, what was there before comes back.
pub fn at_start(camera: &Camera) -> bool {
    let own = verify::hash_file(Path::new("/proc/self/exe"), &mut |_| {});
    let Ok(own) =
        own.inspect_err(|e| log::warn!("this program cannot read itself: {e}", e = Chain(&e)))
    else {
        return false;
    };
    match update::standing(camera.card(), &own) {
        Standing::Nothing => false,
        Standing::OnTrial { from } => {
            log::warn!("mi360d {VERSION} replaced {from}");
            true
        }
        Standing::Failed { to } => {
            let reason = format!("mi360d {to} did not answer; {VERSION} is back");
            log::error!("{reason}");
            if let Err(e) = update::take_back(camera.card()) {
                log::error!("its files are still on the card: {e}", e = Chain(&e));
            }
            camera.state().update_failure = Some(reason);
            false
        }
    }
}

/// What must be reported to the owner of an update.
pub(super) fn of_update(failure: Option<&String>) -> Option<notice::Notice> {
    failure.map(|reason| notice::Notice {
        severity: notice::Severity::Warning,
        code: Code::UpdateFailed,
        message: reason.clone(),
        hint: "Nothing is lost. Report it with mi360d/logs from the card.".to_owned(),
    })
}

/// Asks the own page until it answers, and confirms the update then. The hook brings the
/// old program back where that takes too long.
pub fn prove(camera: &Camera) {
    loop {
        let address = camera.state().listen;
        if address.is_some_and(answers) {
            break;
        }
        std::thread::sleep(ASK_AGAIN);
    }
    match update::confirm(camera.card()) {
        Ok(()) => log::info!("mi360d {VERSION} answers: the update is done"),
        Err(e) => log::error!("the update cannot be confirmed: {e}. {}", e.hint(), e = Chain(&e)),
    }
}

fn answers(listen: SocketAddr) -> bool {
    let any = listen.ip().is_unspecified();
    let ip = if any { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, listen.port()), ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {ip}\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
