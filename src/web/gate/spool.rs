//! Bodies that are too large to be held: where one belongs to an upload, the connection leaves the
//! gate's table for a thread that spools it. Who may upload, and where to, is the owner's of this
//! trait; the gate only asks.

use std::fmt;
use std::net::{IpAddr, TcpStream};

use crate::web::gate::head::Head;

/// What takes a connection over. It gets the client's stream, which must not block the gate any
/// more, and what of the body has come already.
pub type Takes = Box<dyn FnOnce(TcpStream, Vec<u8>) + Send>;

/// What becomes of an upload.
pub enum Verdict {
    /// It is none: the request goes the usual way.
    NotMine,
    /// Not taken: this whole response is the answer.
    Refused(Vec<u8>),
    /// Taken.
    Taken(Takes),
}

/// Who judges uploads, on the gate's thread: quickly.
pub trait Spool: Send + Sync + fmt::Debug {
    /// What becomes of the request with this head.
    fn judge(&self, head: &Head<'_>, peer: IpAddr) -> Verdict;
}
