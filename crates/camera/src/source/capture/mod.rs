//! Cameras on the box itself: V4L2, libcamera, Jetson's argus; and the test picture.

mod format;

pub use format::{CaptureFormat, CaptureMode, choose_format};

use super::gst_source::{EncoderSlot, GstSource};
use super::{OpenError, SourceContext, choose_encoder};
use crate::bitrate_control::EncoderControl;
use crate::liveness::Patience;
use crate::output::{SourceOutput, SourceUnit};
use gst::prelude::*;
use robocast_config::Stream;
use robocast_gst::encoder::Encoder;
use robocast_gst::pipeline::{self, Pipeline, PipelineError};
use robocast_video::DEFAULT_SIZE;
use robocast_video::h264::ParameterSets;
use std::path::Path;

/// A V4L2 camera.
pub fn open_v4l2(device: &Path, context: SourceContext<'_>) -> Result<GstSource, OpenError> {
    pipeline::init()?;
    let path = device.display();
    let offered = query_caps(device)?;
    let format = choose_format(&offered, context.stream).ok_or_else(|| {
        OpenError::Device(format!("{path} offers no format that robocast can use: {offered}"))
    })?;
    let camera = format!(
        "v4l2src name=camera device={} do-timestamp=true ! {}",
        quoted(&path.to_string()),
        format.caps()
    );
    match format.mode {
        CaptureMode::H264 => {
            let words = format!(
                "{camera} ! h264parse config-interval=-1 \
                 ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
            );
            let output = SourceOutput::coded(context.output.clone(), ParameterSets::default());
            start_pipeline(&words, None, output, context)
        }
        CaptureMode::Raw => start_encoding(&camera, context),
        CaptureMode::Jpeg => start_encoding(&format!("{camera} ! jpegdec"), context),
    }
}

/// Asks the device for its formats.
fn query_caps(device: &Path) -> Result<gst::Caps, OpenError> {
    let path = device.display();
    let probe = gst::ElementFactory::make("v4l2src")
        .property("device", path.to_string())
        .build()
        .map_err(|_| PipelineError::Missing("v4l2src (gstreamer's good plugins)"))?;
    if probe.set_state(gst::State::Ready).is_err() {
        let _ = probe.set_state(gst::State::Null);
        let why =
            if device.exists() { "cannot be opened: is another program using it?" } else { "is not there" };
        return Err(OpenError::Device(format!("{path} {why}")));
    }
    let caps = probe.static_pad("src").map(|pad| pad.query_caps(None));
    let _ = probe.set_state(gst::State::Null);
    caps.ok_or_else(|| OpenError::Device(format!("{path} does not say which formats it has")))
}

/// A camera through libcamera (Raspberry Pi). An empty name or a number picks by order.
pub fn open_libcamera(camera: &str, context: SourceContext<'_>) -> Result<GstSource, OpenError> {
    pipeline::init()?;
    let named = match camera {
        "" | "0" => String::new(),
        name => format!("camera-name={}", quoted(name)),
    };
    let caps = requested_caps("video/x-raw", context.stream);
    start_encoding(&format!("libcamerasrc name=camera {named} ! {caps}"), context)
}

/// A camera through Jetson's argus; its pictures stay in NVMM memory for NVENC.
pub fn open_argus(sensor: u32, context: SourceContext<'_>) -> Result<GstSource, OpenError> {
    pipeline::init()?;
    let camera = format!(
        "nvarguscamerasrc name=camera sensor-id={sensor} ! {}",
        requested_caps("video/x-raw(memory:NVMM),format=NV12", context.stream)
    );
    let words = match choose_encoder(context.attempt)? {
        Encoder::Nvenc => camera,
        _ => format!("{camera} ! nvvidconv ! video/x-raw"),
    };
    start_encoding(&words, context)
}

/// A moving test picture.
pub fn open_test(pattern: Option<&str>, context: SourceContext<'_>) -> Result<GstSource, OpenError> {
    pipeline::init()?;
    let (stream, size) = (context.stream, context.stream.size.unwrap_or(DEFAULT_SIZE));
    let words = format!(
        "videotestsrc name=camera is-live=true pattern={} \
         ! video/x-raw,format=I420,width={},height={},framerate={}/1",
        quoted(pattern.unwrap_or("ball")),
        size.width,
        size.height,
        stream.fps.unwrap_or(30)
    );
    start_encoding(&words, context)
}

/// Starts a pipeline that encodes the raw pictures of `camera`.
fn start_encoding(camera: &str, context: SourceContext<'_>) -> Result<GstSource, OpenError> {
    let encoder = choose_encoder(context.attempt)?;
    let words = format!(
        // A slow encoder drops pictures rather than grow a queue.
        "{camera} ! queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream \
         ! {} ! appsink name=out sync=false",
        encoder.chain(&context.attempt.target)
    );
    start_pipeline(&words, Some(encoder), SourceOutput::encoded(context.output.clone()), context)
}

fn start_pipeline(
    words: &str,
    encoder: Option<Encoder>,
    mut output: SourceOutput,
    context: SourceContext<'_>,
) -> Result<GstSource, OpenError> {
    let attempt = context.attempt;
    let mut pipeline = Pipeline::parse(words)?;
    let counters = context.output.counters.clone();
    pipeline::on_units(pipeline.gst(), "out", move |unit| {
        if encoder.is_some() {
            // Otherwise the output counts the input.
            counters.count_in(unit.arrived);
        }
        output.deliver(SourceUnit::whole(&unit));
    })?;
    let control = EncoderSlot::default();
    if let Some(encoder) = encoder {
        // The slot is empty.
        let _ = control.set(EncoderControl::find_in(pipeline.gst(), encoder, attempt.target)?);
    }
    pipeline.play()?;
    let patience = if encoder.is_some() { Patience::encoding(attempt.fruitless) } else { Patience::SESSION };
    Ok(GstSource::new(pipeline, patience, control))
}

/// Caps of `format` with the size and rate the settings ask for.
fn requested_caps(format: &str, stream: &Stream) -> String {
    let size = stream.size.map(|s| format!(",width={},height={}", s.width, s.height)).unwrap_or_default();
    let rate = stream.fps.map(|fps| format!(",framerate={fps}/1")).unwrap_or_default();
    format!("{format}{size}{rate}")
}

/// A value that cannot break out of its place in a description.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
