//! Laws of the RTSP server's pure parts: streams made by hand, cut anywhere. Tests with a real server
//! and real viewers are in `tests/rtsp/`.

mod packets;
mod pictures;
mod streams;
