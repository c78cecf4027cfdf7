//! The test pattern: a moving picture with a burnt-in clock, encoded live with x264.

use std::time::Duration;

use gst::prelude::*;

use crate::access_unit::AccessUnit;
use crate::clip::Timed;
use crate::error::Error;
use crate::random::Random;
use crate::stamp;

/// Width and height in pixels, both even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hint =
            || format!("`{text}` is not a size; write it as 1280x720, even numbers from 160x90 to 3840x2160");
        let (width, height) = text.split_once('x').ok_or_else(hint)?;
        let size =
            Self { width: width.parse().map_err(|_| hint())?, height: height.parse().map_err(|_| hint())? };
        let even = size.width.is_multiple_of(2) && size.height.is_multiple_of(2);
        let fits = (160..=3840).contains(&size.width) && (90..=2160).contains(&size.height);
        if even && fits { Ok(size) } else { Err(hint()) }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[derive(Clone, Debug)]
pub struct Coding {
    pub size: Size,
    pub fps: u32,
    pub kbit_per_second: u32,
    pub keyframe_interval: Duration,
}

impl Coding {
    fn frames_between_keyframes(&self) -> u32 {
        ((self.keyframe_interval.as_secs_f64() * f64::from(self.fps)).round() as u32).max(1)
    }
}

/// A textured picture, made once. Each frame copies its rows with a shift; two bands move against each other.
#[derive(Debug)]
struct Canvas {
    info: gst_video::VideoInfo,
    texture: Vec<u8>,
    chroma: Vec<u8>,
}

const GRID: usize = 16;

impl Canvas {
    fn new(coding: &Coding) -> Result<Self, Error> {
        let Size { width, height } = coding.size;
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
            .fps(gst::Fraction::new(coding.fps as i32, 1))
            .build()
            .map_err(|error| Error::Encode(error.to_string()))?;
        let texture = texture(width as usize, height as usize);
        let chroma_rows = info.size() - info.offset()[1];
        let stride = info.stride()[1] as usize;
        let chroma = (0..chroma_rows)
            .map(|at| (104 + (at % stride) * 48 / stride + (at / stride) % 8) as u8)
            .collect();
        Ok(Self { info, texture, chroma })
    }

    /// Frame `number` with the current time in it.
    fn frame(&self, number: u64) -> Result<gst::Buffer, gst::glib::BoolError> {
        let (width, height) = (self.info.width() as usize, self.info.height() as usize);
        let stride = self.info.stride()[0] as usize;
        let mut buffer = gst::Buffer::with_size(self.info.size())?;
        {
            let buffer = buffer.get_mut().ok_or_else(|| gst::glib::bool_error!("buffer is shared"))?;
            let mut map = buffer.map_writable()?;
            let (luma, chroma) = map.split_at_mut(self.info.offset()[1]);
            chroma.copy_from_slice(&self.chroma);
            for (y, row) in luma.chunks_mut(stride).take(height).enumerate() {
                let shift = if y < height / 2 { number * 2 } else { number * 3 } as usize % width;
                let shift = if y < height / 2 { shift } else { width - shift };
                let from = y * width * 2 + shift;
                row[..width].copy_from_slice(&self.texture[from..from + width]);
            }
            stamp::draw(luma, stride, width, height, stamp::now());
        }
        Ok(buffer)
    }
}

/// Smooth noise with grain and the period `width`; each row is stored twice.
fn texture(width: usize, height: usize) -> Vec<u8> {
    let mut random = Random::new(0x7e57);
    let (columns, rows) = (width.div_ceil(GRID), height / GRID + 2);
    let mut lattice = vec![0u8; columns * rows];
    random.fill(&mut lattice);
    let mut grain = vec![0u8; width * 2];
    random.fill(&mut grain);
    let mut texture = Vec::with_capacity(width * 2 * height);
    for y in 0..height {
        let (row, dy) = (y / GRID, y % GRID);
        let begin = texture.len();
        for x in 0..width {
            let (column, dx) = (x / GRID, x % GRID);
            let next = (column + 1) % columns;
            let corner = |r: usize, c: usize| usize::from(lattice[r * columns + c]);
            let top = corner(row, column) * (GRID - dx) + corner(row, next) * dx;
            let bottom = corner(row + 1, column) * (GRID - dx) + corner(row + 1, next) * dx;
            let smooth = (top * (GRID - dy) + bottom * dy) / (GRID * GRID);
            texture.push((48 + smooth / 2 + usize::from(grain[(x + y * 37) % grain.len()] >> 4)) as u8);
        }
        texture.extend_from_within(begin..begin + width);
    }
    texture
}

/// Draws and encodes one picture at a time; each call waits for its access unit (x264 does not delay any).
#[derive(Debug)]
pub struct Pattern {
    coding: Coding,
    encoder: Encoder,
    frames: u64,
}

impl Pattern {
    pub fn new(coding: Coding) -> Result<Self, Error> {
        Ok(Self { encoder: Encoder::start(&coding)?, coding, frames: 0 })
    }

    pub fn due(&self) -> Duration {
        Duration::from_nanos(self.frames * 1_000_000_000 / u64::from(self.coding.fps))
    }

    pub fn advance(&mut self) -> Result<Timed, Error> {
        let due = self.due();
        let unit = self.encoder.encode(self.frames, due)?;
        self.frames += 1;
        Ok(Timed { unit, due, shown: due })
    }

