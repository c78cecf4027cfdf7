//! From the outputs to the transcoder, which may not run yet.

use robocast_video::h264::AccessUnit;
use std::sync::{Arc, Mutex, PoisonError};

/// Where units are sent that must be re-encoded; empty until a transcoder runs.
#[derive(Debug, Clone, Default)]
pub struct TranscoderInput(Arc<Mutex<Option<gst_app::AppSrc>>>);

impl TranscoderInput {
    /// A transcoder takes them from now on, or none does.
    pub fn set(&self, source: Option<gst_app::AppSrc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = source;
    }

    /// Hands a unit to the transcoder. Without one it is lost; the transcoder starts at a keyframe.
    pub fn push(&self, unit: &AccessUnit) {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(source) = source else { return };
        let mut buffer = gst::Buffer::from_slice(unit.data.clone());
        let fields = buffer.make_mut();
        // The pipeline's base time is zero: its running time is the machine's monotonic clock.
        fields.set_pts(gst::ClockTime::from_nseconds(unit.pts.0));
        fields.set_dts(gst::ClockTime::from_nseconds(unit.dts.0));
        if !unit.keyframe {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let _ = source.push_buffer(buffer);
    }
}
