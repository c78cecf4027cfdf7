//! The hardware encoders' chains, with test elements registered under their names: the same pads, caps
//! and properties, and a software encoder inside. The real ones exist on no machine that runs this.
//! One test function: GStreamer's registry is one per process.
#![allow(clippy::unwrap_used)]

use gst::prelude::*;
use robocast_config::{Bitrate, Size};
use robocast_gst::encoder::{self, Encoder, EncodingTarget};
use robocast_gst::pipeline::{self, Pipeline};
use robocast_gst::stand_ins;
use robocast_video::h264::{AccessUnit, ParameterSets};
use std::time::Duration;
use tokio::sync::mpsc;

fn target() -> EncodingTarget {
    EncodingTarget {
        bitrate: Bitrate::from_bps(1_500_000),
        size: Some(Size { width: 320, height: 240 }),
        fps: Some(25),
        keyframe_interval: Duration::from_millis(400),
    }
}

/// Encodes a test picture and gives the first units, and the bitrate property before and after a change.
async fn encode(encoder: Encoder) -> (Vec<AccessUnit>, String, String) {
    let words = format!(
        "videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480,framerate=25/1 \
         ! {} ! appsink name=out sync=false",
        encoder.chain(&target())
    );
    let mut pipeline = Pipeline::parse(&words).unwrap_or_else(|e| panic!("{encoder:?}: {e}: {words}"));
    let (sender, mut received) = mpsc::unbounded_channel();
    pipeline::on_units(pipeline.gst(), "out", move |unit| drop(sender.send(unit))).unwrap();
    pipeline.play().unwrap();
    let element: gst::Element = pipeline.element(encoder::ELEMENT).unwrap();
    let rate = |element: &gst::Element| {
        let property = if encoder == Encoder::V4l2 { "extra-controls" } else { "bitrate" };
        format!("{:?}", element.property_value(property))
    };
    let mut units = Vec::new();
    let before = rate(&element);
    while units.len() < 25 {
        let next = tokio::time::timeout(Duration::from_secs(20), received.recv());
        units.push(next.await.unwrap_or_else(|_| panic!("{encoder:?} gives no units")).unwrap());
        if units.len() == 5 {
            encoder.set_bitrate(&element, Bitrate::from_bps(700_000), &target());
        }
    }
    let after = rate(&element);
    pipeline.stop(Duration::from_secs(5)).await.unwrap();
    (units, before, after)
}

#[tokio::test]
async fn every_encoder_is_opened_in_order_and_its_bitrate_changes_while_it_runs() {
    pipeline::init().unwrap();
    let software = Encoder::available().unwrap();
    assert_eq!(software, [Encoder::X264, Encoder::OpenH264], "no hardware encoder exists here");

    stand_ins::register_memory();
    stand_ins::register_encoders();
    stand_ins::NVENC_OPENS.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(
        Encoder::available().unwrap()[0],
        Encoder::V4l2,
        "an element that does not open is passed over"
    );
    stand_ins::NVENC_OPENS.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(Encoder::available().unwrap(), Encoder::ALL);

    for encoder in Encoder::ALL {
        let (units, before, after) = encode(encoder).await;
        assert!(before.contains("1500"), "{encoder:?}: {before}");
        assert!(after.contains("700") && !after.contains("1500"), "{encoder:?}: {after}");
        let keyframes: Vec<usize> =
            units.iter().enumerate().filter(|(_, u)| u.keyframe).map(|(n, _)| n).collect();
        // 400 ms at 25 frames/s; OpenH264 also starts a new group when its bitrate changes, at the 5th.
        let gaps: Vec<usize> = keyframes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            keyframes[0] == 0 && gaps.contains(&10) && gaps.iter().all(|&gap| gap <= 10),
            "{encoder:?}: {keyframes:?}"
        );
        let mut sets = ParameterSets::default();
        for unit in units.iter().filter(|unit| unit.keyframe) {
            sets = ParameterSets::default();
            sets.observe_all(&unit.data);
            assert!(sets.complete(), "{encoder:?}: parameter sets at each keyframe");
        }
        let picture = sets.format().unwrap();
        assert_eq!((picture.width, picture.height), (320, 240), "{encoder:?}");
        assert!(units.iter().all(|unit| unit.pts == unit.dts), "{encoder:?}: no reordering");
        assert!(picture.common);
    }
}