    /// A fresh encoder: the next picture is a keyframe with new parameter sets.
    pub fn rewind(&mut self, size: Option<Size>) -> Result<(), Error> {
        self.coding.size = size.unwrap_or(self.coding.size);
        self.encoder = Encoder::start(&self.coding)?;
        Ok(())
    }
}

#[derive(Debug)]
struct Encoder {
    canvas: Canvas,
    pipeline: gst::Pipeline,
    raw: gst_app::AppSrc,
    coded: gst_app::AppSink,
}

impl Encoder {
    fn start(coding: &Coding) -> Result<Self, Error> {
        if gst::ElementFactory::find("x264enc").is_none() {
            return Err(Error::Element("x264enc", "ugly"));
        }
        let canvas = Canvas::new(coding)?;
        let caps = canvas.info.to_caps().map_err(|error| Error::Encode(error.to_string()))?;
        let raw = gst_app::AppSrc::builder().name("raw").caps(&caps).format(gst::Format::Time).build();
        let coder = gst::ElementFactory::make("x264enc")
            .property_from_str("tune", "zerolatency")
            .property_from_str("speed-preset", "ultrafast")
            .property("threads", 1u32)
            .property("aud", false)
            .property("bitrate", coding.kbit_per_second)
            .property("key-int-max", coding.frames_between_keyframes())
            .property("option-string", "scenecut=0")
            .build()
            .map_err(|error| Error::Encode(error.to_string()))?;
        let coded = gst_app::AppSink::builder()
            .sync(false)
            .caps(
                &gst::Caps::builder("video/x-h264")
                    .field("stream-format", "byte-stream")
                    .field("alignment", "au")
                    .field("profile", "constrained-baseline")
                    .build(),
            )
            .build();
        let pipeline = gst::Pipeline::new();
        let chain = [raw.upcast_ref::<gst::Element>(), &coder, coded.upcast_ref()];
        pipeline
            .add_many(chain)
            .and_then(|()| gst::Element::link_many(chain))
            .map_err(|error| Error::Encode(error.to_string()))?;
        pipeline.set_state(gst::State::Playing).map_err(|error| Error::Encode(error.to_string()))?;
        Ok(Self { canvas, pipeline, raw, coded })
    }

    fn encode(&mut self, number: u64, at: Duration) -> Result<AccessUnit, Error> {
        let mut frame = self.canvas.frame(number).map_err(|error| Error::Encode(error.to_string()))?;
        if let Some(frame) = frame.get_mut() {
            frame.set_pts(gst::ClockTime::try_from(at).ok());
        }
        self.raw.push_buffer(frame).map_err(|error| Error::Encode(error.to_string()))?;
        let sample = self.coded.try_pull_sample(gst::ClockTime::from_seconds(5));
        let sample = sample.ok_or_else(|| Error::Encode(self.complaint()))?;
        let buffer = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
        let bytes = buffer.ok_or_else(|| Error::Encode("an empty picture".into()))?;
        Ok(AccessUnit::from_annex_b(&bytes))
    }

    fn complaint(&self) -> String {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => "nothing within 5 s".into(),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_unit::nal_type;

    fn coding() -> Coding {
        Coding {
            size: Size { width: 1280, height: 720 },
            fps: 30,
            kbit_per_second: 2000,
            keyframe_interval: Duration::from_secs(1),
        }
    }

    #[test]
    fn sizes_are_even_and_sane() {
        assert_eq!("640x480".parse(), Ok(Size { width: 640, height: 480 }));
        for wrong in ["640", "641x480", "0x0", "16x16", "x", "1280x720x3", "99999x2"] {
            assert!(wrong.parse::<Size>().unwrap_err().contains("1280x720"), "{wrong}");
        }
    }

    #[test]
    fn each_picture_gives_one_access_unit_and_keyframes_keep_their_interval() {
        gst::init().unwrap();
        let mut pattern = Pattern::new(coding()).unwrap();
        let timed: Vec<Timed> = (0..61).map(|_| pattern.advance().unwrap()).collect();
        let keyframes: Vec<_> = (0..61).filter(|index| timed[*index].unit.is_keyframe()).collect();
        assert_eq!(keyframes, [0, 30, 60]);
        assert!(timed.iter().all(|timed| timed.unit.slices().count() == 1));
        assert_eq!(timed[60].due, Duration::from_secs(2));
        let bytes: usize = timed[..60].iter().map(|timed| timed.unit.annex_b().len()).sum();
        let kbit = bytes * 8 / 2 / 1000;
        assert!((1200..2800).contains(&kbit), "{kbit} kbit/s is not near the 2000 asked for");
    }

    #[test]
    fn another_size_brings_new_parameter_sets_and_a_keyframe() {
        gst::init().unwrap();
        let mut pattern = Pattern::new(coding()).unwrap();
        let first = pattern.advance().unwrap().unit;
        pattern.rewind(Some(Size { width: 640, height: 360 })).unwrap();
        let second = pattern.advance().unwrap().unit;
        let sets = |unit: &AccessUnit| -> Vec<Vec<u8>> {
            unit.nals().filter(|nal| nal_type(nal) == 7).map(<[u8]>::to_vec).collect()
        };
        assert!(second.is_keyframe());
        assert_eq!(sets(&first).len(), 1);
        assert_ne!(sets(&first), sets(&second));
    }
}
