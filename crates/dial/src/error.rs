//! Why a connection failed.

use crate::tls::TlsError;
use nix::errno::Errno;
use std::io;
use std::net::SocketAddr;

/// A connection to a server failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The server's name has no address, or no name server answers.
    #[error("cannot find `{0}`")]
    Name(String, #[source] io::Error),
    /// No TCP connection.
    #[error("cannot connect to {0}")]
    Tcp(SocketAddr, #[source] io::Error),
    /// TLS cannot be set up on our side, or for this server.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The TLS handshake failed, usually because the certificate is not trusted.
    #[error("the server's certificate is not accepted")]
    Handshake(#[source] io::Error),
    /// A step took too long.
    #[error("no answer to the {0}")]
    Late(&'static str),
}

/// The kind of failure, for the caller's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialErrorKind {
    /// The name has no address. This says nothing about the uplink.
    NotFound,
    /// Nothing on the path to the server answered: evidence against the uplink.
    Unreachable,
    /// Something answered, but there is no connection.
    Refused,
    /// The certificate, or our own TLS setup: an early retry does not help.
    Tls,
    /// The connection was made, then broke or timed out.
    Broken,
}

impl DialError {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> DialErrorKind {
        use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, NotFound, TimedOut};
        match self {
            Self::Name(..) => DialErrorKind::NotFound,
            Self::Tcp(_, error)
                if matches!(
                    error.kind(),
                    HostUnreachable | NetworkDown | NetworkUnreachable | NotFound | TimedOut
                )
                    // `io::ErrorKind` has no kind for this: the interface does not exist.
                    || error.raw_os_error() == Some(Errno::ENODEV as i32) =>
            {
                DialErrorKind::Unreachable
            }
            Self::Tcp(..) => DialErrorKind::Refused,
            Self::Tls(_) => DialErrorKind::Tls,
            Self::Handshake(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                DialErrorKind::Tls
            }
            Self::Handshake(_) | Self::Late(_) => DialErrorKind::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_distinguishes_a_silent_uplink_from_a_server_that_refuses() {
        let at = SocketAddr::from(([203, 0, 113, 9], 1935));
        let tcp = |kind: io::ErrorKind| DialError::Tcp(at, kind.into());
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        for (error, kind) in [
            (tcp(io::ErrorKind::TimedOut), DialErrorKind::Unreachable),
            (tcp(io::ErrorKind::NetworkUnreachable), DialErrorKind::Unreachable),
            (
                DialError::Tcp(at, io::Error::from_raw_os_error(Errno::ENODEV as i32)),
                DialErrorKind::Unreachable,
            ),
            (tcp(io::ErrorKind::ConnectionRefused), DialErrorKind::Refused),
            (DialError::Name("h".into(), io::ErrorKind::TimedOut.into()), DialErrorKind::NotFound),
            (DialError::Handshake(io::Error::other(certificate)), DialErrorKind::Tls),
            (DialError::Handshake(io::ErrorKind::UnexpectedEof.into()), DialErrorKind::Broken),
            (DialError::Late("TLS handshake"), DialErrorKind::Broken),
            (DialError::Tls(TlsError::NoRoots), DialErrorKind::Tls),
        ] {
            assert_eq!(error.kind(), kind, "{error:?}");
        }
    }
}
