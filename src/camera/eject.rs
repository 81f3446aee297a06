//! The card is given back when the vendor's app formats or ejects it, and used again when one is
//! there.
//!
//! `miio_sdcard` sets the key `sdcard_status` of mortoxd, calls umount at once, and, where that
//! fails, nine more times half a second apart (read in its code, 3.5.1_0052; docs/network.md). So
//! the key is watched, and within that time nothing of ours is open on the card: hacks end, a
//! backup or a verification stops, the log closes. A flash is never stopped for it: the app's wish
//! then fails, as it should. Where there is no mortoxd the mounts tell, once it is done.
//! The decisions are in [`crate::card::eject`].

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::job::JobKind;
use super::{Camera, services, startup};
use crate::card::{CardState, MOUNT_POINT, claim};
use crate::error::Chain;
use crate::vendor::mortox::wire::Ask;
use crate::vendor::mortox::{Key, Mortox, SOCKET, Said};

use crate::card::eject::{self as decide, Deed, Seen, Watch};

/// The key that `miio_sdcard` sets.
const KEY: Key = Key::CardStatus;
/// The longest sleep; what polls does not tell is noticed then.
const LOOK: Duration = Duration::from_secs(2);
/// How often a missing mortoxd is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// The longest time that hacks get to end: the app gives up after four and a half seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of the mount table that are read.
const LIMIT: u64 = 0x1_0000;

/// Watches for as long as the daemon runs. To be called on a camera only.
pub fn watch(camera: &Arc<Camera>) {
    leave_the_card();
    let mounts = File::open("/proc/self/mounts").ok();
    let mut watch = Watch::new(mount_id());
    let mut mortox = None;
    let mut tried: Option<Instant> = None;
    loop {
        if mortox.is_none() && tried.is_none_or(|at| at.elapsed() >= TRY_AGAIN) {
            tried = Some(Instant::now());
            mortox = listen();
        }
        wait(mounts.as_ref(), mortox.as_ref());
        let mut seen = vec![Seen::Mount(mount_id())];
        if let Some(said) = mortox.as_mut().map(news) {
            match said {
                Ok(found) => seen.extend(found.into_iter().map(Seen::Status)),
                Err(e) => {
                    log::info!("mortoxd no longer reports the card's state: {e}", e = Chain(&e));
                    mortox = None;
                    seen.push(Seen::Silence);
                }
            }
        }
        let now = Instant::now();
        for seen in seen {
            match watch.saw(seen, now) {
                Deed::Nothing => {}
                Deed::LetGo => {
                    if !let_go(camera) {
                        watch.keep();
                    }
                }
                Deed::ComeBack => come_back(camera),
            }
        }
    }
}

/// This process's own folder is not on the card, however it was started.
fn leave_the_card() {
    let on_card = |path: std::io::Result<std::path::PathBuf>| {
        path.is_ok_and(|path| path.starts_with(MOUNT_POINT))
    };
    if on_card(std::env::current_dir())
        && let Err(e) = std::env::set_current_dir("/")
    {
        log::warn!("the card is still in use: {e}", e = Chain(&e));
    }
    if on_card(std::env::current_exe()) {
        log::warn!("the program runs from the card: the vendor's app cannot eject or format it");
    }
}

/// A connection that tells of the key; none where the daemon does not run.
fn listen() -> Option<Mortox> {
    let mut mortox = Mortox::connect(Path::new(SOCKET)).ok()?;
    let asked = mortox.ask(Ask::Watch(KEY));
    asked.inspect_err(|e| log::info!("mortoxd accepts no connection: {e}", e = Chain(&e))).ok()?;
    Some(mortox)
}

/// Sleeps until the mount table changes, mortoxd speaks, or it is time to look.
fn wait(mounts: Option<&File>, mortox: Option<&Mortox>) {
    let mut polled = Vec::with_capacity(2);
    if let Some(mounts) = mounts {
        polled.push(PollFd::new(mounts.as_fd(), PollFlags::POLLPRI));
    }
    if let Some(mortox) = mortox {
        polled.push(PollFd::new(mortox.as_fd(), PollFlags::POLLIN));
    }
    let timeout = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
    if polled.is_empty() || poll(&mut polled, timeout).is_err() {
        std::thread::sleep(LOOK);
    }
}

/// What mortoxd has said by now: the values of the key, in order.
fn news(mortox: &mut Mortox) -> std::io::Result<Vec<u32>> {
    let mut values = Vec::new();
    while let Some(said) = mortox.next(Duration::ZERO)? {
        let value = match said {
            Said::News { key, value } if key == KEY => value,
            Said::Answer { value, .. } => value,
            Said::News { .. } => None,
        };
        values.extend(value.and_then(|value| value.trim().parse::<u32>().ok()));
    }
    Ok(values)
}

/// The number of the card's mount; another one after it was mounted again.
fn mount_id() -> Option<u32> {
    let mut text = String::new();
    File::open("/proc/self/mountinfo").ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    decide::mount_id(&text, MOUNT_POINT)
}

/// Closes what is open on the card; whether that may be.
fn let_go(camera: &Camera) -> bool {
    let flashing = |kind| matches!(kind, JobKind::Flash | JobKind::Restore);
    if camera.jobs().running().is_some_and(|job| flashing(job.kind))
        || camera.interrupted().is_some()
    {
        log::warn!("the vendor's app wants the card, but a flash needs it");
        return false;
    }
    log::info!("the vendor's app formats or ejects the card: releasing it");
    let begun = Instant::now();
    claim::claim();
    let hacks_gone = services::give_way(camera, PATIENCE);
    while camera.jobs().running().is_some() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let open = open_files();
    if !hacks_gone || !open.is_empty() {
        log::warn!("still open on the card: {}", open.join(", "));
    }
    true
}

/// What this process has open on the card.
fn open_files() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let on_card = targets.filter(|target| target.starts_with(MOUNT_POINT));
    on_card.map(|target| target.display().to_string()).take(8).collect()
}

fn come_back(camera: &Arc<Camera>) {
    let was_ours = claim::is_claimed();
    claim::give_back();
    if was_ours {
        services::come_back(camera);
    }
    if !matches!(camera.card().state(), CardState::Ready { .. }) {
        log::warn!("the card is back but not writable");
        return;
    }
    if camera.jobs().running().is_some() || camera.interrupted().is_some() {
        return; // what it does ends with the old card, and the next look saves again
    }
    let mine = Arc::clone(camera);
    let thread = std::thread::Builder::new().name("again".into()).stack_size(STACK);
    if let Err(e) = thread.spawn(move || startup::card_is_back(&mine)) {
        log::error!("the thread 'again' cannot be started: {e}", e = Chain(&e));
    }
}

/// Stack of the thread that saves again: as the one of a start.
const STACK: usize = 256 << 10;
