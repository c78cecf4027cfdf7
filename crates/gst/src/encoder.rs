//! Which H.264 encoder opens on this machine, how to build a chain around it, and how to change its bitrate.
//!
//! An encoder is chosen by opening it, never by the board's name: an Orin Nano has the NVIDIA
//! element but no encoder behind it.

use gst::prelude::*;
use robocast_config::{Bitrate, Size};
use std::time::Duration;

/// The encoders robocast can drive, in order of preference: hardware first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// NVENC of a Jetson (`nvv4l2h264enc`, from L4T's plugins).
    Nvenc,
    /// A stateful V4L2 encoder (`v4l2h264enc`), such as `bcm2835-codec` of a Pi 4.
    V4l2,
    /// x264 on the processor; GPL.
    X264,
    /// OpenH264 on the processor; BSD.
    OpenH264,
}

/// The name of the encoder element in every chain.
pub const ELEMENT: &str = "encoder";

/// How video is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncodingTarget {
    /// Constant bitrate.
    pub bitrate: Bitrate,
    /// Size to scale to; the source's when none.
    pub size: Option<Size>,
    /// Most frames a second; the source's when none.
    pub fps: Option<u32>,
    /// From one keyframe to the next.
    pub keyframe_interval: Duration,
}

/// Nothing here encodes H.264.
#[derive(Debug, thiserror::Error)]
#[error("no H.264 encoder opens here ({})", .tried.join("; "))]
pub struct NoEncoder {
    /// Each encoder with the reason.
    pub tried: Vec<String>,
}

impl Encoder {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Nvenc, Self::V4l2, Self::X264, Self::OpenH264];

    /// The encoders that open on this machine, best first.
    ///
    /// # Errors
    /// When none does.
    pub fn available() -> Result<Vec<Self>, NoEncoder> {
        let mut tried = Vec::new();
        let found: Vec<Self> = Self::ALL
            .into_iter()
            .filter(|encoder| encoder.try_open().inspect_err(|why| tried.push(why.clone())).is_ok())
            .collect();
        tracing::debug!(?found, ?tried, "encoders");
        if found.is_empty() { Err(NoEncoder { tried }) } else { Ok(found) }
    }

    fn try_open(self) -> Result<(), String> {
        let name = self.factory();
        let element =
            gst::ElementFactory::make(name).build().map_err(|_| format!("{name} is not installed"))?;
        let opened = element.set_state(gst::State::Ready).is_ok();
        let _ = element.set_state(gst::State::Null);
        if opened { Ok(()) } else { Err(format!("{name} does not open")) }
    }

    /// The GStreamer element that does it.
    #[must_use]
    pub fn factory(self) -> &'static str {
        match self {
            Self::Nvenc => "nvv4l2h264enc",
            Self::V4l2 => "v4l2h264enc",
            Self::X264 => "x264enc",
            Self::OpenH264 => "openh264enc",
        }
    }

    /// The chain from raw video to access units, in `gst-launch` words: scale, convert, encode, parse.
    #[must_use]
    pub fn chain(self, target: &EncodingTarget) -> String {
        let mut words: Vec<String> = Vec::new();
        if let Some(fps) = target.fps {
            words.push(format!("videorate drop-only=true max-rate={fps}"));
        }
        let frames = keyframe_frames(target);
        let bps = target.bitrate.bps();
        let size = |format: &str| match target.size {
            Some(size) => format!("{format},width={},height={}", size.width, size.height),
            None => format.to_owned(),
        };
        match self {
            Self::Nvenc => {
                // Scaling and the copy into NVMM memory both happen in the converter.
                words.push("nvvidconv".into());
                words.push(size("video/x-raw(memory:NVMM),format=NV12"));
                words.push(format!(
                    "nvv4l2h264enc name={ELEMENT} control-rate=1 bitrate={bps} iframeinterval={frames} \
                     idrinterval={frames} insert-sps-pps=true maxperf-enable=true preset-level=1 num-B-Frames=0"
                ));
            }
            Self::V4l2 => {
                words.extend(software_conversion(target, &size("video/x-raw,format=I420")));
                words.push(format!(
                    "v4l2h264enc name={ELEMENT} extra-controls=\"{}\"",
                    v4l2_controls(bps, frames)
                ));
                // Without a level the driver takes 1.0 and refuses the size.
                words.push("video/x-h264,profile=(string)constrained-baseline,level=(string)4".into());
            }
            Self::X264 => {
                words.extend(software_conversion(target, &size("video/x-raw,format=I420")));
                words.push(format!(
                    "x264enc name={ELEMENT} tune=zerolatency speed-preset=ultrafast bitrate={} \
                     vbv-buf-capacity=500 key-int-max={frames} byte-stream=true",
                    target.bitrate.kbps()
                ));
                words.push("video/x-h264,profile=constrained-baseline".into());
            }
            Self::OpenH264 => {
                words.extend(software_conversion(target, &size("video/x-raw,format=I420")));
                words.push(format!(
                    "openh264enc name={ELEMENT} rate-control=bitrate bitrate={bps} gop-size={frames} \
                     complexity=low usage-type=camera enable-frame-skip=false"
                ));
            }
        }
        words.push("h264parse config-interval=-1".into());
        words.push("video/x-h264,stream-format=byte-stream,alignment=au".into());
        words.join(" ! ")
    }

    /// Changes the bitrate of a running encoder, without a restart.
    pub fn set_bitrate(self, element: &gst::Element, bitrate: Bitrate, target: &EncodingTarget) {
        let bps = u32::try_from(bitrate.bps()).unwrap_or(u32::MAX);
        match self {
            Self::Nvenc | Self::OpenH264 => element.set_property("bitrate", bps),
            Self::X264 => element.set_property("bitrate", (bps / 1000).max(1)),
            Self::V4l2 => {
                let controls = v4l2_controls(bitrate.bps(), keyframe_frames(target));
                if let Ok(controls) = controls.parse::<gst::Structure>() {
                    element.set_property("extra-controls", controls);
                }
            }
        }
    }
}

