//! Converts access units to FLV video tags, the form in which RTMP carries them
//! (Adobe Flash Video File Format Specification 10.1, E.4.3).

use robocast_video::h264::{AccessUnit, NalKind, ParameterSets, nals};

const KEYFRAME_AVC: u8 = 0x17;
const INTER_AVC: u8 = 0x27;
const SEQUENCE_HEADER: u8 = 0;
const NAL_UNITS: u8 = 1;

/// The tag with the parameter sets, which players need for decoding. None until the sets are complete.
#[must_use]
pub fn sequence_header(sets: &ParameterSets) -> Option<Vec<u8>> {
    let mut tag = vec![KEYFRAME_AVC, SEQUENCE_HEADER, 0, 0, 0];
    tag.extend(sets.decoder_configuration()?);
    Some(tag)
}

/// The tag of one access unit. NAL units get lengths instead of start codes. Delimiters and filler are left out, because the
/// container makes them unnecessary; everything else is unchanged.
#[must_use]
pub fn video(unit: &AccessUnit) -> Vec<u8> {
    let mut tag = Vec::with_capacity(unit.data.len() + 16);
    tag.push(if unit.keyframe { KEYFRAME_AVC } else { INTER_AVC });
    tag.push(NAL_UNITS);
    let composition = unit.pts.since(unit.dts).as_millis().min(0x7f_ffff);
    tag.extend_from_slice(&u32::try_from(composition).unwrap_or(0).to_be_bytes()[1..]);
    for nal in nals(&unit.data) {
        if matches!(NalKind::of(nal), NalKind::Delimiter | NalKind::Filler) {
            continue;
        }
        tag.extend_from_slice(&u32::try_from(nal.len()).unwrap_or(u32::MAX).to_be_bytes());
        tag.extend_from_slice(nal);
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use robocast_video::clock::MonoTime;

    fn unit(data: &'static [u8], keyframe: bool) -> AccessUnit {
        AccessUnit {
            data: Bytes::from_static(data),
            pts: MonoTime(45_000_000),
            dts: MonoTime(5_000_000),
            arrived: MonoTime(0),
            keyframe,
        }
    }

    #[test]
    fn a_keyframe_becomes_a_tag_with_lengths_instead_of_start_codes() {
        let tag = video(&unit(&[0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x65, 3], true));
        assert_eq!(tag, [0x17, 1, 0, 0, 40, 0, 0, 0, 3, 0x65, 1, 2, 0, 0, 0, 2, 0x65, 3]);
    }

    #[test]
    fn another_picture_is_marked_as_such() {
        assert_eq!(video(&unit(&[0, 0, 0, 1, 0x41, 7], false))[..2], [0x27, 1]);
    }

    #[test]
    fn without_parameter_sets_there_is_no_header() {
        assert_eq!(sequence_header(&ParameterSets::default()), None);
    }
}
