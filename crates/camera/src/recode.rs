//! Decoding and encoding again, for H.264 that cannot go on as it came.

use crate::outlet::{Arrival, Outlet, Shared};
use gst::prelude::*;
use robocast_config::Bitrate;
use robocast_media::encoder::{self, Encoder, Target};
use robocast_media::h264::AccessUnit;
use robocast_media::pipeline::{self, Pipeline, PipelineError, PipelineEvent};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where units go that must be encoded anew; empty until an encoder runs.
#[derive(Debug, Clone, Default)]
pub struct RecodeInput(Arc<Mutex<Option<gst_app::AppSrc>>>);

impl RecodeInput {
    fn set(&self, source: Option<gst_app::AppSrc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = source;
    }

    /// Hands a unit to the encoder; without one it is lost, and the next keyframe begins anew.
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

/// An encoder at work, and how to steer it.
#[derive(Debug)]
pub struct Steering {
    encoder: Encoder,
    element: gst::Element,
    target: Target,
}

impl Steering {
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
pub struct Steer(Arc<Mutex<Option<Steering>>>);

impl Steer {
    /// An encoder starts, or there is none any more.
    pub fn set(&self, steering: Option<Steering>) {
        *self.lock() = steering;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Steering>> {
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
        self.lock().as_ref().map(Steering::name)
    }
}

/// The decoders, best first, each with the words that make raw pictures of H.264 with it.
const DECODERS: [(&str, &str); 4] = [
    ("nvv4l2decoder", "nvv4l2decoder ! nvvidconv ! video/x-raw"),
    ("v4l2h264dec", "v4l2h264dec"),
    ("avdec_h264", "avdec_h264 max-threads=1"),
    ("openh264dec", "openh264dec"),
];

/// A pipeline that decodes and encodes.
#[derive(Debug)]
pub struct Recoder {
    pipeline: Pipeline,
    input: RecodeInput,
    steer: Steer,
}

impl Recoder {
    /// Starts one around `encoder`; its output goes to the hop.
    ///
    /// # Errors
    /// When no decoder opens, or the pipeline does not start.
    pub fn start(shared: &Shared, encoder: Encoder, target: Target) -> Result<Self, PipelineError> {
        let decoder = DECODERS
            .iter()
            .find(|(factory, _)| opens(factory))
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
        let mut outlet = Outlet::encoded(shared.clone());
        pipeline::on_units(pipeline.gst(), "out", move |unit| outlet.take(Arrival::whole(&unit)))?;
        let steering = Steering::of(pipeline.gst(), encoder, target)?;
        let source: gst_app::AppSrc = pipeline.element("in")?;
        pipeline.play()?;
        shared.steer.set(Some(steering));
        shared.recode.set(Some(source));
        Ok(Self { pipeline, input: shared.recode.clone(), steer: shared.steer.clone() })
    }

    /// What went wrong in it, when something does.
    pub async fn next_event(&mut self) -> PipelineEvent {
        self.pipeline.next_event().await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub async fn stop(self, deadline: Duration) -> Result<(), PipelineError> {
        self.input.set(None);
        self.steer.set(None);
        self.pipeline.stop(deadline).await
    }
}

fn opens(factory: &str) -> bool {
    let Ok(element) = gst::ElementFactory::make(factory).build() else { return false };
    let opened = element.set_state(gst::State::Ready).is_ok();
    let _ = element.set_state(gst::State::Null);
    opened
}
