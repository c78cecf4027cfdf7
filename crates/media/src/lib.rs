//! The media floor, shared by camera and push.
//!
//! | module | owns |
//! |---|---|
//! | [`clock`] | one time axis for both processes: `CLOCK_MONOTONIC` |
//! | [`h264`] | NAL units, parameter sets, access units |
//! | [`hop`] | access units from the camera to any number of readers |
//! | [`encoder`] | which encoder opens here, and how to steer it |
//! | [`pipeline`] | a GStreamer pipeline that says when it fails and never hangs its owner |
//! | [`slate`] | the picture that is sent while the robot is away |

pub mod clock;
pub mod encoder;
pub mod h264;
pub mod hop;
pub mod pipeline;
pub mod slate;
