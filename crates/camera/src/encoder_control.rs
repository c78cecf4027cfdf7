//! The encoder at work, and how to steer it while it runs.

use gst::prelude::*;
use robocast_config::Bitrate;
use robocast_gst::encoder::{self, Encoder, Target};
use robocast_gst::pipeline::PipelineError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An encoder at work, and how to steer it.
#[derive(Debug)]
pub struct EncoderControl {
    encoder: Encoder,
    element: gst::Element,
    target: Target,
}

impl EncoderControl {
    /// Takes hold of the encoder in `pipeline`.
    ///
    /// # Errors
    /// When the pipeline has none.
    pub fn of(pipeline: &gst::Pipeline, encoder: Encoder, target: Target) -> Result<Self, PipelineError> {
        let element = pipeline.by_name(encoder::ELEMENT).ok_or(PipelineError::Missing("encoder"))?;
        Ok(Self { encoder, element, target })
    }

    /// Changes the bitrate while it runs.
    pub fn set_bitrate(&mut self, bitrate: Bitrate) {
        self.target.bitrate = bitrate;
        self.encoder.set_bitrate(&self.element, bitrate, &self.target);
    }

    /// Makes the next picture a keyframe.
    pub fn force_keyframe(&self) {
        let event = gst::event::CustomUpstream::new(
            gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).build(),
        );
        if let Some(pad) = self.element.static_pad("src") {
            pad.send_event(event);
        }
    }

    /// The encoder's name, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.encoder.factory()
    }
}

/// The encoder that works for this camera now, if one does. Sources put it here; the camera's loop
/// steers it.
#[derive(Debug, Clone, Default)]
pub struct BitrateControl(Arc<Mutex<Option<EncoderControl>>>);

impl BitrateControl {
    /// An encoder starts, or there is none any more.
    pub fn set(&self, steering: Option<EncoderControl>) {
        *self.lock() = steering;
    }

    fn lock(&self) -> MutexGuard<'_, Option<EncoderControl>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the bitrate; false when nothing is encoded here.
    pub fn set_bitrate(&self, bitrate: Bitrate) -> bool {
        self.lock().as_mut().map(|steering| steering.set_bitrate(bitrate)).is_some()
    }

    /// Makes the next picture a keyframe, if something is encoded here.
    pub fn force_keyframe(&self) {
        if let Some(steering) = &*self.lock() {
            steering.force_keyframe();
        }
    }

    /// The encoder's name, for people.
    #[must_use]
    pub fn encoder(&self) -> Option<&'static str> {
        self.lock().as_ref().map(EncoderControl::name)
    }
}
