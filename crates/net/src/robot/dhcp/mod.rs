//! Addresses on the robot's wire, both ways, inside the robot's namespace.
//!
//! | module | owns |
//! |---|---|
//! | [`lease`] | what is believed of a server's word: pure |
//! | [`client`] | asks a server; the protocol is the library mozim's |
//! | [`pool`] | what a server answers: pure |
//! | [`server`] | its socket |
//! | [`speaker`] | which of the two speaks, and where |

pub mod client;
pub mod lease;
pub mod pool;
pub mod server;
pub mod speaker;
