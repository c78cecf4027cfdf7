//! The camera program: it owns one source and yields H.264 access units on the hop.
//!
//! ```text
//! source (rtp, rtsp, v4l2, ...) -> Outlet: gate -> decoding times -> fits? --yes--> Feed -> hop
//!                                                                      \--no--> Recoder --^
//! ```
//! One task: [`program::run`] opens the source, judges whether frames advance, opens it again when
//! they do not, and obeys readers. Streaming threads only ever touch an [`outlet::Outlet`].

pub mod counters;
pub mod decode_times;
pub mod fit;
pub mod gate;
pub mod outlet;
pub mod program;
pub mod recode_input;
pub mod recoder;
pub mod rtp;
pub mod source;
pub mod steering;
