//! GStreamer, for the camera program and the slate. Nothing else may link this crate: `ci/links` checks it.
//!
//! | module | owns |
//! |---|---|
//! | [`encoder`] | which encoder opens here, and how to change its bitrate |
//! | [`pipeline`] | a pipeline that says when it fails and never hangs its owner |
//! | [`slate`] | drawing and encoding the picture that is sent while the robot is away |
//! | `stand_ins` | elements with the names, pads and properties of the hardware's, for tests |

pub mod encoder;
pub mod pipeline;
pub mod slate;
#[cfg(feature = "test-util")]
pub mod stand_ins;
