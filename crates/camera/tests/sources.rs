//! Sources as the camera opens them, with real GStreamer. A test picture under their names
//! replaces the cameras of a board (libcamera, argus); the real ones were never run.
#![allow(clippy::unwrap_used)]

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use robocast_camera::counters::Counters;
use robocast_camera::output::{CameraContext, OpeningId, OutputEvent, OutputEvents};
use robocast_camera::source::{
    Attempt, CaptureMode, OpenError, OpenSource, RunningSource, SourceContext, choose_format,
};
use robocast_camera::transcoder::Transcoder;
use robocast_camera::transcoder_input::TranscoderInput;
use robocast_config::{Settings, Stream};
use robocast_gst::encoder::{Encoder, EncodingTarget};
use robocast_gst::{pipeline, stand_ins};
use robocast_video::h264::{AccessUnit, ParameterSets};
use robocast_video::ipc::{Broadcast, Limits, Subscriber};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;

struct Bench {
    settings: Settings,
    stream: Stream,
    context: CameraContext,
    events: mpsc::UnboundedReceiver<(OpeningId, OutputEvent)>,
}

fn bench(source: &str, more: &str) -> Bench {
    let text = format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"{source}\"\n{more}\n");
    let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
    let stream = settings.streams[0].clone();
    let (sender, events) = mpsc::unbounded_channel();
    let context = CameraContext {
        stream: Arc::new(stream.clone()),
        broadcast: Broadcast::new(Limits { lag: Duration::from_secs(5), bytes: 8 << 20 }),
        counters: Arc::new(Counters::default()),
        events: OutputEvents { opening: OpeningId::default(), sender },
        transcoder_input: TranscoderInput::default(),
    };
    Bench { settings, stream, context, events }
}

impl Bench {
    fn attempt(&self) -> Attempt {
        let target = EncodingTarget {
            bitrate: self.stream.bitrate.max,
            size: self.stream.size,
            fps: self.stream.fps,
            keyframe_interval: self.stream.keyframe_interval,
        };
        Attempt { fruitless: 0, target }
    }

    fn open(&self) -> Result<OpenSource, OpenError> {
        OpenSource::open(SourceContext {
            settings: &self.settings,
            stream: &self.stream,
            output: &self.context,
            attempt: self.attempt(),
        })
    }
}

/// The next units, while the source runs.
async fn units(source: &mut OpenSource, from: &mut Subscriber, count: usize) -> Vec<AccessUnit> {
    let taking = async {
        let mut units = Vec::new();
        while units.len() < count {
            units.push((*from.next().await.0).clone());
        }
        units
    };
    tokio::select! {
        end = source.run() => panic!("the source ended: {}", end.why),
        taken = tokio::time::timeout(Duration::from_secs(30), taking) => taken.expect("units within 30 s"),
    }
}

fn size(units: &[AccessUnit]) -> (u32, u32) {
    let mut sets = ParameterSets::default();
    units.iter().for_each(|unit| {
        sets.observe_all(&unit.data);
    });
    sets.format().map_or((0, 0), |picture| (picture.width, picture.height))
}

fn footage() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/bigbuckbunny-720p25.mp4").to_owned()
}

#[tokio::test]
async fn a_test_picture_is_encoded_to_the_size_and_rate_asked_for_and_its_bitrate_changes() {
    let bench = bench("test:", "size = \"320x180\"\nfps = 25\nkeyframe_interval = \"400 ms\"");
    let mut from = bench.context.broadcast.subscribe();
    let mut source = bench.open().unwrap();
    let found = units(&mut source, &mut from, 22).await;
    assert_eq!(size(&found), (320, 180));
    assert!(found[0].keyframe && found[1..].iter().filter(|unit| unit.keyframe).count() == 2);
    let control = source.control().expect("an encoder that can be asked");
    assert_eq!(control.initial_bitrate(), Some(bench.stream.bitrate.max));
    assert!(control.encoder_name().is_some() && control.set_bitrate(bench.stream.bitrate.min));
    control.force_keyframe();
    let more = units(&mut source, &mut from, 6).await;
    assert!(more.iter().any(|unit| unit.keyframe), "at once, not when the interval is over");
    assert!(bench.context.counters.frames_in.load(Relaxed) >= 22);
    source.close().await.unwrap();
}

#[tokio::test]
async fn a_files_own_h264_goes_on_untouched_and_loops_with_times_that_rise() {
    let bench = bench(&format!("file:{}", footage()), "");
    let mut from = bench.context.broadcast.subscribe();
    let mut source = bench.open().unwrap();
    // The footage has 132 pictures, one of them a keyframe.
    let found = units(&mut source, &mut from, 160).await;
    assert_eq!(size(&found), (1280, 720));
    let keyframes: Vec<usize> =
        found.iter().enumerate().filter(|(_, unit)| unit.keyframe).map(|(n, _)| n).collect();
    assert!(keyframes.len() >= 2, "{keyframes:?}");
    assert!(found.windows(2).all(|pair| pair[1].dts > pair[0].dts), "times rise over the loop");
    let seconds = found[159].pts.since(found[0].pts).as_secs_f64();
    assert!((6.0..6.8).contains(&seconds), "159 pictures at 25 a second take 6.36 s, not {seconds}");
    assert!(source.control().is_none(), "nothing is encoded");
    source.close().await.unwrap();
}

