//! The outcome of a probe of an uplink. Only data.

use robocast_daemon::journal;
use robocast_dial::http::HttpError;
use robocast_dial::{DialError, DialErrorKind};
use std::time::Duration;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// The interface through which it was made.
    pub interface: String,
    /// The round trip, or the problem.
    pub result: Result<Duration, ProbeError>,
}

/// A problem with an uplink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// A login page answers in place of the server.
    #[error(
        "a login page is in the way{}: this network requires a web login; ask its operator to exempt the box's MAC address, or use another network",
        host.as_ref().map(|host| format!(" ({host})")).unwrap_or_default()
    )]
    Login {
        /// The host to which it leads, where that is known.
        host: Option<String>,
    },
    /// A server of the streams is not reached.
    #[error("{host} is not reached: {why}")]
    Unreachable {
        /// Its name.
        host: String,
        /// What kind of failure it is.
        kind: DialErrorKind,
        /// For people.
        why: String,
    },
    /// The probe's page does not answer as it should.
    #[error("{host} is not reached: {why}")]
    Page {
        /// Its host.
        host: String,
        /// For people.
        why: String,
    },
    /// Nothing answers.
    #[error("nothing answers")]
    NoAnswer,
}

impl ProbeError {
    /// A server that is not reached.
    #[must_use]
    pub fn unreachable(host: &str, error: &DialError) -> Self {
        Self::Unreachable { host: host.to_owned(), kind: error.kind(), why: journal::chain(error) }
    }

    /// A page that does not answer as it should.
    #[must_use]
    pub fn page(host: &str, error: &HttpError) -> Self {
        Self::Page { host: host.to_owned(), why: journal::chain(error) }
    }
}
