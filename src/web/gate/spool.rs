//! Bodies that are too large to be held: where one belongs to an upload, the connection leaves the
//! gate's table for a thread that spools it. Access and destination are decided by the owner of this
//! trait; the gate only asks.

use std::fmt;
use std::net::{IpAddr, TcpStream};

use crate::web::gate::head::Head;

/// What takes a connection over. It gets the client's stream, which must not block the gate any
/// more, and what of the body has come already.
pub type Takes = Box<dyn FnOnce(TcpStream, Vec<u8>) + Send>;

/// What becomes of an upload.
pub enum Admission {
    /// Not an upload: the request is handled as usual.
    NotMine,
    /// Not taken: this whole response is the answer.
    Refused(Vec<u8>),
    /// Taken.
    Taken(Takes),
}

/// The judge of uploads, on the gate's thread: it must be quick.
pub trait Spool: Send + Sync + fmt::Debug {
    /// What becomes of the request with this head.
    fn judge(&self, head: &Head<'_>, peer: IpAddr) -> Admission;
}
