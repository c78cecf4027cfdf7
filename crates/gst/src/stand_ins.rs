//! Elements under the names of the hardware ones. Properties and pad templates follow the public
//! documentation: NVIDIA "Accelerated GStreamer" (L4T r36) for `nvvidconv` and `nvv4l2h264enc`,
//! GStreamer's `video4linux2` plugin for `v4l2h264enc`.

#![allow(clippy::unwrap_used, missing_docs)]

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the stand-in for NVENC opens; an Orin Nano has the element but no encoder.
pub static NVENC_OPENS: AtomicBool = AtomicBool::new(true);

const NVMM: &str = "video/x-raw(memory:NVMM)";
const H264: &str = "video/x-h264,stream-format=byte-stream,alignment=au";

/// Registers what moves pictures into NVMM memory and out of it.
pub fn register_memory() {
    gst::Element::register(None, "nvmmcaps", gst::Rank::NONE, caps::NvmmCaps::static_type()).unwrap();
    gst::Element::register(None, "nvvidconv", gst::Rank::NONE, conv::NvVidConv::static_type()).unwrap();
}

/// Registers the encoders.
pub fn register_encoders() {
    gst::Element::register(None, "nvv4l2h264enc", gst::Rank::NONE, nvenc::NvEnc::static_type()).unwrap();
    gst::Element::register(None, "v4l2h264enc", gst::Rank::NONE, v4l2::V4l2Enc::static_type()).unwrap();
}

fn template(name: &str, direction: gst::PadDirection, caps: &str) -> gst::PadTemplate {
    let caps = caps.parse::<gst::Caps>().unwrap();
    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).unwrap()
}

/// Puts a chain of elements into `bin` and shows its two ends as the bin's pads.
fn fill(bin: &gst::Bin, words: &str) {
    let inner = gst::parse::bin_from_description(words, true).unwrap();
    bin.add(&inner).unwrap();
    for name in ["sink", "src"] {
        let pad = gst::GhostPad::builder_from_template_with_target(
            &bin.pad_template(name).unwrap(),
            &inner.static_pad(name).unwrap(),
        )
        .unwrap()
        .name(name)
        .build();
        bin.add_pad(&pad).unwrap();
    }
}

/// Puts system memory on as NVMM, or takes that off again: only the caps change.
mod caps {
    use super::*;
    use gst_base::subclass::prelude::*;

    #[derive(Default)]
    pub struct Inner;

    #[glib::object_subclass]
    impl ObjectSubclass for Inner {
        const NAME: &'static str = "StandInNvmmCaps";
        type Type = NvmmCaps;
        type ParentType = gst_base::BaseTransform;
    }

    impl ObjectImpl for Inner {}
    impl GstObjectImpl for Inner {}

    impl ElementImpl for Inner {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static DATA: std::sync::LazyLock<gst::subclass::ElementMetadata> =
                std::sync::LazyLock::new(|| {
                    gst::subclass::ElementMetadata::new(
                        "NVMM caps",
                        "Filter",
                        "changes caps only",
                        "robocast",
                    )
                });
            Some(&DATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static PADS: std::sync::LazyLock<Vec<gst::PadTemplate>> = std::sync::LazyLock::new(|| {
                let both = format!("video/x-raw; {NVMM}");
                vec![
                    template("sink", gst::PadDirection::Sink, &both),
                    template("src", gst::PadDirection::Src, &both),
                ]
            });
            &PADS
        }
    }

    impl BaseTransformImpl for Inner {
        const MODE: gst_base::subclass::BaseTransformMode =
            gst_base::subclass::BaseTransformMode::AlwaysInPlace;
        const PASSTHROUGH_ON_SAME_CAPS: bool = true;
        const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

        fn transform_caps(
            &self,
            _: gst::PadDirection,
            caps: &gst::Caps,
            filter: Option<&gst::Caps>,
        ) -> Option<gst::Caps> {
            let mut out = gst::Caps::new_empty();
            for structure in caps.iter() {
                for features in [gst::CapsFeatures::new_empty(), gst::CapsFeatures::new(["memory:NVMM"])] {
                    out.get_mut().unwrap().append_structure_full(structure.to_owned(), Some(features));
                }
            }
            Some(filter.map_or(out.clone(), |filter| {
                filter.intersect_with_mode(&out, gst::CapsIntersectMode::First)
            }))
        }

        fn transform_ip(&self, _: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
            Ok(gst::FlowSuccess::Ok)
        }
    }

    glib::wrapper! {
        pub struct NvmmCaps(ObjectSubclass<Inner>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
    }
}

/// A property's value that may cross threads.
#[derive(Clone)]
enum Held {
    UInt(u32),
    Int(i32),
    Bool(bool),
    Structure(gst::Structure),
}

impl Held {
    fn of(value: &glib::Value) -> Option<Self> {
        (value.get().map(Self::UInt))
            .or_else(|_| value.get().map(Self::Int))
            .or_else(|_| value.get().map(Self::Bool))
            .ok()
            .or_else(|| value.get().map(Self::Structure).ok())
    }

