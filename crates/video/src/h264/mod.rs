//! H.264 as it travels through robocast: Annex B access units with four-byte start codes.

mod nal;
mod parameter_sets;
#[cfg(any(test, feature = "test-util"))]
pub mod samples;

pub use nal::{NalKind, nals, push_nal, starts_picture};
pub use parameter_sets::{ParameterSets, VideoFormat};

use crate::clock::MonoTime;
use bytes::Bytes;

/// One coded picture with everything that belongs to it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Annex B, each NAL unit behind a four-byte start code.
    pub data: Bytes,
    /// When to show it.
    pub pts: MonoTime,
    /// When to decode it; never later than `pts` and never earlier than the unit before.
    pub dts: MonoTime,
    /// When its last byte reached the camera process. Latency is counted from here.
    pub arrived: MonoTime,
    /// Whether decoding can start here: an IDR picture with its parameter sets.
    pub keyframe: bool,
}

impl std::fmt::Debug for AccessUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessUnit")
            .field("bytes", &self.data.len())
            .field("pts", &self.pts)
            .field("dts", &self.dts)
            .field("keyframe", &self.keyframe)
            .finish()
    }
}
