//! RTSP cameras, through `rtspsrc`. Its RTP packets come to the same receiver as those of a socket.

use super::{Attempt, OpenError, Patience, Source, encoder_for, rtp};
use crate::encoder_control::EncoderControl;
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use crate::rtp::Receiver;
use gst::prelude::*;
use robocast_config::{self as config, RtspTransport, Settings, Stream};
use robocast_daemon::{atomic, journal, paths};
use robocast_gst::pipeline::{self, Pipeline, PipelineError};
use robocast_video::clock::MonoTime;
use robocast_video::h264::ParameterSets;
use std::path::PathBuf;
use std::time::Duration;

/// How long a camera may take to answer.
const CONNECT: Duration = Duration::from_secs(4);

/// Opens an RTSP camera. Its H.264 is taken as it is; another codec is decoded and encoded.
pub fn open(
    source: &config::RtspSource,
    protocols: &str,
    settings: &Settings,
    stream: &Stream,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<Source, OpenError> {
    pipeline::init()?;
    let pipeline = gst::Pipeline::new();
    let micros = u64::try_from(CONNECT.as_micros()).unwrap_or(u64::MAX);
    let jitter = u32::try_from(stream.jitter_buffer.as_millis()).unwrap_or(u32::MAX);
    let camera = gst::ElementFactory::make("rtspsrc")
        .name("camera")
        .property("location", source.url.expose().as_str())
        // 2 s unless told; packets in order are not held back by it.
        .property("latency", jitter)
        .property_from_str("protocols", protocols)
        .property_from_str("buffer-mode", "none")
        .property("tcp-timeout", micros)
        .property("timeout", micros)
        .property("teardown-timeout", 100_000_000u64)
        .property("user-agent", "robocast")
        .build()
        .map_err(|_| PipelineError::Missing("rtspsrc (gstreamer's good plugins)"))?;
    if !source.verify {
        // "Not even generic errors": this element's way of saying that nothing is checked.
        camera.set_property_from_str("tls-validation-flags", "generic-error");
    } else if let Some(extra) = &settings.tls.ca {
        camera.set_property("tls-database", roots(&stream.name, extra)?);
    }
    if let Some(interface) = &source.interface {
        camera.set_property("multicast-iface", interface);
    } else {
        camera.set_property("multicast-iface", &settings.robot.interface);
    }
    pipeline.add(&camera).map_err(|_| PipelineError::Missing("room for rtspsrc"))?;
    camera.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let video =
            caps.as_ref().and_then(|c| c.structure(0)).is_some_and(|s| s.get::<&str>("media") == Ok("video"));
        Some(video.to_value())
    });
    let taker = Taker {
        pipeline: pipeline.downgrade(),
        shared: shared.clone(),
        attempt,
        payload_jitter: Duration::ZERO,
    };
    let taken = std::sync::atomic::AtomicBool::new(false);
    camera.connect_pad_added(move |camera, pad| {
        let first = !taken.swap(true, std::sync::atomic::Ordering::Relaxed);
        if !first {
            return;
        }
        if let Err(error) = taker.take(pad) {
            let why = journal::chain(&error);
            gst::element_error!(camera, gst::StreamError::Failed, ("{}", why));
        }
    });
    let mut pipeline = Pipeline::from(pipeline);
    pipeline.play()?;
    Ok(Source::pipeline(pipeline, Patience::SESSION))
}

