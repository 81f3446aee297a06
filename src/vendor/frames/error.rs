//! Errors of the frame transport: reasons why something was not understood. They appear in the log,
//! in `facts` and on the page; pictures then come from the FIFO as before.

use thiserror::Error;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The control file is a socket of another type.
    #[error("its socket is not of the type SOCK_SEQPACKET")]
    SocketType,
    /// A datagram that ends before its fields do.
    #[error("a datagram of {0} bytes ends too early")]
    Short(usize),
    /// A datagram that is longer than any that is known.
    #[error("a datagram is longer than {0} bytes")]
    Long(usize),
    /// A type that is not text, descriptor or frame.
    #[error("a datagram has the unknown type {0}")]
    Type(u32),
    /// The first datagram must describe the broadcaster.
    #[error("the first datagram has the type {0}, not 1")]
    First(u32),
    /// There is one such datagram for each connection.
    #[error("a second datagram of type 1 came")]
    Second,
    /// The descriptor's lengths contradict each other.
    #[error("the first datagram claims {length} bytes with a path of {path}, but has {had}")]
    Lengths {
        /// What it says of itself.
        length: u32,
        /// What it says of the path.
        path: u32,
        /// Bytes that came.
        had: usize,
    },
    /// How the broadcaster makes its files; 1 and 2 are known.
    #[error("the backend {0} is unknown")]
    Backend(u32),
    /// The broadcaster names another folder.
    #[error("it serves another folder, '{0}'")]
    Path(String),
    /// A frame's datagram has 12 bytes.
    #[error("a frame's datagram has {0} bytes, not 12")]
    FrameLength(usize),
    /// A frame comes with exactly one descriptor.
    #[error("a frame came with {0} file descriptors, not 1")]
    Descriptors(usize),
    /// This process has too many files open.
    #[error("a frame came without its file: this process has too many files open")]
    NoRoom,
    /// The bytes to map are whole pages, and not too many.
    #[error("a frame of {0} bytes is not possible")]
    MapLength(u32),
    /// The descriptor is a FIFO, a device, a folder, a socket.
    #[error("a frame's descriptor is not a regular file")]
    NotAFile,
    /// The file ends before the frame does.
    #[error("a frame's file has {file} bytes instead of {map}")]
    FileLength {
        /// Bytes of the file.
        file: u64,
        /// Bytes that the datagram announced.
        map: u32,
    },
    /// The page header and the datagram contradict each other.
    #[error("a frame's header says {header} bytes, its datagram {datagram}")]
    HeaderMap {
        /// In the file.
        header: u32,
        /// In the datagram.
        datagram: u32,
    },
    /// The payload does not fit the file.
    #[error("a frame's header says {size} bytes in a file of {map}")]
    Size {
        /// Bytes of the payload.
        size: u32,
        /// Bytes of the file.
        map: u32,
    },
    /// As before, but the payload's own header is elsewhere: a newer page header.
    #[error("a frame's payload begins at {0}, not at 64")]
    Elsewhere(usize),
    /// The payload ends before its header does.
    #[error("a payload of {0} bytes has no room for its header")]
    PayloadShort(usize),
    /// The payload's length and its header contradict each other.
    #[error("a payload of {had} bytes claims {says}")]
    PayloadLength {
        /// As the header says.
        says: u32,
        /// As it came, without the header.
        had: usize,
    },
    /// A picture that does not begin with a start code.
    #[error("a picture does not begin with a start code")]
    StartCode,
    /// A snapshot that is no JPEG.
    #[error("a snapshot is not a JPEG file")]
    NoJpeg,
    /// The file could not be read.
    #[error("a frame's file cannot be read: {0}")]
    Unreadable(String),
}
