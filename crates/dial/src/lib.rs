//! All connections to servers are made here, bound to the chosen uplink.
//!
//! | module | owns |
//! |---|---|
//! | [`DialError`] | why a connection failed, with a kind for the caller's decisions |
//! | [`Link`] | the uplink that a connection uses |
//! | [`Resolver`] | name lookups through that uplink |
//! | [`Server`] | a server's name and its last known addresses |
//! | [`tcp`], [`udp`] | sockets bound to the interface, with MPTCP if the kernel has it |
//! | [`Roots`] | the trusted certificates, and the TLS handshake |
//! | [`http`] | get, post and download |
//! | [`SocketStats`] | the kernel's statistics of a connection |
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