/// The system's root certificates and those of the settings, as the TLS library of `rtspsrc` reads them.
fn roots(stream: &str, extra: &str) -> Result<gio::TlsDatabase, OpenError> {
    let system = std::env::var_os("SSL_CERT_FILE")
        .map_or_else(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"), PathBuf::from);
    let mut all = std::fs::read(system).unwrap_or_default();
    all.push(b'\n');
    all.extend_from_slice(extra.as_bytes());
    let path = paths::run().join("camera").join(format!("{stream}.pem"));
    atomic::write(&path, &all, 0o644).map_err(|error| OpenError::Roots(journal::chain(&error)))?;
    let database = gio::TlsFileDatabase::new(&path).map_err(|error| OpenError::Roots(error.to_string()))?;
    Ok(database.upcast())
}

/// How a camera is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtspClient {
    /// TCP, without GStreamer: H.264 over plain `rtsp://`.
    Plain,
    /// Through `rtspsrc` with these protocols: UDP, TLS, other codecs, and cameras of strange habits.
    Gst(&'static str),
}

const UDP: &str = "udp-mcast+udp";

/// The way for the `number`th try in a row that came to nothing. TCP first: on a cable it costs no delay
/// and loses nothing.
pub fn way(source: &config::RtspSource, number: u32) -> RtspClient {
    let plain = source.url.expose().scheme() == "rtsp";
    let ways: &[RtspClient] = match (source.transport, plain) {
        (RtspTransport::Udp, _) => &[RtspClient::Gst(UDP)],
        (RtspTransport::Tcp, true) => &[RtspClient::Plain, RtspClient::Gst("tcp")],
        (RtspTransport::Tcp, false) => &[RtspClient::Gst("tcp")],
        (RtspTransport::Auto, true) => &[RtspClient::Plain, RtspClient::Gst(UDP), RtspClient::Gst("tcp")],
        (RtspTransport::Auto, false) => &[RtspClient::Gst("tcp"), RtspClient::Gst(UDP)],
    };
    ways[number as usize % ways.len()]
}

/// Takes what the camera offers.
struct Taker {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    shared: CameraContext,
    attempt: Attempt,
    /// `rtspsrc` has put the packets in order already.
    payload_jitter: Duration,
}

impl Taker {
    fn take(&self, pad: &gst::Pad) -> Result<(), OpenError> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let format = caps.structure(0);
        let encoding = format.and_then(|s| s.get::<&str>("encoding-name").ok()).unwrap_or("");
        if encoding.eq_ignore_ascii_case("H264") {
            let sets = format
                .and_then(|s| s.get::<&str>("sprop-parameter-sets").ok())
                .map(sprop)
                .unwrap_or_default();
            self.packets(&pipeline, pad, sets)
        } else {
            self.decode(&pipeline, pad)
        }
    }

    fn packets(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        sets: ParameterSets,
    ) -> Result<(), OpenError> {
        let mut receiver = Receiver::new(self.payload_jitter, None);
        let mut output = SourceOutput::coded(self.shared.clone(), sets);
        let mut first = true;
        let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(0).build();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let arrived = MonoTime::now();
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if let Some(map) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                        receiver.datagram(&map, arrived, |picture| {
                            let mut arrival = rtp::arrival(picture);
                            // The parameter sets of the SDP belong to the first sender.
                            arrival.new_sender &= !std::mem::take(&mut first);
                            output.take(arrival);
                        });
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        attach(pipeline, sink.upcast_ref(), pad)
    }

    /// Not H.264: decode whatever it is, encode.
    fn decode(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), OpenError> {
        let encoder = encoder_for(self.attempt)?;
        let target = self.attempt.target;
        let words =
            format!("decodebin ! {} ! appsink name=out sync=false async=false", encoder.chain(&target));
        let bin = gst::parse::bin_from_description(&words, true).map_err(PipelineError::Build)?;
        let mut output = SourceOutput::encoded(self.shared.clone());
        let counters = self.shared.counters.clone();
        attach(pipeline, bin.upcast_ref(), pad)?;
        pipeline::on_units(pipeline, "out", move |unit| {
            counters.came(unit.arrived);
            output.take(SourceUnit::whole(&unit));
        })?;
        self.shared.steer.set(Some(EncoderControl::of(pipeline, encoder, target)?));
        Ok(())
    }
}

/// Adds `element` to the running pipeline and links the camera's pad to it.
fn attach(pipeline: &gst::Pipeline, element: &gst::Element, pad: &gst::Pad) -> Result<(), OpenError> {
    let refused = |_| PipelineError::Missing("way to take what the camera offers");
    pipeline.add(element).map_err(refused)?;
    let sink = element.static_pad("sink").ok_or(PipelineError::Missing("sink pad"))?;
    pad.link(&sink).map_err(|_| PipelineError::Missing("way to take what the camera offers"))?;
    element.sync_state_with_parent().map_err(refused)?;
    Ok(())
}

/// The parameter sets that an SDP holds for its H.264.
pub fn sprop_of(sdp: &[u8]) -> ParameterSets {
    let text = String::from_utf8_lossy(sdp);
    let value = text.split_once("sprop-parameter-sets=").map_or("", |(_, rest)| rest);
    sprop(value.split([';', ' ', '\r', '\n']).next().unwrap_or_default())
}

/// The parameter sets of an SDP (RFC 6184, 8.2.1: `sprop-parameter-sets`), NAL units in base64.
fn sprop(value: &str) -> ParameterSets {
    let mut sets = ParameterSets::default();
    for set in value.split(',').filter(|set| !set.is_empty()) {
        sets.observe(&gst::glib::base64_decode(set));
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_are_read_from_an_sdp() {
        let sets = sprop("Z01AH9oBQBbsBEAAAAMAQAAADIPGDKg=,aO88gA==");
        assert_eq!(sets.format().map(|p| (p.width, p.height)), Some((1280, 720)));
        assert!(sets.complete());
        assert!(!sprop("!!,,%%").complete());
        let sdp = b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z01AH9oBQBbsBEAAAAMAQAAADIPGDKg=,aO88gA==;profile-level-id=4D401F\r\n";
        assert!(sprop_of(sdp).complete());
    }

    #[test]
    fn a_camera_that_refuses_one_way_is_asked_another() {
        let ways = |url: &str| {
            let text = format!("schema = 1\n[[stream]]\nname = \"a\"\nsource = \"{url}\"\n");
            let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
            let config::Source::Rtsp(source) = settings.streams[0].source.clone() else {
                panic!("no RTSP source")
            };
            [0, 1, 2, 3].map(|number| way(&source, number))
        };
        let (tcp, udp) = (RtspClient::Gst("tcp"), RtspClient::Gst(UDP));
        assert_eq!(ways("rtsp://h/a"), [RtspClient::Plain, udp, tcp, RtspClient::Plain]);
        assert_eq!(ways("rtsp://h/a?transport=tcp"), [RtspClient::Plain, tcp, RtspClient::Plain, tcp]);
        assert_eq!(ways("rtsp://h/a?transport=udp"), [udp; 4]);
        assert_eq!(ways("rtsps://h/a"), [tcp, udp, tcp, udp]);
    }
}
