//! The uplinks: NetworkManager runs them; this side decides which exist and which one carries the streams.
//!
//! | file | owns |
//! |---|---|
//! | `manager`, `status` | the facade: converge, changed; the status of the uplinks (pure) |
//! | `desired`, `profile` | NetworkManager's profiles, made from settings: pure |
//! | `observed`, `modem` | the state that NetworkManager and ModemManager report: data |
//! | `plan` | the steps from one to the other: pure |
//! | `observe`, `apply`, `checkpoint`, `calls`, `network_manager`, `signals` | D-Bus: read, change, roll back, listen |
//! | `mptcp`, `radio`, `command` | MPTCP's limits and preferred endpoints; the radio's country |
//! | `health`, `choice` | which uplink carries the streams: pure |
//! | `probe`, `probe_outcome` | the probe of one uplink, and its result |
//! | `egress` | an uplink, with the parts that a connection through it needs |
//! | `resolved` | systemd-resolved: names follow the chosen uplink |

pub mod choice;
pub mod desired;
pub mod egress;
pub mod health;
pub mod modem;
pub mod observed;
pub mod plan;
pub mod probe;
pub mod probe_outcome;
pub mod profile;
pub mod resolved;
pub mod status;

mod apply;
mod calls;
mod checkpoint;
mod command;
mod manager;
mod mptcp;
mod network_manager;
mod observe;
mod radio;
mod signals;

pub use calls::BusError;
pub use command::CommandError;
pub use desired::DesiredUplinks;
pub use manager::{UplinkManager, UplinkOutcome};
pub use mptcp::{prefer_endpoints, renew_endpoints};
