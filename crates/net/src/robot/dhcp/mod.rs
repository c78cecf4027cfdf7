//! DHCP on the robot's wire, as client or server, inside the robot's namespace.
//!
//! | module | owns |
//! |---|---|
//! | [`lease`] | which offers are accepted: pure |
//! | [`client`] | the client; the protocol is the library mozim's |
//! | [`pool`] | the answers of a server: pure |
//! | [`server`] | its socket |
//! | [`service`] | which of the two runs, and where |

pub mod client;
pub mod lease;
pub mod pool;
pub mod server;
pub mod service;
