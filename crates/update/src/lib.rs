//! Updates of the box: installing a bundle, and the gate that a new slot must pass before it is kept.
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | `robocast update`: installs bundles for any caller on the bus, one at a time |
//! | [`gate`] | when a slot is good: pure |
//! | `stream` | what the gate expects and knows of one stream: pure |
//! | [`good_slots`] | which image of which slot was good before: the file `proven` |
//! | [`gate_runner`] | `robocast update gate`: feeds the gate with events from the bus, and carries out its decisions |
//! | `bus_events` | the gate's input from the bus |
//!
//! The program takes bundles in (`org.robocast.Update1.Install`) and gives them to RAUC. The gate takes in the
//! settings, the names and counters of the programs on the bus, and RAUC's data about its slots; its output is one call
//! (`Mark`) and one file (`proven` in the state folder).

mod bus_events;
pub mod gate;
pub mod gate_runner;
pub mod good_slots;
pub mod program;
mod stream;

pub use stream::ExpectedStream;
