//! The parameter sets a decoder needs before the first picture, and what they say of the picture.

use super::nal::{NalKind, nals};
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};
use std::collections::BTreeMap;

/// What a sequence parameter set says of the pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoFormat {
    /// Shown width in pixels.
    pub width: u32,
    /// Shown height in pixels.
    pub height: u32,
    /// Frames per second, where the stream says so.
    pub fps: Option<f64>,
    /// `profile_idc`: 66 baseline, 77 main, 100 high.
    pub profile: u8,
    /// Whether every player of RTMP and WebRTC can show it: 8 bits, 4:2:0.
    pub common: bool,
    /// How many pictures may come earlier in coding order than they are shown.
    pub reorder: usize,
}

/// The newest sequence and picture parameter sets, by their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterSets {
    sps: BTreeMap<u8, Vec<u8>>,
    pps: BTreeMap<u8, Vec<u8>>,
    picture: Option<VideoFormat>,
}

/// The largest parameter set worth keeping; real ones have a few dozen bytes.
const LARGEST: usize = 4096;

impl ParameterSets {
    /// Takes in every parameter set of an Annex B stream, such as an access unit.
    pub fn observe_all(&mut self, annexb: &[u8]) -> bool {
        let mut changed = false;
        for nal in nals(annexb) {
            changed |= self.observe(nal);
        }
        changed
    }

    /// Takes in one NAL unit; says whether it changed anything. What cannot be read is not kept.
    pub fn observe(&mut self, nal: &[u8]) -> bool {
        if nal.len() > LARGEST {
            return false;
        }
        match NalKind::of(nal) {
            NalKind::Sps => {
                // The same comes again with every keyframe: it is parsed once.
                if self.sps.values().any(|known| known == nal) {
                    return false;
                }
                let Some((id, picture)) = read_sps(nal) else { return false };
                if self.sps.insert(id, nal.to_vec()).is_some() {
                    // Another sequence under the same id: no picture parameter set stays valid.
                    self.pps.clear();
                }
                self.picture = Some(picture);
                true
            }
            NalKind::Pps => {
                let Some(id) = read_pps_id(nal) else { return false };
                if self.pps.get(&id).is_some_and(|old| old == nal) {
                    return false;
                }
                self.pps.insert(id, nal.to_vec());
                true
            }
            _ => false,
        }
    }

    /// Whether a decoder could start with these.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty()
    }

    /// What the pictures look like, once a sequence parameter set was seen.
    #[must_use]
    pub fn format(&self) -> Option<VideoFormat> {
        self.picture
    }

    /// Every set, sequence parameter sets first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.sps.values().chain(self.pps.values()).map(Vec::as_slice)
    }

    /// The `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1) that FLV and MP4 carry.
    /// None until complete.
    #[must_use]
    pub fn decoder_configuration(&self) -> Option<Vec<u8>> {
        let first = self.sps.values().next()?;
        if self.pps.is_empty() || first.len() < 4 {
            return None;
        }
        let mut record = vec![1, first[1], first[2], first[3], 0xfc | 3];
        record.push(0xe0 | u8::try_from(self.sps.len()).ok()?);
        let put = |record: &mut Vec<u8>, set: &Vec<u8>| {
            record.extend_from_slice(&u16::try_from(set.len()).unwrap_or(u16::MAX).to_be_bytes());
            record.extend_from_slice(set);
        };
        for set in self.sps.values() {
            put(&mut record, set);
        }
        record.push(u8::try_from(self.pps.len()).ok()?);
        for set in self.pps.values() {
            put(&mut record, set);
        }
        // High profiles say their chroma format and depths once more.
        if matches!(first[1], 100 | 110 | 122 | 144) {
            record.extend_from_slice(&[0xfc | 1, 0xf8, 0xf8, 0]);
        }
        Some(record)
    }
}

