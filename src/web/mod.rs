//! Requests become calls of [`crate::camera`], answers become JSON; nothing
//! is decided here.
//!
//! | file | contents |
//! | --- | --- |
//! | `gate` | what strangers can reach: limits, deadlines, Host |
//! | `backend` | tiny_http behind it |
//! | `door` | the socket and the key between the two |
//! | `context` | what every request can use |
//! | `clients` | which requests still have a client |
//! | `routes` | the one table of what can be asked for, and by whom |
//! | `asked` | a request as its handler gets it |
//! | `guard` | the check of login, origin and CSRF, for every request |
//! | `api` | the JSON documents, one file for each kind of thing |
//! | `openapi` | the table as a document |
//! | `upload` | files on their way to the card |
//! | `page` | the page |
//! | `range` | the part of a file that is asked for |
//! | `reply`, `problem`, `zip` | answers, errors and archives on their way out |

mod api;
mod asked;
pub mod backend;
pub mod clients;
mod context;
pub mod door;
pub mod gate;
mod guard;
mod openapi;
mod packed;
mod page;
mod problem;
mod range;
mod reply;
mod route;
mod routes;
#[cfg(test)]
mod texts;
mod upload;
mod zip;

use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use nix::sys::socket::{Backlog, listen};
use thiserror::Error;

use self::backend::{BackendConfig, BackendError, BackendHandle};
use self::context::{Context, host_names};
use self::door::Door;
use self::gate::{Gate, GateConfig, GateError, GateHandle, Limits};
use self::upload::Uploads;
use crate::camera::Camera;
use crate::card::log::Recent;
use crate::error::{Code, Explain};

/// Connections that the kernel holds until the gate accepts them; it may allow fewer.
const BACKLOG: i32 = 1024;

/// Why there is no page.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WebError {
    /// The gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The server behind it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The socket between them.
    #[error("no socket between the gate and the server")]
    Door(#[source] std::io::Error),
}

impl Explain for WebError {
    fn code(&self) -> Code {
        match self {
            WebError::Gate(e) => e.code(),
            WebError::Backend(e) => e.code(),
            WebError::Door(_) => Code::WebDoor,
        }
    }

    fn hint(&self) -> String {
        match self {
            WebError::Gate(e) => e.hint(),
            WebError::Backend(e) => e.hint(),
            WebError::Door(_) => "Stop other programs to free memory, then start again.".into(),
        }
    }
}

/// A page that is being served.
pub struct Page {
    gate: GateHandle,
    backend: BackendHandle,
}

impl Page {
    /// Ends it.
    pub fn stop(self) {
        self.gate.stop();
        self.backend.stop();
    }
}

/// Serves the page of a camera.
///
/// # Errors
/// [`WebError`].
pub fn start(
    listener: TcpListener,
    camera: &Arc<Camera>,
    recent: Recent,
) -> Result<Page, WebError> {
    let door = Door::new(&format!("mi360d-{}", std::process::id())).map_err(WebError::Door)?;
    let hosts = Arc::new(OnceLock::new());
    let context = Context {
        camera: Arc::clone(camera),
        recent,
        clients: door.clients().clone(),
        hosts: Arc::clone(&hosts),
    };
    let backend = backend::start(&BackendConfig::new(door.clone()), move |request| {
        routes::answer(&context, request);
    })?;
    // std asks for 128: a flood beyond that costs the owner's next connection a second.
    if let Err(e) = Backlog::new(BACKLOG).and_then(|backlog| listen(&listener, backlog)) {
        log::warn!("the connection queue could not be made longer: {e}");
    }
    let gate = Gate::start(GateConfig {
        listener,
        door,
        hosts: host_names(camera),
        foreign: Some(page::foreign_host),
        limits: Limits::default(),
        uploads: Some(Arc::new(Uploads::new(camera))),
    })?;
    // It was empty until now.
    let _ = hosts.set(gate.hosts());
    Ok(Page { gate, backend })
}
