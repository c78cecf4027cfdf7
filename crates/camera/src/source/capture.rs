//! Cameras on the box itself: V4L2, libcamera, Jetson's argus; and the test picture.

use super::{Attempt, OpenError, Source, encoder_for};
use crate::outlet::{Arrival, Outlet, Shared};
use crate::steering::Steering;
use gst::prelude::*;
use robocast_config::{Encode, Size, Stream};
use robocast_media::encoder::Encoder;
use robocast_media::h264::ParameterSets;
use robocast_media::pipeline::{self, Pipeline, PipelineError};
use std::path::Path;

/// What is asked of a V4L2 camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its own H.264, passed through.
    H264,
    /// Raw pictures, to be encoded.
    Raw,
    /// JPEG pictures, to be decoded and encoded.
    Jpeg,
}

/// Chooses among the formats a camera offers (`caps`): its own H.264 where that is wanted and fits,
/// then raw, then JPEG; but JPEG before raw where only JPEG reaches the size and rate asked for.
#[must_use]
pub fn choose_mode(caps: &gst::Caps, stream: &Stream) -> Option<Mode> {
    let offers = |format: &str, size: Option<Size>, fps: Option<u32>| {
        let mut wanted = gst::Structure::new_empty(format);
        if let Some(size) = size {
            wanted.set("width", i32::try_from(size.width).unwrap_or(i32::MAX));
            wanted.set("height", i32::try_from(size.height).unwrap_or(i32::MAX));
        }
        if let Some(fps) = fps {
            wanted.set("framerate", gst::Fraction::new(i32::try_from(fps).unwrap_or(i32::MAX), 1));
        }
        caps.can_intersect(&gst::Caps::builder_full().structure(wanted).build())
    };
    if stream.encode != Encode::Always && offers("video/x-h264", stream.size, None) {
        return Some(Mode::H264);
    }
    let encoded = [("video/x-raw", Mode::Raw), ("image/jpeg", Mode::Jpeg)];
    // Exactly as asked; then whatever it has, which the chain scales.
    let exact = encoded.iter().find(|(format, _)| offers(format, stream.size, stream.fps));
    let any = || encoded.iter().find(|(format, _)| offers(format, None, None));
    let last = || offers("video/x-h264", None, None).then_some(Mode::H264);
    exact.or_else(any).map(|(_, mode)| *mode).or_else(last)
}

/// A V4L2 camera.
pub fn v4l2(device: &Path, stream: &Stream, shared: &Shared, attempt: Attempt) -> Result<Source, OpenError> {
    pipeline::init()?;
    let path = device.display();
    let offered = offered(device)?;
    let mode = choose_mode(&offered, stream).ok_or_else(|| {
        OpenError::Device(format!("{path} offers no format that robocast can use: {offered}"))
    })?;
    let camera = format!("v4l2src name=camera device={} do-timestamp=true", quoted(&path.to_string()));
    match mode {
        Mode::H264 => {
            let words = format!(
                "{camera} ! {} ! h264parse config-interval=-1 \
                 ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false",
                caps("video/x-h264", stream)
            );
            start(&words, None, Outlet::coded(shared.clone(), ParameterSets::default()), shared, attempt)
        }
        Mode::Raw => {
            encode(&format!("{camera} ! {}", loose(&offered, "video/x-raw", stream)), shared, attempt)
        }
        Mode::Jpeg => {
            let words = format!("{camera} ! {} ! jpegdec", loose(&offered, "image/jpeg", stream));
            encode(&words, shared, attempt)
        }
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
    shared: &Shared,
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
pub fn argus(sensor: u32, stream: &Stream, shared: &Shared, attempt: Attempt) -> Result<Source, OpenError> {
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
    shared: &Shared,
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
fn encode(camera: &str, shared: &Shared, attempt: Attempt) -> Result<Source, OpenError> {
    let encoder = encoder_for(attempt)?;
    let words = format!(
        // A slow encoder drops pictures rather than grow a queue.
        "{camera} ! queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream \
         ! {} ! appsink name=out sync=false",
        encoder.chain(&attempt.target)
    );
    start(&words, Some(encoder), Outlet::encoded(shared.clone()), shared, attempt)
}

fn start(
    words: &str,
    encoder: Option<Encoder>,
    mut outlet: Outlet,
    shared: &Shared,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    let mut pipeline = Pipeline::parse(words)?;
    let counters = shared.counters.clone();
    pipeline::on_units(pipeline.gst(), "out", move |unit| {
        if encoder.is_some() {
            // Otherwise the outlet counts what comes in.
            counters.came(unit.arrived);
        }
        outlet.take(Arrival::whole(&unit));
    })?;
    if let Some(encoder) = encoder {
        shared.steer.set(Some(Steering::of(pipeline.gst(), encoder, attempt.target)?));
    }
    pipeline.play()?;
    Ok(Source::pipeline(pipeline))
}

/// Caps of `format` with the size and rate the settings ask for.
fn caps(format: &str, stream: &Stream) -> String {
    let size = stream.size.map(|s| format!(",width={},height={}", s.width, s.height)).unwrap_or_default();
    let rate = stream.fps.map(|fps| format!(",framerate={fps}/1")).unwrap_or_default();
    format!("{format}{size}{rate}")
}

/// As [`caps`], without what the camera cannot do: the chain scales instead.
fn loose(offered: &gst::Caps, format: &str, stream: &Stream) -> String {
    let wanted = caps(format, stream);
    let fits = wanted.parse::<gst::Caps>().is_ok_and(|caps| caps.can_intersect(offered));
    if fits { wanted } else { format.to_owned() }
}

/// A value that cannot break out of its place in a description.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
