//! Updates of the box: so far, the gate that a new slot must pass before it is kept.
//!
//! | module | owns |
//! |---|---|
//! | [`gate`] | when a slot is good: pure |
//! | `stream` | what the gate knows of one stream: pure |
//! | [`proof`] | which image of which slot was good before: pure |
//! | [`watch`] | the gate's shell: gathers what the bus says, carries out what the gate decides |
//! | `rauc`, `systemd` | the words of these two on D-Bus |
//!
//! In come the settings, the names and counters of the programs on the bus, and what RAUC knows of its slots. Out go one
//! call (`Mark`) and one file (`proven` in the state folder).

pub mod gate;
pub mod proof;
mod rauc;
mod stream;
mod systemd;
pub mod watch;
