//! The harness of the whole-program tests: real peers around the real executables.
//!
//! | file | owns |
//! |---|---|
//! | `programs` | where the executables under test are; builds them once; what tests require |
//! | `process` | a child with its output captured; killed when dropped, and by the kernel when the test dies |
//! | `waiting` | waits for a state, with a deadline; the only place that lets time pass |
//! | `machine` | what tests on one machine share: ports, multicast groups, room; how long it delayed them |
//! | `robot`, `product`, `nginx` | the three parties: `robocast-sim`, `robocast run`, a real nginx with the RTMP module |
//! | `bus`, `rauc` | a real D-Bus daemon; a real RAUC on it |
//! | `stand_ins` | a RAUC that does what a test wants, and systemd |
//! | `systemd` | a stand-in of systemd that records its calls, with a net program that reads its settings |
//! | `certificates` | a test CA and the certificates it signs |
//! | `flv`, `slices`, `decoding` | a server's recording; the robot's slices, and when; a decoder's messages about it |
//! | `passing` | whether recording and robot match |
//! | `two_ways` | a box with two uplinks to one server, each through its own router, in network namespaces |
//! | `net` | a stand-in of the net program: chooses as a test says, or by what the connections show |
//! | `arrivals` | when frames arrived at the server, and the silences between them |
//!
//! A failing test prints the last output of each of its children.

// A harness fails by panicking, with its observations.
#![allow(clippy::unwrap_used)]

pub mod arrivals;
pub mod bus;
pub mod certificates;
pub mod decoding;
pub mod flv;
pub mod machine;
pub mod net;
pub mod nginx;
pub mod passing;
pub mod process;
pub mod product;
pub mod programs;
pub mod rauc;
pub mod robot;
pub mod slices;
pub mod stand_ins;
pub mod systemd;
pub mod two_ways;
pub mod waiting;
