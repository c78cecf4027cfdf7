//! Why a sink has no session, with a kind that retry and state follow from alone.

use robocast_dial::{DialError, DialErrorKind, TlsError};
use std::error::Error;
use std::fmt;

/// What a sink decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SinkErrorKind {
    /// There is no connection now: nobody listens, or the name is not found.
    Away,
    /// Nothing at all answers on the way to the server, which speaks against the uplink.
    Unreachable,
    /// The server seems to have our earlier session still.
    Busy,
    /// The server says no, or its certificate is not trusted: trying again soon would only annoy it.
    Refused,
    /// The session broke, or did not come about.
    Broken,
    /// We gave the connection up for the uplink that was chosen instead.
    Abandoned,
}

/// A session could not be made, or is over.
#[derive(Debug)]
pub struct SinkError {
    kind: SinkErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

impl SinkError {
    /// An error of a protocol, and what it means.
    #[must_use]
    pub fn new(kind: SinkErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// Nothing came through `uplink`, and another was chosen.
    #[must_use]
    pub fn abandoned(uplink: &str) -> Self {
        let why = format!("nothing comes through {uplink}: given up for the uplink that was chosen instead");
        Self::new(SinkErrorKind::Abandoned, why)
    }

    /// What it means.
    #[must_use]
    pub fn kind(&self) -> SinkErrorKind {
        self.kind
    }
}

/// As the error of the protocol.
impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

impl From<DialError> for SinkError {
    fn from(error: DialError) -> Self {
        let kind = match error.kind() {
            DialErrorKind::NotFound | DialErrorKind::Refused => SinkErrorKind::Away,
            DialErrorKind::Unreachable => SinkErrorKind::Unreachable,
            DialErrorKind::Tls => SinkErrorKind::Refused,
            DialErrorKind::Broken => SinkErrorKind::Broken,
        };
        Self::new(kind, error)
    }
}

impl From<TlsError> for SinkError {
    fn from(error: TlsError) -> Self {
        DialError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_daemon::journal;
    use std::io;

    #[test]
    fn it_says_what_the_protocol_says_and_why() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = SinkError::from(DialError::Tcp(([203, 0, 113, 9], 1935).into(), refused));
        assert_eq!(error.kind(), SinkErrorKind::Away);
        assert_eq!(journal::chain(&error), "cannot connect to 203.0.113.9:1935: connection refused");
        let error = SinkError::abandoned("wlan0");
        assert_eq!((error.kind(), error.to_string().contains("wlan0")), (SinkErrorKind::Abandoned, true));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_a_refusal() {
        assert_eq!(SinkError::from(TlsError::Ca).kind(), SinkErrorKind::Refused);
        let silent =
            SinkError::from(DialError::Tcp(([203, 0, 113, 9], 1).into(), io::ErrorKind::TimedOut.into()));
        assert_eq!(silent.kind(), SinkErrorKind::Unreachable);
    }
}
