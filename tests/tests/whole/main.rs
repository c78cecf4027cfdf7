//! Whole-program tests with real peers: `robocast-sim` robots, `robocast run`, nginx with the RTMP module, ffmpeg.
//! One executable, so that tests that measure time can keep the others off the machine (`machine::alone`).

mod harness;
mod passing_through;
