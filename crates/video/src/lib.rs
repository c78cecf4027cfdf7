//! Video as it travels through robocast, without GStreamer.
//!
//! | module | owns |
//! |---|---|
//! | [`clock`] | one time axis for all processes: `CLOCK_MONOTONIC` |
//! | [`h264`] | NAL units, parameter sets, access units |
//! | [`ipc`] | the camera's socket: access units to any number of readers, requests back |
//! | [`slate`] | the picture that is sent while the robot is away, as it travels between processes |

use robocast_config::Size;

/// The size of pictures where neither the settings nor the source say: what every camera and every software
/// encoder of a supported board can do.
pub const DEFAULT_SIZE: Size = Size { width: 1280, height: 720 };

pub mod clock;
pub mod h264;
pub mod ipc;
pub mod slate;
