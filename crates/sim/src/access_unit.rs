//! H.264 access units: one picture's NAL units (ITU-T H.264, 7.4.1 and annex B).

use std::ops::Range;
use std::sync::Arc;

/// `nal_unit_type` of a NAL unit; 0 for an empty one.
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |header| header & 0x1f)
}

/// Types 1 to 5 carry coded slices.
pub fn is_slice(nal: &[u8]) -> bool {
    (1..=5).contains(&nal_type(nal))
}

const IDR: u8 = 5;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// One picture as an annex B byte stream with 4-byte start codes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    bytes: Arc<[u8]>,
    nals: Vec<Range<usize>>,
}

impl AccessUnit {
    /// Keeps the NAL units of a byte stream unchanged, except access unit delimiters, which are removed (robots send none).
    pub fn from_annex_b(stream: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(stream.len() + 8);
        let mut nals = Vec::new();
        for nal in split_annex_b(stream).into_iter().map(|range| &stream[range]) {
            if nal_type(nal) == ACCESS_UNIT_DELIMITER {
                continue;
            }
            bytes.extend_from_slice(&START_CODE);
            let start = bytes.len();
            bytes.extend_from_slice(nal);
            nals.push(start..bytes.len());
        }
        Self { bytes: bytes.into(), nals }
    }

    /// The NAL units without start codes.
    pub fn nals(&self) -> impl Iterator<Item = &[u8]> {
        self.nals.iter().map(|range| &self.bytes[range.clone()])
    }

    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.nals().filter(|nal| is_slice(nal))
    }

    pub fn is_keyframe(&self) -> bool {
        self.nals().any(|nal| nal_type(nal) == IDR)
    }

    /// The byte stream, start codes included.
    pub fn annex_b(&self) -> Arc<[u8]> {
        self.bytes.clone()
    }
}

/// The ranges of the NAL units in a byte stream, without start codes and trailing zero bytes.
pub fn split_annex_b(stream: &[u8]) -> Vec<Range<usize>> {
    let mut nals: Vec<Range<usize>> = Vec::new();
    let mut open: Option<usize> = None;
    let mut close = |open: Option<usize>, mut end: usize| {
        let Some(start) = open else { return };
        while end > start && stream[end - 1] == 0 {
            end -= 1;
        }
        if end > start {
            nals.push(start..end);
        }
    };
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at + 2] > 1 {
            at += 3;
        } else if stream[at..at + 3] == [0, 0, 1] {
            close(open, at);
            open = Some(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    close(open, stream.len());
    nals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_after_start_codes_of_both_lengths() {
        let stream = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 0, 0, 3, 1];
        let nals: Vec<&[u8]> = split_annex_b(&stream).into_iter().map(|range| &stream[range]).collect();
        assert_eq!(nals, [&[0x67, 1][..], &[0x68, 2], &[0x65, 0, 0, 3, 1]]);
    }

    #[test]
    fn bytes_without_a_start_code_hold_no_nal_unit() {
        assert!(split_annex_b(&[1, 2, 3, 4, 5, 6]).is_empty());
        assert!(split_annex_b(&[]).is_empty());
        assert!(split_annex_b(&[0, 0, 1]).is_empty());
    }

    #[test]
    fn delimiters_are_removed_and_slices_kept() {
        let unit = AccessUnit::from_annex_b(&[
            0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x67, 7, 0, 0, 1, 0x65, 8, 0, 0, 1, 0x65, 9,
        ]);
        assert_eq!(unit.nals().count(), 3);
        assert_eq!(unit.slices().collect::<Vec<_>>(), [&[0x65, 8][..], &[0x65, 9]]);
        assert!(unit.is_keyframe());
        assert_eq!(&unit.annex_b()[..6], &[0, 0, 0, 1, 0x67, 7]);
    }
}
