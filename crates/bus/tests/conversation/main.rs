//! Programs that talk to one another: at sockets of their own, and over a real bus that comes late and restarts.

// A harness fails by panicking.
#![allow(clippy::unwrap_used)]

mod generated;
mod on_a_bus;
mod sockets;
