//! The picture that is sent while the robot is away: a still with a line of text, as one closed
//! group of pictures that is sent over and over.
//!
//! It is encoded once, by a short-lived process ([`encode`] and [`write`] run there, [`read`] in
//! push), so that push itself never holds an encoder.

use crate::encoder::{Encoder, Target};
use crate::h264::{NalKind, nals};
use crate::pipeline::{Pipeline, PipelineError};
use bytes::Bytes;
use font8x8::UnicodeFonts;
use robocast_config::{Bitrate, Size};
use std::io::{self, Read, Write};
use std::time::Duration;

/// Frames a second of a slate: enough for a server to call it alive, few enough to cost nothing.
pub const FPS: u32 = 5;

/// One coded picture of a slate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Annex B.
    pub data: Bytes,
    /// Whether it is the IDR picture that begins the group.
    pub keyframe: bool,
}

/// What a slate shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slate {
    /// The size of the robot's own pictures, so that a player need not adapt.
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
    /// What came out of the slate's process is not a slate.
    #[error("cannot read the slate")]
    Read(#[source] io::Error),
}

/// Encodes a slate: one IDR picture, then pictures that change nothing.
///
/// # Errors
/// When no software encoder works here.
pub fn encode(slate: &Slate) -> Result<Vec<Frame>, SlateError> {
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

fn encode_with(encoder: Encoder, slate: &Slate) -> Result<Vec<Frame>, PipelineError> {
    let target = Target {
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
        source.push_buffer(buffer).map_err(|_| PipelineError::Missing("encoder that takes frames"))?;
    }
    let _ = source.end_of_stream();
    let mut frames = Vec::new();
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(10)) {
        let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else { break };
        let keyframe = nals(&map).any(|nal| NalKind::of(nal) == NalKind::IdrSlice);
        frames.push(Frame { data: Bytes::copy_from_slice(&map), keyframe });
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

/// Writes frames for [`read`]: a length (u32, little endian), 1 for a keyframe or 0, the bytes.
///
/// # Errors
/// When the pipe closes.
pub fn write(frames: &[Frame], out: &mut impl Write) -> io::Result<()> {
    for frame in frames {
        out.write_all(&u32::try_from(frame.data.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        out.write_all(&[u8::from(frame.keyframe)])?;
        out.write_all(&frame.data)?;
    }
    out.flush()
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// When it is cut off, absurdly long, or does not begin with a keyframe.
pub fn read(mut bytes: &[u8]) -> Result<Vec<Frame>, SlateError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let mut header = [0; 5];
        bytes.read_exact(&mut header).map_err(SlateError::Read)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((data, rest)) = bytes.split_at_checked(length) else {
            return Err(SlateError::Read(io::ErrorKind::UnexpectedEof.into()));
        };
        frames.push(Frame { data: Bytes::copy_from_slice(data), keyframe: header[4] == 1 });
        bytes = rest;
    }
    if frames.first().is_some_and(|frame| frame.keyframe) { Ok(frames) } else { Err(SlateError::NoKeyframe) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h264::ParameterSets;
    use proptest::prelude::*;

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
        let picture = sets.picture().unwrap();
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

        #[test]
        fn what_is_written_is_read_again(sizes in prop::collection::vec(0usize..100, 1..8)) {
            let frames: Vec<Frame> = sizes.iter().enumerate()
                .map(|(n, &size)| Frame { data: vec![7; size].into(), keyframe: n == 0 }).collect();
            let mut bytes = Vec::new();
            write(&frames, &mut bytes).unwrap();
            prop_assert_eq!(read(&bytes).unwrap(), frames);
            prop_assert!(read(&bytes[..bytes.len() - 1]).is_err() || sizes.last() == Some(&0));
        }

        #[test]
        fn hostile_slates_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
