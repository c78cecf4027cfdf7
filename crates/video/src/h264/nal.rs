//! NAL units: finding them in an Annex B byte stream and naming their kinds (ITU-T H.264, 7.4.1).

/// What a NAL unit carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NalKind {
    /// A slice of a picture that refers to others (types 1 to 4).
    Slice,
    /// A slice of an IDR picture (type 5).
    IdrSlice,
    /// Supplemental information (type 6).
    Sei,
    /// Sequence parameter set (type 7).
    Sps,
    /// VideoFormat parameter set (type 8).
    Pps,
    /// Access unit delimiter (type 9).
    Delimiter,
    /// Filler data (type 12).
    Filler,
    /// Another type that a decoder may meet and skip.
    Other(u8),
    /// Not a NAL unit of a stored stream: empty, the forbidden bit set, or a type that only RTP uses.
    Invalid,
}

impl NalKind {
    /// The kind of the NAL unit `nal`, without its start code.
    #[must_use]
    pub fn of(nal: &[u8]) -> Self {
        let Some(&header) = nal.first() else { return Self::Invalid };
        if header & 0x80 != 0 {
            return Self::Invalid;
        }
        match header & 0x1f {
            1..=4 => Self::Slice,
            5 => Self::IdrSlice,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::Delimiter,
            12 => Self::Filler,
            0 | 24..=31 => Self::Invalid,
            other => Self::Other(other),
        }
    }

    /// Whether the NAL unit holds picture data.
    #[must_use]
    pub fn is_slice(self) -> bool {
        matches!(self, Self::Slice | Self::IdrSlice)
    }
}

/// Whether a slice is the first of its picture: `first_mb_in_slice` is 0, which codes as a single 1 bit.
#[must_use]
pub fn starts_picture(slice: &[u8]) -> bool {
    slice.get(1).is_some_and(|byte| byte & 0x80 != 0)
}

/// The NAL units of an Annex B byte stream, without start codes and trailing zero bytes.
pub fn nals(annexb: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annexb).map(|at| &annexb[at..]);
    std::iter::from_fn(move || {
        loop {
            let from = rest?;
            let nal = match start_code(from) {
                Some(at) => {
                    rest = Some(&from[at + 3..]);
                    &from[..at]
                }
                None => {
                    rest = None;
                    from
                }
            };
            let end = nal.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
            if end > 0 {
                return Some(&nal[..end]);
            }
        }
    })
}

/// Appends `nal` behind a four-byte start code.
pub fn push_nal(annexb: &mut Vec<u8>, nal: &[u8]) {
    annexb.extend_from_slice(&[0, 0, 0, 1]);
    annexb.extend_from_slice(nal);
}

/// Where the next `00 00 01` begins.
fn start_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // The third byte decides: anything above 1 cannot be part of a start code, so three bytes are skipped.
    while at + 2 < bytes.len() {
        match bytes[at + 2] {
            0 => at += 1,
            1 if bytes[at] == 0 && bytes[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

fn after_start_code(bytes: &[u8]) -> Option<usize> {
    start_code(bytes).map(|at| at + 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nal_units_are_found_behind_three_and_four_byte_start_codes() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 0];
        let found: Vec<&[u8]> = nals(&stream).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4]]);
    }

    #[test]
    fn types_that_only_rtp_uses_are_no_nal_units_of_a_stream() {
        assert_eq!(NalKind::of(&[0x65]), NalKind::IdrSlice);
        for hostile in [&[][..], &[0x00], &[0x1c], &[0xe5], &[0x78]] {
            assert_eq!(NalKind::of(hostile), NalKind::Invalid, "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_found_again(units in prop::collection::vec(prop::collection::vec(2u8..=255, 1..50), 0..8)) {
            let mut stream = Vec::new();
            for unit in &units {
                push_nal(&mut stream, unit);
            }
            let found: Vec<Vec<u8>> = nals(&stream).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(found, units);
        }

        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..300)) {
            let total: usize = nals(&bytes).map(<[u8]>::len).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
