//! Evidence that a connection gives about its uplink.
//!
//! ```text
//! dial::SocketStats, ten times a second --> stall (pure): does anything come through?
//!                                             --> monitor: rows of evidence, and the connection's health
//! ```

mod monitor;
mod stall;

pub use monitor::{ConnectionHealth, ConnectionMonitor, EVERY, milliseconds};
pub use stall::{Detector, Sample};
