//! Publishing over RTMP (Adobe RTMP 1.0).
//!
//! Writing chunks, AMF0 and the handshake are `rml_rtmp`'s; reading chunks and the publishing session are ours: it must say
//! precisely why a server refuses, answer as Twitch, YouTube, SRS and MediaMTX expect, and run over a
//! socket that we own (for binding, deadlines and evidence of the uplink).

mod chunks;
mod connection;
mod session;
#[cfg(test)]
pub(crate) mod test_server;

pub use connection::{ConnectError, Connection, Duplex, reach};
pub use session::{Event, Session, SessionError};
