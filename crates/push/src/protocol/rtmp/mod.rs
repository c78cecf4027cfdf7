//! Publishing over RTMP (Adobe RTMP 1.0).
//!
//! Writing chunks, AMF0 and the handshake are `rml_rtmp`'s; reading chunks and the publishing session are ours: it must say
//! precisely why a server refuses, answer as Twitch, YouTube, SRS and MediaMTX expect, and run over a
//! socket that we own (for binding, deadlines and evidence of the uplink).

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
