//! The camera program: it owns one source and yields H.264 access units on the hop.
//!
//! ```text
//! source (rtp, rtsp, v4l2, ...) -> SourceOutput: gate -> decoding times -> fits? --yes--> Broadcast -> hop
//!                                                                      \--no--> Transcoder --^
//! ```
//! One task: [`program::run`] opens the source, judges whether frames advance, opens it again when
//! they do not, and obeys readers. Streaming threads only ever touch an [`output::SourceOutput`].

pub mod counters;
pub mod decode_times;
pub mod encoder_control;
pub mod gate;
pub mod output;
pub mod passthrough;
pub mod program;
pub mod rtp;
pub mod source;
pub mod transcoder;
pub mod transcoder_input;
