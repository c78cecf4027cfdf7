//! Programs that talk to one another: at sockets of their own, and over a real bus that comes late and restarts.

mod generated;
mod on_a_bus;
mod sockets;
