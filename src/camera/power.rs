//! The reboot that an owner asks for.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Camera, Hardware};
use crate::card::file::Lock;
use crate::error::{Code, Exit, Explain};
use crate::machine::boots::Boots;

/// The answer should reach the owner first.
const PAUSE: Duration = Duration::from_millis(700);

/// Why there is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PowerError {
    /// A job would be cut off.
    #[error("{step}: a restart now would interrupt it")]
    Busy {
        /// What is being done.
        step: String,
    },
    /// No thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

impl Explain for PowerError {
    fn code(&self) -> Code {
        match self {
            PowerError::Busy { .. } => Code::Busy,
            PowerError::Thread(_) => Code::NoThread,
        }
    }

    fn hint(&self) -> String {
        match self {
            PowerError::Busy { .. } => "Wait until it has ended, then try again.",
            PowerError::Thread(_) => "Unplug the camera and plug it in again.",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            PowerError::Busy { .. } => Exit::Refused,
            PowerError::Thread(_) => Exit::Failed,
        }
    }
}

/// Restarts the camera in a moment; a simulated one starts its program again.
///
/// # Errors
/// [`PowerError`].
pub fn restart(camera: &Arc<Camera>) -> Result<(), PowerError> {
    let quiet = camera.quiet().map_err(|busy| PowerError::Busy { step: busy.step })?;
    begin(camera, quiet)
}

/// The same for who has made sure that nothing is under way.
///
/// # Errors
/// [`PowerError::Thread`].
pub(super) fn begin(camera: &Arc<Camera>, quiet: Option<Lock>) -> Result<(), PowerError> {
    log::info!("restart requested");
    let camera = Arc::clone(camera);
    std::thread::Builder::new()
        .name("restart".into())
        .stack_size(64 << 10)
        .spawn(move || {
            // Nothing begins any more.
            let _quiet = quiet;
            std::thread::sleep(PAUSE);
            Boots::lasted(camera.card());
            match camera.hardware() {
                Hardware::Device => camera.machine().restart(),
                Hardware::Simulated { .. } => start_again(),
            }
        })
        .map(|_| ())
        .map_err(PowerError::Thread)
}

/// The same process, from its beginning; its sockets close by themselves.
fn start_again() {
    let Ok(program) = std::env::current_exe() else {
        return log::error!("this program cannot find its own file");
    };
    let error = Command::new(program).args(std::env::args_os().skip(1)).exec();
    log::error!("the program cannot start again: {error}");
}
