//! The picture that is sent while the robot is away: a still with a line of text, as one closed
//! group of pictures that is sent over and over.
//!
//! It is encoded once, by a short-lived process, so that push itself never holds an encoder.

use crate::encoder::{Encoder, EncodingTarget};
use crate::pipeline::{Pipeline, PipelineError};
use bytes::Bytes;
use font8x8::UnicodeFonts;
use robocast_config::{Bitrate, Size};
use robocast_video::h264::{NalKind, nals};
use robocast_video::slate::{FPS, SlateFrame};
use std::time::Duration;

/// What a slate shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slate {
    /// The size of the robot's own pictures, so that a player does not have to adapt.
    pub size: Size,
    /// One line of text.
    pub text: String,
    /// How long the group of pictures is.
    pub keyframe_interval: Duration,
}

/// A slate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SlateError {
    /// No encoder, or it failed.
    #[error("cannot encode the slate")]
    Encode(#[source] PipelineError),
    /// Nothing here encodes.
    #[error("cannot encode the slate")]
    NoEncoder(#[from] crate::encoder::NoEncoder),
    /// The encoder ended early.
    #[error("the encoder gave no keyframe for the slate")]
    NoKeyframe,
}

/// Encodes a slate: one IDR picture, then pictures that change nothing.
///
/// # Errors
/// When no software encoder works here.
pub fn encode(slate: &Slate) -> Result<Vec<SlateFrame>, SlateError> {
    crate::pipeline::init().map_err(SlateError::Encode)?;
    let mut encoders = Encoder::available()?;
    // The camera may hold the hardware encoder: software first.
    encoders.sort_by_key(|encoder| matches!(encoder, Encoder::Nvenc | Encoder::V4l2));
    let mut last = SlateError::NoKeyframe;
    for encoder in encoders {
        match encode_with(encoder, slate) {
            Ok(frames) if frames.first().is_some_and(|frame| frame.keyframe) => return Ok(frames),
            Ok(_) => last = SlateError::NoKeyframe,
            Err(error) => last = SlateError::Encode(error),
        }
    }
    Err(last)
}

fn encode_with(encoder: Encoder, slate: &Slate) -> Result<Vec<SlateFrame>, PipelineError> {
    let target = EncodingTarget {
        bitrate: Bitrate::from_bps(400_000),
        size: None,
        fps: None,
        // Longer than the group: the encoder makes no second keyframe.
        keyframe_interval: Duration::from_secs(3600),
    };
    let Size { width, height } = slate.size;
    let mut pipeline = Pipeline::parse(&format!(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1 \
         ! {} ! appsink name=out sync=false",
        encoder.chain(&target)
    ))?;
    let source: gst_app::AppSrc = pipeline.element("in")?;
    let sink: gst_app::AppSink = pipeline.element("out")?;
    pipeline.play()?;
    let picture = gst::Buffer::from_slice(draw(slate.size, &slate.text));
    let count = (slate.keyframe_interval.as_secs_f64() * f64::from(FPS)).round().clamp(1.0, 600.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    for n in 0..count as u64 {
        let mut buffer = picture.copy();
        let step = gst::ClockTime::SECOND / u64::from(FPS);
        let buffer_ref = buffer.make_mut();
        buffer_ref.set_pts(step * n);
        buffer_ref.set_duration(step);
        source.push_buffer(buffer).map_err(|_| PipelineError::Refused("encode the slate"))?;
    }
    let _ = source.end_of_stream();
    let mut frames = Vec::new();
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(10)) {
        let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { break };
        let keyframe = nals(&map).any(|nal| NalKind::of(nal) == NalKind::IdrSlice);
        frames.push(SlateFrame { data: Bytes::copy_from_slice(&map), keyframe });
    }
    Ok(frames)
}

/// Luma of the background, and of the text.
const DARK: u8 = 28;
const LIGHT: u8 = 210;

/// Draws an I420 picture: dark, the text in the middle, as large as fits.
fn draw(size: Size, text: &str) -> Vec<u8> {
    let (width, height) = (size.width as usize, size.height as usize);
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut picture = vec![DARK; width * height];
    let letters: Vec<[u8; 8]> =
        text.chars().map(|c| font8x8::BASIC_FONTS.get(c).unwrap_or([0x7e; 8])).collect();
    // A letter is 8 pixels wide and high before it is enlarged; a tenth of the width stays free.
    let scale = (width * 9 / 10 / (8 * letters.len().max(1))).clamp(1, 6).min((height / 16).max(1));
    let left = width.saturating_sub(letters.len() * 8 * scale) / 2;
    let top = height.saturating_sub(8 * scale) / 2;
    for (n, letter) in letters.iter().enumerate() {
        for y in 0..8 * scale {
            for x in 0..8 * scale {
                let lit = letter[y / scale] >> (x / scale) & 1 == 1;
                let (column, row) = (left + n * 8 * scale + x, top + y);
                if lit && column < width && row < height {
                    picture[row * width + column] = LIGHT;
                }
            }
        }
    }
    picture.resize(width * height + 2 * chroma_width * chroma_height, 128);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use robocast_video::h264::ParameterSets;

    fn slate() -> Slate {
        Slate {
            size: Size { width: 1280, height: 720 },
            text: "spot-07 front: waiting for the robot".into(),
            keyframe_interval: Duration::from_secs(2),
        }
    }

    #[test]
    fn a_slate_is_one_group_of_the_right_size_and_costs_little() {
        let frames = encode(&slate()).unwrap();
        assert_eq!(frames.len(), 10);
        assert!(frames[0].keyframe && frames[1..].iter().all(|frame| !frame.keyframe));
        let mut sets = ParameterSets::default();
        sets.observe_all(&frames[0].data);
        let picture = sets.format().unwrap();
        assert_eq!((picture.width, picture.height), (1280, 720));
        let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
        assert!(bytes < 40_000, "{bytes} bytes for two seconds");
    }

    #[test]
    fn the_text_is_on_the_picture() {
        let picture = draw(Size { width: 320, height: 180 }, "robot away");
        let lit = picture[..320 * 180].iter().filter(|&&luma| luma == LIGHT).count();
        assert!(lit > 500, "{lit}");
        assert_eq!(picture.len(), 320 * 180 * 3 / 2);
    }

    proptest! {
        #[test]
        fn any_size_and_text_can_be_drawn(width in 1u32..200, height in 1u32..200, text in ".{0,80}") {
            draw(Size { width, height }, &text);
        }
    }
}
