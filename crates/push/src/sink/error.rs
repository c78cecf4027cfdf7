//! Why a sink has no session. Retry and state depend only on the kind of the error.

use robocast_dial::{DialError, DialErrorKind, TlsError};
use std::error::Error;
use std::fmt;

/// The kind of error, for a sink's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SinkErrorKind {
    /// The server refuses the connection, or its name is not found.
    Away,
    /// Nothing on the path to the server answers: evidence against the uplink.
    Unreachable,
    /// The server apparently still has our earlier session.
    Busy,
    /// The server says no, or its certificate is not trusted: early retries would only annoy it.
    Refused,
    /// The session broke, or could not be opened.
    Broken,
    /// We abandoned the connection in favour of the chosen uplink.
    Abandoned,
}

/// A session could not be opened, or has ended.
#[derive(Debug)]
pub struct SinkError {
    kind: SinkErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

impl SinkError {
    /// An error of a protocol, and its kind.
    #[must_use]
    pub fn new(kind: SinkErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// Nothing came through `uplink`, and another uplink was chosen.
    #[must_use]
    pub fn abandoned(uplink: &str) -> Self {
        let why = format!("nothing gets through {uplink}: abandoned for the uplink that was chosen instead");
        Self::new(SinkErrorKind::Abandoned, why)
    }

    /// The kind of error.
    #[must_use]
    pub fn kind(&self) -> SinkErrorKind {
        self.kind
    }
}

/// Shows the error of the protocol.
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
    fn it_shows_the_error_of_the_protocol_with_its_cause() {
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
