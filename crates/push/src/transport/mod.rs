//! The way to a server: a socket of our own, bound to the uplink that was chosen, and what it shows of
//! that uplink.
//!
//! ```text
//! socket: opens it (MPTCP where the kernel has it) --> reading: what the kernel knows of it, ten times a second
//!                                                         --> stall (pure): does anything come through?
//!                                                               --> watch: rows of evidence, and the verdict
//! names: where the server is, also while nobody tells
//! ```

mod kernel;
mod names;
mod reading;
mod socket;
mod stall;
mod watch;

pub use names::CachedResolver;
pub use reading::{SocketStats, Subflow};
pub use socket::connect;
pub use stall::{Detector, Sample};
pub use watch::{ConnectionHealth, ConnectionMonitor, EVERY, milliseconds};
