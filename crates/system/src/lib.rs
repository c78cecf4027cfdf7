//! The services that a box runs beside robocast, as D-Bus clients: each interface is declared here and nowhere else.
//!
//! | module | owns |
//! |---|---|
//! | [`error`] | why a request to a service failed: not there, refused, or the bus failed |
//! | [`rauc`] | RAUC: slots, marking them, installing a bundle |
//! | [`systemd`] | systemd: units and jobs |
//! | [`resolved`] | systemd-resolved: names looked up through one interface |
//! | [`timesyncd`] | systemd-timesyncd: its time servers |
//!
//! Calls have no built-in deadline, since each caller knows best how long it can wait.

pub mod error;
pub mod rauc;
pub mod resolved;
pub mod systemd;
pub mod timesyncd;

pub use error::ServiceError;