    fn value(&self) -> glib::Value {
        match self {
            Self::UInt(value) => value.to_value(),
            Self::Int(value) => value.to_value(),
            Self::Bool(value) => value.to_value(),
            Self::Structure(value) => value.to_value(),
        }
    }
}

/// A bin of its own type, with pad templates, properties and an inside.
macro_rules! stand_in {
    ($module:ident, $name:ident, $type_name:literal, sink: $sink:expr, src: $src:expr, inside: $inside:expr,
     properties: $properties:expr, set: $set:expr, opens: $opens:expr) => {
        mod $module {
            use super::*;
            use std::collections::HashMap;
            use std::sync::Mutex;

            #[derive(Default)]
            pub struct Inner {
                values: Mutex<HashMap<String, Held>>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Inner {
                const NAME: &'static str = $type_name;
                type Type = $name;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Inner {
                fn properties() -> &'static [glib::ParamSpec] {
                    static SPECS: std::sync::LazyLock<Vec<glib::ParamSpec>> =
                        std::sync::LazyLock::new(|| $properties);
                    &SPECS
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    fill(self.obj().upcast_ref(), $inside);
                }

                fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
                    if let Some(held) = Held::of(value) {
                        self.values.lock().unwrap().insert(spec.name().to_owned(), held);
                    }
                    let set: fn(&gst::Bin, &str, &glib::Value) = $set;
                    set(self.obj().upcast_ref(), spec.name(), value);
                }

                fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
                    let values = self.values.lock().unwrap();
                    values.get(spec.name()).map(Held::value).unwrap_or_else(|| spec.default_value().clone())
                }
            }

            impl GstObjectImpl for Inner {}

            impl ElementImpl for Inner {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static DATA: std::sync::LazyLock<gst::subclass::ElementMetadata> =
                        std::sync::LazyLock::new(|| {
                            gst::subclass::ElementMetadata::new(
                                $type_name,
                                "Codec/Encoder/Video",
                                "a stand-in",
                                "robocast",
                            )
                        });
                    Some(&DATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static PADS: std::sync::LazyLock<Vec<gst::PadTemplate>> =
                        std::sync::LazyLock::new(|| {
                            vec![
                                template("sink", gst::PadDirection::Sink, $sink),
                                template("src", gst::PadDirection::Src, $src),
                            ]
                        });
                    &PADS
                }

                fn change_state(
                    &self,
                    transition: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    let opens: fn() -> bool = $opens;
                    if transition == gst::StateChange::NullToReady && !opens() {
                        return Err(gst::StateChangeError);
                    }
                    self.parent_change_state(transition)
                }
            }

            impl BinImpl for Inner {}

            glib::wrapper! {
                pub struct $name(ObjectSubclass<Inner>) @extends gst::Bin, gst::Element, gst::Object,
                    @implements gst::ChildProxy;
            }
        }
    };
}

stand_in!(conv, NvVidConv, "StandInNvVidConv",
    sink: &format!("video/x-raw; {NVMM}"), src: &format!("video/x-raw; {NVMM}"),
    inside: "videoscale ! videoconvert ! nvmmcaps",
    properties: vec![glib::ParamSpecInt::builder("flip-method").minimum(0).maximum(7).build()],
    set: |_, _, _| {},
    opens: || true);

stand_in!(nvenc, NvEnc, "StandInNvEnc",
    sink: "video/x-raw(memory:NVMM),format=(string){I420,NV12,P010_10LE,NV24}", src: H264,
    inside: "nvmmcaps ! videoconvert ! video/x-raw,format=I420 ! openh264enc name=inside rate-control=bitrate ! \
             video/x-h264,profile=constrained-baseline ! h264parse",
    properties: vec![
        glib::ParamSpecInt::builder("control-rate").minimum(0).maximum(1).build(),
        glib::ParamSpecUInt::builder("bitrate").default_value(4_000_000).build(),
        glib::ParamSpecUInt::builder("iframeinterval").default_value(30).build(),
        glib::ParamSpecUInt::builder("idrinterval").default_value(256).build(),
        glib::ParamSpecBoolean::builder("insert-sps-pps").build(),
        glib::ParamSpecBoolean::builder("maxperf-enable").build(),
        glib::ParamSpecInt::builder("preset-level").minimum(0).maximum(4).build(),
        glib::ParamSpecUInt::builder("num-B-Frames").maximum(2).build(),
    ],
    set: |bin, name, value| {
        let inside = bin.by_name("inside").unwrap();
        match name {
            "bitrate" => inside.set_property("bitrate", value.get::<u32>().unwrap()),
            "idrinterval" => inside.set_property("gop-size", value.get::<u32>().unwrap()),
            _ => {}
        }
    },
    opens: || NVENC_OPENS.load(Ordering::Relaxed));

stand_in!(v4l2, V4l2Enc, "StandInV4l2Enc",
    sink: "video/x-raw,format=(string){I420,NV12,YUY2}", src: H264,
    inside: "videoconvert ! video/x-raw,format=I420 ! openh264enc name=inside rate-control=bitrate ! \
             video/x-h264,profile=constrained-baseline ! capssetter caps=\"video/x-h264,level=(string)4\"",
    properties: vec![glib::ParamSpecBoxed::builder::<gst::Structure>("extra-controls").build()],
    set: |bin, _, value| {
        let inside = bin.by_name("inside").unwrap();
        let controls = value.get::<gst::Structure>().unwrap();
        inside.set_property("bitrate", u32::try_from(controls.get::<i32>("video_bitrate").unwrap()).unwrap());
        let period = u32::try_from(controls.get::<i32>("h264_i_frame_period").unwrap()).unwrap();
        if inside.current_state() < gst::State::Playing {
            inside.set_property("gop-size", period);
        }
    },
    opens: || true);
