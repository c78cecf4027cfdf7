//! One way to the world: every connection to a server goes through here, bound to the uplink that was chosen.
//!
//! | module | owns |
//! |---|---|
//! | [`DialError`] | why there is no connection, with a kind that callers decide by |
//! | [`Link`] | the uplink that a connection goes through |
//! | [`Resolver`] | names, asked through that uplink |
//! | [`Server`] | a server by its name, and the addresses that it last had |
//! | [`tcp`], [`udp`] | sockets: MPTCP where the kernel has it, bound to the interface |
//! | [`Roots`] | which certificates are trusted, and the TLS handshake |
//! | [`http`] | get, post and download |
//! | [`SocketStats`] | what the kernel knows of a connection |
//!
//! ```text
//! Server --Resolver--> addresses --tcp::connect--> TcpStream --Roots::handshake--> TLS --http--> Response
//!            |                        |
//!            systemd-resolved by      SO_BINDTODEVICE, MPTCP, keepalive, TCP_USER_TIMEOUT
//!            interface, or the
//!            link's name servers
//! ```

mod dns;
mod error;
pub mod http;
mod link;
mod resolver;
mod server;
mod sockopt;
mod stats;
pub mod tcp;
mod tls;
pub mod udp;

pub use error::{DialError, DialErrorKind};
pub use link::Link;
pub use resolver::Resolver;
pub use server::Server;
pub use stats::{SocketStats, Subflow};
pub use tls::{Roots, TlsError};
