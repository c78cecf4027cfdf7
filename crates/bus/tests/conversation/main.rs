//! Programs that talk to one another: at their own sockets, and over a real bus that comes late and restarts.

// A harness fails by panicking.
#![allow(clippy::unwrap_used)]

mod generated;
mod on_a_bus;
mod sockets;
