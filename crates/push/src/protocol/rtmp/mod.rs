//! Publishing over RTMP (Adobe RTMP 1.0).
//!
//! `rml_rtmp` does the handshake, AMF0 and the writing of chunks. Reading chunks and the publishing session are our own
//! code, because the session must report exactly why a server refuses, answer as Twitch, YouTube, SRS and MediaMTX expect,
//! and run over a socket that we own (for binding, deadlines and evidence about the uplink).

mod chunks;
mod error;
mod flv;
mod messages;
mod publisher;
mod session;
#[cfg(test)]
pub(crate) mod test_server;

pub use error::RtmpError;
pub use publisher::RtmpPublisher;
pub use session::{Session, SessionError};
