//! TCP connections through one uplink: `connect(host, port, egress)`.

use crate::uplink::egress::Egress;
use crate::uplink::resolver::{self, ResolveError};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long each address may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// Why a host cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// Its name cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// It does not answer.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    /// The connection is refused, or breaks.
    #[error("{text}")]
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// What the kernel says.
        text: String,
    },
}

impl From<io::Error> for ReachError {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), text: error.to_string() }
    }
}

/// Connects through one uplink, to the first of the host's addresses that accepts.
///
/// # Errors
/// When the name cannot be resolved there, or no address accepts the connection: the last address's reason.
pub async fn connect(host: &str, port: u16, egress: &Egress) -> Result<TcpStream, ReachError> {
    let mut failure = ReachError::Resolve(ResolveError::NoAddress);
    for address in resolver::resolve(host, egress).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind_device(Some(egress.interface.as_bytes()))?;
        match timeout(PATIENCE, socket.connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error.into(),
            Err(_) => failure = ReachError::Late,
        }
    }
    Err(failure)
}
