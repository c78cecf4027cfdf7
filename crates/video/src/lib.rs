//! Video as it travels through robocast, without GStreamer.
//!
//! | module | owns |
//! |---|---|
//! | [`clock`] | one time axis for all processes: `CLOCK_MONOTONIC` |
//! | [`h264`] | NAL units, parameter sets, access units |
//! | [`ipc`] | the camera's socket: access units to any number of readers, requests back |
//! | [`slate`] | the picture that is sent while the robot is away, as it travels between processes |

pub mod clock;
pub mod h264;
pub mod ipc;
pub mod slate;
