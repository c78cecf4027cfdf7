//! Recordings of RTMP servers: FLV with H.264 (Adobe Flash Video File Format Specification 10.1, annex E).

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::slices::{Slice, fnv1a};

/// A picture of a recording.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its decoding time since the beginning of the recording.
    pub ms: u32,
    pub keyframe: bool,
    pub slices: Vec<Slice>,
}

impl Frame {
    /// Whether it is made of these slices.
    pub fn is_of(&self, slices: &HashSet<Slice>) -> bool {
        !self.slices.is_empty() && self.slices.iter().all(|slice| slices.contains(slice))
    }
}

/// The contents of a file's video tags.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub frames: Vec<Frame>,
    /// The AVC sequence headers, each with the index of the frame after it.
    pub headers: Vec<(usize, Vec<u8>)>,
    /// Bytes read; a tag that is still being written is not among them.
    pub read: usize,
}

const FILE_HEADER: usize = 9 + 4;
const TAG_HEADER: usize = 11;
const VIDEO: u8 = 9;
const AVC: u8 = 7;

impl Recording {
    /// Reads the whole file.
    pub fn read(path: &Path) -> Self {
        let mut recording = Self::default();
        recording.read_on(path);
        recording
    }

    /// Takes in the growth of the file since the last call.
    pub fn read_on(&mut self, path: &Path) {
        let failed = |error| panic!("{}: {error}", path.display());
        let mut bytes = Vec::new();
        let mut file = File::open(path).unwrap_or_else(failed);
        file.seek(SeekFrom::Start(self.read as u64)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        if self.read == 0 {
            let Some((header, tags)) = rest.split_first_chunk::<FILE_HEADER>() else { return };
            assert!(header.starts_with(b"FLV"), "{} is not FLV", path.display());
            rest = tags;
        }
        while let Some((header, behind)) = rest.split_first_chunk::<TAG_HEADER>() {
            let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
            let Some(body) = behind.get(..size + 4) else { break };
            if header[0] == VIDEO {
                let ms = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
                self.video(ms, &body[..size]);
            }
            rest = &behind[size + 4..];
        }
        self.read += bytes.len() - rest.len();
    }

    fn video(&mut self, ms: u32, body: &[u8]) {
        let [first, kind, _, _, _, units @ ..] = body else { panic!("a video tag of {} bytes", body.len()) };
        assert_eq!(first & 0xf, AVC, "a codec other than H.264");
        match kind {
            0 => self.headers.push((self.frames.len(), units.to_vec())),
            1 => self.frames.push(Frame { ms, keyframe: first >> 4 == 1, slices: slices(units) }),
            _ => {}
        }
    }

    /// All slices in order.
    pub fn slices(&self) -> Vec<Slice> {
        self.frames.iter().flat_map(|frame| frame.slices.iter().copied()).collect()
    }

    /// The first place where times do not rise strictly.
    pub fn times_rise(&self) -> Result<(), String> {
        match self.frames.windows(2).find(|pair| pair[1].ms <= pair[0].ms) {
            Some(pair) => Err(format!("{} ms after {} ms", pair[1].ms, pair[0].ms)),
            None => Ok(()),
        }
    }

    /// The longest time between two frames.
    pub fn longest_gap(&self) -> u32 {
        self.frames.windows(2).map(|pair| pair[1].ms.saturating_sub(pair[0].ms)).max().unwrap_or(0)
    }

    /// The frames made of these slices: the robot's, not the slate's.
    pub fn frames_of<'r>(&'r self, slices: &HashSet<Slice>) -> Vec<&'r Frame> {
        self.frames.iter().filter(|frame| frame.is_of(slices)).collect()
    }
}

/// NAL units, each behind its length in 4 bytes.
fn slices(mut units: &[u8]) -> Vec<Slice> {
    let mut slices = Vec::new();
    while let Some((length, rest)) = units.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (nal, next) = rest.split_at_checked(length).expect("a NAL unit within its tag");
        let kind = nal.first().map_or(0, |first| first & 0x1f);
        if (1..=5).contains(&kind) {
            slices.push(Slice { kind, hash: fnv1a(nal), length });
        }
        units = next;
    }
    assert!(units.is_empty(), "{} bytes behind the last NAL unit", units.len());
    slices
}
