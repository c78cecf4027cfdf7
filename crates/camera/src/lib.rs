//! The camera program: it owns one source and publishes H.264 access units on the camera's socket.
//!
//! ```text
//! source (rtp, rtsp, capture, file) -> SourceOutput: gate -> decoding times -> fits? --yes--> Broadcast -> readers
//!                                                                              \--no--> Transcoder --^
//! ```
//! One task, [`program::run`], opens, closes and reopens the source as [`lifecycle`] decides, and serves the readers'
//! requests. Streaming threads only ever touch an [`output::SourceOutput`].
//!
//! | module | owns |
//! |---|---|
//! | [`program`] | the loop: source, readers, D-Bus, signals |
//! | [`lifecycle`] | when the source is opened, closed, opened again, and when it rests. Pure |
//! | [`liveness`] | whether an open source still gives frames. Pure |
//! | [`arbitration`] | which bitrate is in force when several ask. Pure |
//! | [`source`] | the sources, behind one trait |
//! | [`bitrate_control`] | changing the bitrate, at our encoder or at the robot's |
//! | [`rtp`] | packets to access units. Pure |
//! | [`output`], [`gate`], [`decode_times`], [`passthrough`] | the path of every unit; the last three pure |
//! | [`transcoder`], [`transcoder_input`] | re-encoding H.264 that cannot be passed through |
//! | [`counters`] | the counters |

pub mod arbitration;
pub mod bitrate_control;
pub mod counters;
pub mod decode_times;
pub mod gate;
pub mod lifecycle;
pub mod liveness;
pub mod output;
pub mod passthrough;
pub mod program;
pub mod rtp;
pub mod source;
pub mod transcoder;
pub mod transcoder_input;
