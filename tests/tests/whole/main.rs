//! Whole-program tests with real peers: `robocast-sim` robots, `robocast run`, nginx with the RTMP module, ffmpeg.
//! One executable, so that tests that measure time can keep the others off the machine (`machine::alone`).

// Helpers of tests panic as tests do; what was measured is for people to read.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bus;
mod command_line;
mod harness;
mod healing;
mod image;
mod isolation;
mod net;
mod passing_through;
mod rereading;
mod stick;
mod support;
mod tls;
mod update;
mod wire;
