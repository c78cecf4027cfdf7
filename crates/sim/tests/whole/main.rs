//! The whole program: real processes, real sockets, real decoding.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests start the program under test"
)]

mod go2;
mod process;
mod receiver;
mod rtsp;
mod usage;
