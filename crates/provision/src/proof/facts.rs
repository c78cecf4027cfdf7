//! What is known of the box at one moment.

use robocast_bus::{NetStatus, StreamStatus};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// All of it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The network, as its program says.
    pub net: Network,
    /// The streams whose programs answer.
    pub streams: Vec<StreamStatus>,
    /// By host: whether a name server knows it. Missing while it is asked.
    pub names: BTreeMap<String, Result<(), NameFault>>,
    /// The clock.
    pub now: SystemTime,
    /// When the image was made, where that is known.
    pub made: Option<SystemTime>,
    /// What the broker said; none while it is asked.
    pub broker: Option<Result<(), BrokerFault>>,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// No program keeps it here: a laptop, a demonstration.
    Others,
    /// Its program should be there, and is not.
    Silent,
    /// What its program says.
    Says(Box<NetStatus>),
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// No name server answers.
    Silent,
    /// A name server says that there is no such name.
    Unknown,
}

/// Why the broker does not take the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerFault {
    /// It cannot be reached.
    Away(String),
    /// It said no: a wrong user or password.
    Refused(String),
    /// Its certificate is not trusted, or it speaks no TLS.
    Tls(String),
}
