//! Why an RTMP session failed.

use super::session::SessionError;
use crate::sink::{SinkError, SinkErrorKind};
use std::io;

/// A session could not be opened, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum RtmpError {
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server does not answer.
    #[error("no answer to the request to publish")]
    Late,
    /// The server's error, or it does not speak RTMP.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<RtmpError> for SinkError {
    fn from(error: RtmpError) -> Self {
        let kind = match &error {
            RtmpError::Session(SessionError::Busy(_)) => SinkErrorKind::Busy,
            RtmpError::Session(SessionError::Refused { .. }) => SinkErrorKind::Refused,
            _ => SinkErrorKind::Broken,
        };
        Self::new(kind, error)
    }
}
