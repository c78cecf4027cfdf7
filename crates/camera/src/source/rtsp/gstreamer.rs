//! RTSP cameras, through `rtspsrc`. Its RTP packets go to the same receiver as those of a socket.

use super::sdp;
use crate::bitrate_control::EncoderControl;
use crate::liveness::Patience;
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use crate::rtp::Receiver;
use crate::source::gst_source::{EncoderSlot, GstSource};
use crate::source::{Attempt, OpenError, SourceContext, choose_encoder};
use gst::prelude::*;
use robocast_config::RtspSource;
use robocast_daemon::{atomic, journal, paths};
use robocast_dial::Roots;
use robocast_gst::pipeline::{self, Pipeline, PipelineError};
use robocast_video::clock::MonoTime;
use robocast_video::h264::ParameterSets;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How long a camera may take to answer.
const CONNECT: Duration = Duration::from_secs(4);

/// Opens an RTSP camera. Its H.264 is taken as it is; another codec is decoded and encoded.
pub fn open_with_gstreamer(
    source: &RtspSource,
    protocols: &str,
    context: SourceContext<'_>,
) -> Result<GstSource, OpenError> {
    let SourceContext { settings, stream, output, attempt } = context;
    pipeline::init()?;
    let pipeline = gst::Pipeline::new();
    let micros = u64::try_from(CONNECT.as_micros()).unwrap_or(u64::MAX);
    let jitter = u32::try_from(stream.jitter_buffer.as_millis()).unwrap_or(u32::MAX);
    let camera = gst::ElementFactory::make("rtspsrc")
        .name("camera")
        .property("location", source.url.expose().as_str())
        // The default is 2 s; packets in order are not held back by it.
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
        // This value of the element's property means that nothing is checked.
        camera.set_property_from_str("tls-validation-flags", "generic-error");
    } else if let Some(extra) = &settings.tls.ca {
        camera.set_property("tls-database", roots(&stream.name, extra)?);
    }
    if let Some(interface) = &source.interface {
        camera.set_property("multicast-iface", interface);
    } else {
        camera.set_property("multicast-iface", &settings.robot.interface);
    }
    pipeline.add(&camera).map_err(|_| PipelineError::Refused("add rtspsrc"))?;
    camera.connect("select-stream", false, |values| {
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let video =
            caps.as_ref().and_then(|c| c.structure(0)).is_some_and(|s| s.get::<&str>("media") == Ok("video"));
        Some(video.to_value())
    });
    let encoder = EncoderSlot::default();
    let linker = PadLinker {
        pipeline: pipeline.downgrade(),
        output: output.clone(),
        attempt,
        encoder: encoder.clone(),
    };
    let linked = AtomicBool::new(false);
    camera.connect_pad_added(move |camera, pad| {
        if linked.swap(true, Relaxed) {
            return;
        }
        if let Err(error) = linker.link_pad(pad) {
            let why = journal::chain(&error);
            gst::element_error!(camera, gst::StreamError::Failed, ("{}", why));
        }
    });
    let mut pipeline = Pipeline::from(pipeline);
    pipeline.play()?;
    Ok(GstSource::new(pipeline, Patience::SESSION, encoder))
}

/// The certificates that are trusted (`dial`), as the TLS library of `rtspsrc` reads them.
fn roots(stream: &str, extra: &str) -> Result<gio::TlsDatabase, OpenError> {
    let all = Roots::new(Some(extra.to_owned())).to_pem();
    let all = all.map_err(|error| OpenError::Roots(journal::chain(&error)))?;
    let path = paths::run().join("camera").join(format!("{stream}.pem"));
    atomic::write(&path, &all, 0o644).map_err(|error| OpenError::Roots(journal::chain(&error)))?;
    let database = gio::TlsFileDatabase::new(&path).map_err(|error| OpenError::Roots(error.to_string()))?;
    Ok(database.upcast())
}

/// Links the camera's stream to the elements it needs.
struct PadLinker {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    output: CameraContext,
    attempt: Attempt,
    encoder: EncoderSlot,
}

impl PadLinker {
    fn link_pad(&self, pad: &gst::Pad) -> Result<(), OpenError> {
        let Some(pipeline) = self.pipeline.upgrade() else { return Ok(()) };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let format = caps.structure(0);
        let encoding = format.and_then(|s| s.get::<&str>("encoding-name").ok()).unwrap_or("");
        if encoding.eq_ignore_ascii_case("H264") {
            let sets = format
                .and_then(|s| s.get::<&str>("sprop-parameter-sets").ok())
                .map(sdp::decode_parameter_sets)
                .unwrap_or_default();
            self.link_packets(&pipeline, pad, sets)
        } else {
            self.link_decoder(&pipeline, pad)
        }
    }

    fn link_packets(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        sets: ParameterSets,
    ) -> Result<(), OpenError> {
        // `rtspsrc` has put the packets in order already.
        let mut receiver = Receiver::new(Duration::ZERO, None);
        let mut output = SourceOutput::coded(self.output.clone(), sets);
        let counters = self.output.counters.clone();
        let mut first = true;
        let sink = gst_app::AppSink::builder().sync(false).async_(false).max_buffers(0).build();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let arrived = MonoTime::now();
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if let Some(map) = sample.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                        receiver.receive_datagram(&map, arrived, |mut unit| {
                            // The parameter sets of the SDP belong to the first sender.
                            unit.new_sender &= !std::mem::take(&mut first);
                            output.deliver(unit);
                        });
                        counters.add_packets(receiver.take_counts());
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        link_element(pipeline, sink.upcast_ref(), pad)
    }

    /// Not H.264: decode it, whatever it is, and encode.
    fn link_decoder(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), OpenError> {
        let encoder = choose_encoder(self.attempt)?;
        let target = self.attempt.target;
        let words =
            format!("decodebin ! {} ! appsink name=out sync=false async=false", encoder.chain(&target));
        let bin = gst::parse::bin_from_description(&words, true).map_err(PipelineError::Build)?;
        let mut output = SourceOutput::encoded(self.output.clone());
        let counters = self.output.counters.clone();
        link_element(pipeline, bin.upcast_ref(), pad)?;
        pipeline::on_units(pipeline, "out", move |unit| {
            counters.count_in(unit.arrived);
            output.deliver(SourceUnit::whole(&unit));
        })?;
        // No pad is linked twice: the slot is empty.
        let _ = self.encoder.set(EncoderControl::find_in(pipeline, encoder, target)?);
        Ok(())
    }
}

/// Adds `element` to the running pipeline and links the camera's pad to it.
fn link_element(pipeline: &gst::Pipeline, element: &gst::Element, pad: &gst::Pad) -> Result<(), OpenError> {
    let refused = |_| PipelineError::Refused("link the camera's stream");
    pipeline.add(element).map_err(refused)?;
    let sink = element.static_pad("sink").ok_or(PipelineError::Missing("sink pad"))?;
    pad.link(&sink).map_err(|_| PipelineError::Refused("link the camera's stream: its caps do not fit"))?;
    element.sync_state_with_parent().map_err(refused)?;
    Ok(())
}
