//! How the bitrate of a running source is changed, and a keyframe asked for: at our own encoder, or at the
//! robot's.

use gst::prelude::*;
use robocast_config::Bitrate;
use robocast_gst::encoder::{self, Encoder, EncodingTarget};
use robocast_gst::pipeline::PipelineError;
use tokio::sync::mpsc;

/// How the bitrate of a source is changed. A source without such a control passes its input through.
#[derive(Debug, Clone)]
pub enum BitrateControl {
    /// An encoder in this process.
    Encoder(EncoderControl),
    /// The robot's own encoder: its source takes the requests and passes them on.
    Robot(mpsc::Sender<RobotRequest>),
}

/// The request to a robot with its own encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RobotRequest {
    /// Send a keyframe soon.
    Keyframe,
    /// Encode at this rate.
    Bitrate(Bitrate),
}

impl BitrateControl {
    /// Asks for `bitrate`. False when the request could not be handed over and must be made again.
    #[must_use]
    pub fn set_bitrate(&self, bitrate: Bitrate) -> bool {
        match self {
            Self::Encoder(encoder) => {
                encoder.set_bitrate(bitrate);
                true
            }
            Self::Robot(requests) => requests.try_send(RobotRequest::Bitrate(bitrate)).is_ok(),
        }
    }

    /// Asks for a keyframe.
    pub fn force_keyframe(&self) {
        match self {
            Self::Encoder(encoder) => encoder.force_keyframe(),
            // A source that is behind with its requests has one for a keyframe among them, or gets the next.
            Self::Robot(requests) => drop(requests.try_send(RobotRequest::Keyframe)),
        }
    }

    /// The bitrate that it starts with, if that is known.
    #[must_use]
    pub fn initial_bitrate(&self) -> Option<Bitrate> {
        match self {
            Self::Encoder(encoder) => Some(encoder.target.bitrate),
            Self::Robot(_) => None,
        }
    }

    /// The name of the encoder in this process, for people.
    #[must_use]
    pub fn encoder_name(&self) -> Option<&'static str> {
        match self {
            Self::Encoder(encoder) => Some(encoder.encoder.factory()),
            Self::Robot(_) => None,
        }
    }
}

/// A running encoder. Clones control the same one.
#[derive(Debug, Clone)]
pub struct EncoderControl {
    encoder: Encoder,
    element: gst::Element,
    /// The bitrate that it was started with.
    target: EncodingTarget,
}

impl EncoderControl {
    /// Controls the encoder in `pipeline`, which was started with `target`.
    ///
    /// # Errors
    /// When the pipeline has none.
    pub fn find_in(
        pipeline: &gst::Pipeline,
        encoder: Encoder,
        target: EncodingTarget,
    ) -> Result<Self, PipelineError> {
        let element = pipeline.by_name(encoder::ELEMENT).ok_or(PipelineError::Missing("encoder"))?;
        Ok(Self { encoder, element, target })
    }

    fn set_bitrate(&self, bitrate: Bitrate) {
        self.encoder.set_bitrate(&self.element, bitrate, &self.target);
    }

    fn force_keyframe(&self) {
        let event = gst::event::CustomUpstream::new(
            gst::Structure::builder("GstForceKeyUnit").field("all-headers", true).build(),
        );
        if let Some(pad) = self.element.static_pad("src") {
            pad.send_event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robot_is_asked_through_its_source_and_a_full_queue_is_no_success() {
        let (sender, mut requests) = mpsc::channel(2);
        let control = BitrateControl::Robot(sender);
        let rate = Bitrate::from_bps(700_000);
        assert_eq!((control.initial_bitrate(), control.encoder_name()), (None, None));
        assert!(control.set_bitrate(rate));
        control.force_keyframe();
        control.force_keyframe();
        assert!(!control.set_bitrate(rate), "there is room for two");
        assert_eq!(requests.try_recv(), Ok(RobotRequest::Bitrate(rate)));
        assert_eq!(requests.try_recv(), Ok(RobotRequest::Keyframe));
        assert!(control.set_bitrate(rate));
        drop(requests);
        assert!(!control.set_bitrate(rate), "the source is gone");
    }
}
