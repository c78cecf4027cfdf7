//! Updates of the box: installing a bundle, and the gate that a new slot must pass before it is kept.
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | `robocast update`: installs bundles for any caller on the bus, one at a time |
//! | [`gate`] | when a slot is good: pure |
//! | `stream` | what the gate expects and knows of one stream: pure |
//! | [`good_slots`] | which image of which slot was good before: the file `proven` |
//! | [`gate_runner`] | `robocast update gate`: feeds the gate with what the bus says, carries out what it decides |
//! | `bus_events` | what the gate listens to on the bus |
//!
//! The program takes bundles in (`org.robocast.Update1.Install`) and gives them to RAUC. The gate takes in the settings, the
//! names and counters of the programs on the bus, and what RAUC knows of its slots; out go one call (`Mark`) and one file
//! (`proven` in the state folder).

mod bus_events;
pub mod gate;
pub mod gate_runner;
pub mod good_slots;
pub mod program;
mod stream;

pub use stream::ExpectedStream;
