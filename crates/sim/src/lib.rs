//! Robots that speak the real protocols, for the demo, the tests, the bench and the rig.
//!
//! | file | owns |
//! |---|---|
//! | `go2` | a robot that sends RTP to a multicast group |
//! | `rtsp`, `mount` | RTSP cameras: the server, and one of its paths |
//! | `probe`, `playback`, `tally` | the viewer at the other end: program, pipelines, counts |
//! | `feed` | footage in real time (`clip`: a file in memory; `pattern`: drawn and encoded live) |
//! | `rtp`, `fault` | packets, and the damage of a bad network or a hostile robot |
//! | `stamp` | the clock burnt into the pattern |
//! | `slice_log` | the log of the slices sent, with its format |
//! | `command`, `control` | the commands of a running robot, and where they come from |
//!
//! A robot runs a feed's thread, which sends; the threads that read stdin and the control socket; and the main
//! thread, which waits for a signal or a failure. Nothing here belongs on the box.

pub mod access_unit;
pub mod args;
pub mod clip;
pub mod command;
pub mod control;
pub mod error;
pub mod fault;
pub mod feed;
pub mod go2;
pub mod lifetime;
pub mod mount;
pub mod pattern;
pub mod playback;
pub mod probe;
pub mod random;
pub mod rtp;
pub mod rtsp;
pub mod slice_log;
pub mod stamp;
pub mod tally;
