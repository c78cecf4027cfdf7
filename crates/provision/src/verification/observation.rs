//! The known state of the box at one moment.

use robocast_bus::{NetStatus, StreamStatus};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// All of it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The network.
    pub net: NetworkReport,
    /// The streams whose programs answer.
    pub streams: Vec<StreamStatus>,
    /// By host: whether a name server knows it. Missing until the first answer.
    pub names: BTreeMap<String, Result<(), NameError>>,
    /// The clock.
    pub now: SystemTime,
    /// When the image was made, where that is known.
    pub image_epoch: Option<SystemTime>,
    /// The broker's answer; `None` until the first one.
    pub broker: Option<Result<(), BrokerError>>,
}

/// The known state of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkReport {
    /// No program of ours manages it here: a laptop, a demonstration.
    Unmanaged,
    /// The network program should be there, and does not answer.
    Silent,
    /// The network program's status.
    Status(Box<NetStatus>),
}

/// Why a name has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// No name server answers.
    NoAnswer,
    /// A name server reports that there is no such name.
    NoSuchName,
}

/// Why the broker does not accept the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerError {
    /// It cannot be reached.
    Unreachable(String),
    /// It refused: a wrong user or password.
    Refused(String),
    /// Its certificate is not trusted, or it does not use TLS.
    Tls(String),
}