#[tokio::test]
async fn h264_of_another_size_is_decoded_and_encoded() {
    let mut bench = bench(&format!("file:{}", footage()), "size = \"640x360\"");
    let mut from = bench.context.broadcast.subscribe();
    let mut source = bench.open().unwrap();
    let event = tokio::select! {
        end = source.run() => panic!("{}", end.why),
        event = tokio::time::timeout(Duration::from_secs(10), bench.events.recv()) => event.unwrap().unwrap(),
    };
    assert!(matches!(&event.1, OutputEvent::Unfit(why) if why.contains("1280x720")), "{event:?}");
    let encoder = Encoder::available().unwrap()[0];
    let transcoder = Transcoder::start(&bench.context, encoder, bench.attempt().target).unwrap();
    let found = units(&mut source, &mut from, 20).await;
    assert_eq!(size(&found), (640, 360));
    assert!(found[0].keyframe);
    assert_eq!(transcoder.control().encoder_name(), Some(encoder.factory()));
    transcoder.stop(Duration::from_secs(5)).await.unwrap();
    source.close().await.unwrap();
}

#[test]
fn a_device_or_a_file_that_is_not_there_is_an_error_that_says_so_and_may_pass() {
    for (source, says) in [("file:/nonexistent.mp4", "is not there"), ("v4l2:/dev/video99", "is not there")] {
        let error = bench(source, "").open().unwrap_err();
        assert!(error.to_string().contains(says) && error.may_pass(), "{error}");
    }
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_named() {
    let error = bench("rtp://230.1.1.1:1720?interface=nope0", "").open().unwrap_err();
    assert!(error.to_string().contains("`nope0` does not exist"), "{error}");
}

#[test]
fn a_usb_cameras_best_format_is_chosen() {
    pipeline::init().unwrap();
    let raw = "video/x-raw,width=640,height=480,framerate={30/1,15/1}";
    let jpeg = "image/jpeg,width={640,1280},height={480,720},framerate=30/1";
    let h264 = "video/x-h264,width=1280,height=720,framerate=30/1";
    let all = format!("{raw};{jpeg};{h264}");
    let cases = [
        (all.as_str(), "", Some(CaptureMode::H264)),
        (all.as_str(), "encode = \"always\"", Some(CaptureMode::Jpeg)),
        (all.as_str(), "encode = \"always\"\nsize = \"640x480\"", Some(CaptureMode::Raw)),
        (all.as_str(), "size = \"640x480\"", Some(CaptureMode::Raw)),
        (&format!("{raw};{jpeg}"), "size = \"1280x720\"\nfps = 30", Some(CaptureMode::Jpeg)),
        (&format!("{raw};{jpeg}"), "size = \"1920x1080\"", Some(CaptureMode::Jpeg)),
        (h264, "size = \"640x480\"", Some(CaptureMode::H264)),
        ("audio/x-raw", "", None),
    ];
    for (offered, settings, expected) in cases {
        let found = choose_format(&offered.parse().unwrap(), &bench("v4l2:/dev/video0", settings).stream);
        assert_eq!(found.map(|format| format.mode), expected, "{offered} with {settings}");
    }
}

#[tokio::test]
async fn the_cameras_of_a_pi_and_of_a_jetson_are_encoded() {
    pipeline::init().unwrap();
    gst::Element::register(None, "libcamerasrc", gst::Rank::NONE, StandIn::static_type()).unwrap();
    gst::Element::register(None, "nvarguscamerasrc", gst::Rank::NONE, StandIn::static_type()).unwrap();
    stand_ins::register_memory();
    for source in ["libcamera:0", "libcamera:/base/soc/i2c0/imx708@1a", "argus:0"] {
        let bench = bench(source, "size = \"320x240\"\nfps = 30");
        let mut from = bench.context.broadcast.subscribe();
        let mut source = bench.open().unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(size(&units(&mut source, &mut from, 3).await), (320, 240));
        source.close().await.unwrap();
    }
}

/// A bin around `videotestsrc` with the properties of both cameras.
#[derive(Default)]
struct Inner;

#[glib::object_subclass]
impl ObjectSubclass for Inner {
    const NAME: &'static str = "StandInCamera";
    type Type = StandIn;
    type ParentType = gst::Bin;
}

impl ObjectImpl for Inner {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: std::sync::LazyLock<Vec<glib::ParamSpec>> = std::sync::LazyLock::new(|| {
            vec![
                glib::ParamSpecString::builder("camera-name").build(),
                glib::ParamSpecInt::builder("sensor-id").build(),
            ]
        });
        &SPECS
    }

    fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

    fn constructed(&self) {
        self.parent_constructed();
        let bin = self.obj();
        let inner = gst::parse::bin_from_description("videotestsrc is-live=true ! nvmmcaps", true).unwrap();
        bin.add(&inner).unwrap();
        let pad = gst::GhostPad::with_target(&inner.static_pad("src").unwrap()).unwrap();
        bin.add_pad(&pad).unwrap();
    }
}

impl GstObjectImpl for Inner {}
impl ElementImpl for Inner {}
impl BinImpl for Inner {}

glib::wrapper! {
    struct StandIn(ObjectSubclass<Inner>) @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}