fn software_conversion(target: &EncodingTarget, caps: &str) -> Vec<String> {
    let mut words = Vec::new();
    if target.size.is_some() {
        words.push("videoscale".into());
    }
    words.push("videoconvert".into());
    words.push(caps.to_owned());
    words
}

/// The keyframe interval in frames.
fn keyframe_frames(target: &EncodingTarget) -> u64 {
    let fps = f64::from(target.fps.unwrap_or(30));
    let frames = (fps * target.keyframe_interval.as_secs_f64()).round();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let frames = frames.clamp(1.0, 10_000.0) as u64;
    frames
}

/// Controls of the V4L2 encoder (`V4L2_CID_MPEG_VIDEO_*`); mode 1 is constant bitrate.
fn v4l2_controls(bps: u64, frames: u64) -> String {
    format!(
        "controls,video_bitrate_mode=1,video_bitrate={bps},h264_i_frame_period={frames},repeat_sequence_header=1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> EncodingTarget {
        EncodingTarget {
            bitrate: Bitrate::from_bps(1_500_000),
            size: Some(Size { width: 640, height: 360 }),
            fps: Some(25),
            keyframe_interval: Duration::from_secs(2),
        }
    }

    #[test]
    fn the_keyframe_interval_is_counted_in_frames() {
        assert_eq!(keyframe_frames(&target()), 50);
        assert_eq!(keyframe_frames(&EncodingTarget { fps: None, ..target() }), 60);
    }

    #[test]
    fn each_chain_names_its_encoder_rate_and_interval() {
        for encoder in Encoder::ALL {
            let chain = encoder.chain(&target());
            assert!(chain.contains(&format!("{} name=encoder", encoder.factory())), "{chain}");
            assert!(chain.contains("=1500") && chain.contains("=50"), "{chain}");
            assert!(chain.contains("width=640,height=360"), "{chain}");
        }
    }

    #[test]
    fn a_software_encoder_opens_here() {
        crate::pipeline::init().unwrap();
        let found = Encoder::available().unwrap();
        assert!(found.contains(&Encoder::X264) || found.contains(&Encoder::OpenH264), "{found:?}");
    }
}