fn read_sps(nal: &[u8]) -> Option<(u8, VideoFormat)> {
    let rbsp = decode_nal(nal).ok()?;
    let sps = SeqParameterSet::from_bits(BitReader::new(&*rbsp)).ok()?;
    let (width, height) = sps.pixel_dimensions().ok()?;
    let vui = sps.vui_parameters.as_ref();
    let fps = vui
        .and_then(|vui| vui.timing_info.as_ref())
        .filter(|t| t.num_units_in_tick > 0 && t.time_scale > 0)
        .map(|t| f64::from(t.time_scale) / (2.0 * f64::from(t.num_units_in_tick)));
    let chroma = &sps.chroma_info;
    let common = chroma.bit_depth_luma_minus8 == 0
        && chroma.bit_depth_chroma_minus8 == 0
        && chroma.chroma_format.to_u32() == 1;
    // Baseline has no B slices; others may say how far pictures are reordered.
    let reorder = match vui.and_then(|vui| vui.bitstream_restrictions.as_ref()) {
        Some(restrictions) => usize::try_from(restrictions.max_num_reorder_frames).unwrap_or(0).min(16),
        None => 0,
    };
    let profile = u8::from(sps.profile_idc);
    Some((sps.id().id(), VideoFormat { width, height, fps, profile, common, reorder }))
}

/// `pic_parameter_set_id`, the first Exp-Golomb code behind the header; at most 255.
fn read_pps_id(nal: &[u8]) -> Option<u8> {
    if nal.len() < 2 {
        return None;
    }
    let bits = nal[1..].iter().take(4).fold(0u64, |bits, &b| bits << 8 | u64::from(b));
    let held = 8 * (nal.len() - 1).min(4);
    let aligned = bits << (64 - held);
    let zeros = usize::try_from(aligned.leading_zeros()).ok()?;
    if zeros > 8 || 2 * zeros + 1 > held {
        return None;
    }
    let code = aligned >> (64 - (2 * zeros + 1));
    u8::try_from(code - 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h264::samples::{PPS, SPS};
    use proptest::prelude::*;

    #[test]
    fn the_picture_is_read_from_the_sets() {
        let mut sets = ParameterSets::default();
        assert!(!sets.complete());
        assert!(sets.observe(&SPS));
        assert!(sets.observe(&PPS));
        assert!(!sets.observe(&PPS), "the same again is no change");
        assert!(sets.complete());
        let picture = sets.format().unwrap();
        assert_eq!((picture.width, picture.height, picture.profile), (1280, 720, 77));
        assert_eq!(picture.fps, Some(25.0));
        assert!(picture.common);
    }

    #[test]
    fn the_decoder_configuration_is_the_one_the_footage_carries() {
        let mut sets = ParameterSets::default();
        assert_eq!(sets.decoder_configuration(), None);
        sets.observe(&SPS);
        sets.observe(&PPS);
        let mut expected = vec![1, 0x4d, 0x40, 0x1f, 0xff, 0xe1, 0, 23];
        expected.extend(SPS);
        expected.extend([1, 0, 4]);
        expected.extend(PPS);
        assert_eq!(sets.decoder_configuration().unwrap(), expected);
    }

    #[test]
    fn a_new_sequence_forgets_the_picture_sets_of_the_old_one() {
        let mut sets = ParameterSets::default();
        sets.observe(&SPS);
        sets.observe(&PPS);
        let mut other = SPS;
        other[3] = 0x20;
        assert!(sets.observe(&other));
        assert!(!sets.complete());
    }

    #[test]
    fn ids_of_picture_sets_are_read() {
        assert_eq!(read_pps_id(&[0x68, 0x80]), Some(0));
        assert_eq!(read_pps_id(&[0x68, 0b0100_0000]), Some(1));
        assert_eq!(read_pps_id(&[0x68, 0b0110_0000]), Some(2));
        assert_eq!(read_pps_id(&[0x68, 0, 0, 0, 0]), None);
        assert_eq!(read_pps_id(&[0x68]), None);
    }

    proptest! {
        #[test]
        fn hostile_sets_never_panic(mut nal in prop::collection::vec(any::<u8>(), 0..120), kind in prop_oneof![Just(0x67u8), Just(0x68u8)]) {
            if let Some(first) = nal.first_mut() { *first = kind; }
            let mut sets = ParameterSets::default();
            sets.observe(&nal);
            sets.observe_all(&nal);
            let _ = sets.decoder_configuration();
        }

        #[test]
        fn damaged_real_sets_never_panic(at in 1usize..23, to: u8, cut in 1usize..23) {
            let mut nal = SPS.to_vec();
            nal[at] = to;
            nal.truncate(cut);
            let mut sets = ParameterSets::default();
            sets.observe(&nal);
        }
    }
}
