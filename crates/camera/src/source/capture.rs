//! Cameras on the box itself: V4L2, libcamera, Jetson's argus; and the test picture.

use super::capture_format::{self, Mode};
use super::{Attempt, OpenError, Patience, Source, encoder_for};
use crate::encoder_control::EncoderControl;
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use gst::prelude::*;
use robocast_config::{Size, Stream};
use robocast_gst::encoder::Encoder;
use robocast_gst::pipeline::{self, Pipeline, PipelineError};
use robocast_video::h264::ParameterSets;
use std::path::Path;

/// A V4L2 camera.
pub fn v4l2(
    device: &Path,
    stream: &Stream,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    pipeline::init()?;
    let path = device.display();
    let offered = offered(device)?;
    let offer = capture_format::choose(&offered, stream).ok_or_else(|| {
        OpenError::Device(format!("{path} offers no format that robocast can use: {offered}"))
    })?;
    let camera = format!(
        "v4l2src name=camera device={} do-timestamp=true ! {}",
        quoted(&path.to_string()),
        offer.caps()
    );
    match offer.mode {
        Mode::H264 => {
            let words = format!(
                "{camera} ! h264parse config-interval=-1 \
                 ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
            );
            start(
                &words,
                None,
                SourceOutput::coded(shared.clone(), ParameterSets::default()),
                shared,
                attempt,
            )
        }
        Mode::Raw => encode(&camera, shared, attempt),
        Mode::Jpeg => encode(&format!("{camera} ! jpegdec"), shared, attempt),
    }
}

/// What the device offers; an error when it is not there.
fn offered(device: &Path) -> Result<gst::Caps, OpenError> {
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
    caps.ok_or_else(|| OpenError::Device(format!("{path} says nothing of its formats")))
}

/// A camera through libcamera (Raspberry Pi). An empty name or a number picks by order.
pub fn libcamera(
    camera: &str,
    stream: &Stream,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    pipeline::init()?;
    let named = match camera {
        "" | "0" => String::new(),
        name => format!("camera-name={}", quoted(name)),
    };
    encode(&format!("libcamerasrc name=camera {named} ! {}", caps("video/x-raw", stream)), shared, attempt)
}

/// A camera through Jetson's argus; its pictures stay in NVMM memory for NVENC.
pub fn argus(
    sensor: u32,
    stream: &Stream,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    pipeline::init()?;
    let camera = format!(
        "nvarguscamerasrc name=camera sensor-id={sensor} ! {}",
        caps("video/x-raw(memory:NVMM),format=NV12", stream)
    );
    let words = match encoder_for(attempt)? {
        Encoder::Nvenc => camera,
        _ => format!("{camera} ! nvvidconv ! video/x-raw"),
    };
    encode(&words, shared, attempt)
}

/// A moving test picture.
pub fn test(
    pattern: Option<&str>,
    stream: &Stream,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    pipeline::init()?;
    let size = stream.size.unwrap_or(Size { width: 1280, height: 720 });
    let words = format!(
        "videotestsrc name=camera is-live=true pattern={} \
         ! video/x-raw,format=I420,width={},height={},framerate={}/1",
        quoted(pattern.unwrap_or("ball")),
        size.width,
        size.height,
        stream.fps.unwrap_or(30)
    );
    encode(&words, shared, attempt)
}

/// `camera` gives raw pictures: encode them.
fn encode(camera: &str, shared: &CameraContext, attempt: Attempt) -> Result<Source, OpenError> {
    let encoder = encoder_for(attempt)?;
    let words = format!(
        // A slow encoder drops pictures rather than grow a queue.
        "{camera} ! queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream \
         ! {} ! appsink name=out sync=false",
        encoder.chain(&attempt.target)
    );
    start(&words, Some(encoder), SourceOutput::encoded(shared.clone()), shared, attempt)
}

fn start(
    words: &str,
    encoder: Option<Encoder>,
    mut output: SourceOutput,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    let mut pipeline = Pipeline::parse(words)?;
    let counters = shared.counters.clone();
    pipeline::on_units(pipeline.gst(), "out", move |unit| {
        if encoder.is_some() {
            // Otherwise the output counts what comes in.
            counters.came(unit.arrived);
        }
        output.take(SourceUnit::whole(&unit));
    })?;
    if let Some(encoder) = encoder {
        shared.steer.set(Some(EncoderControl::of(pipeline.gst(), encoder, attempt.target)?));
    }
    pipeline.play()?;
    let patience = if encoder.is_some() { Patience::encoding(attempt.number) } else { Patience::SESSION };
    Ok(Source::pipeline(pipeline, patience))
}

/// Caps of `format` with the size and rate the settings ask for.
fn caps(format: &str, stream: &Stream) -> String {
    let size = stream.size.map(|s| format!(",width={},height={}", s.width, s.height)).unwrap_or_default();
    let rate = stream.fps.map(|fps| format!(",framerate={fps}/1")).unwrap_or_default();
    format!("{format}{size}{rate}")
}

/// A value that cannot break out of its place in a description.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
