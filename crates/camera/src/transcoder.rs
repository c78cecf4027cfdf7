//! Decoding and encoding again, for H.264 that cannot be passed through.

use crate::bitrate_control::{BitrateControl, EncoderControl};
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use crate::transcoder_input::TranscoderInput;
use gst::prelude::*;
use robocast_gst::encoder::{Encoder, EncodingTarget};
use robocast_gst::pipeline::{self, Pipeline, PipelineError, PipelineEvent};
use std::time::Duration;

/// The decoders, best first, each with the elements that make raw pictures of H.264 with it.
const DECODERS: [(&str, &str); 4] = [
    ("nvv4l2decoder", "nvv4l2decoder ! nvvidconv ! video/x-raw"),
    ("v4l2h264dec", "v4l2h264dec"),
    ("avdec_h264", "avdec_h264 max-threads=1"),
    ("openh264dec", "openh264dec"),
];

/// A pipeline that decodes and encodes.
#[derive(Debug)]
pub struct Transcoder {
    pipeline: Pipeline,
    input: TranscoderInput,
    control: EncoderControl,
}

impl Transcoder {
    /// Starts one around `encoder`; its output goes to the camera's readers.
    ///
    /// # Errors
    /// When no decoder opens, or the pipeline does not start.
    pub fn start(
        context: &CameraContext,
        encoder: Encoder,
        target: EncodingTarget,
    ) -> Result<Self, PipelineError> {
        let decoder = DECODERS
            .iter()
            .find(|(factory, _)| try_open(factory))
            .map(|(_, words)| words)
            .ok_or(PipelineError::Missing("H.264 decoder"))?;
        let mut pipeline = Pipeline::parse(&format!(
            "appsrc name=in format=time is-live=true max-bytes=8000000 \
             caps=video/x-h264,stream-format=byte-stream,alignment=au \
             ! h264parse ! {decoder} ! queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream \
             ! {} ! appsink name=out sync=false max-buffers=8",
            encoder.chain(&target)
        ))?;
        pipeline.gst().set_start_time(None::<gst::ClockTime>);
        pipeline.gst().set_base_time(gst::ClockTime::ZERO);
        let mut output = SourceOutput::encoded(context.clone());
        pipeline::on_units(pipeline.gst(), "out", move |unit| output.deliver(SourceUnit::whole(&unit)))?;
        let control = EncoderControl::find_in(pipeline.gst(), encoder, target)?;
        let source: gst_app::AppSrc = pipeline.element("in")?;
        pipeline.play()?;
        context.transcoder_input.set(Some(source));
        Ok(Self { pipeline, input: context.transcoder_input.clone(), control })
    }

    /// Waits until it fails; returns the reason. Cancel safe.
    pub async fn run(&mut self) -> String {
        match self.pipeline.next_event().await {
            PipelineEvent::Failed { element, message, .. } => format!("{element}: {message}"),
            PipelineEvent::Ended | PipelineEvent::SegmentDone => "the encoder ended".into(),
        }
    }

    /// Its encoder.
    #[must_use]
    pub fn control(&self) -> BitrateControl {
        BitrateControl::Encoder(self.control.clone())
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub async fn stop(self, deadline: Duration) -> Result<(), PipelineError> {
        self.input.set(None);
        self.pipeline.stop(deadline).await
    }
}

fn try_open(factory: &str) -> bool {
    let Ok(element) = gst::ElementFactory::make(factory).build() else { return false };
    let opened = element.set_state(gst::State::Ready).is_ok();
    let _ = element.set_state(gst::State::Null);
    opened
}
