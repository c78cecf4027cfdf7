//! Whole-program tests with real peers: `robocast-sim` robots, `robocast run`, nginx with the RTMP module, ffmpeg.
//! Tests run beside one another: each has its own robots, servers and box, and is judged by what these did.

// Helpers of tests panic as tests do; measurements are printed for people.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

// The longest, and first by its name: tests begin in the order of their names.
mod bit_exact;
mod bus;
mod command_line;
mod harness;
mod healing;
mod image;
mod isolation;
mod net;
mod rereading;
mod stick;
mod support;
mod tls;
mod update;
mod wire;
