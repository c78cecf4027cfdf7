//! What a probe of an uplink found. Data alone.

use crate::uplink::connect::ReachError;
use crate::uplink::http::PageError;
use std::time::Duration;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// The interface through which it was made.
    pub interface: String,
    /// The round trip, or what is wrong.
    pub result: Result<Duration, ProbeError>,
}

/// What is wrong with an uplink.
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
    #[error("{host} is not reached")]
    Unreachable {
        /// Its name.
        host: String,
        /// Why.
        #[source]
        source: ReachError,
    },
    /// The probe's page does not answer as it should.
    #[error("{host} is not reached")]
    Page {
        /// Its host.
        host: String,
        /// Why.
        #[source]
        source: PageError,
    },
    /// Nothing answers.
    #[error("nothing answers")]
    NoAnswer,
}
