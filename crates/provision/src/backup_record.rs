//! The form of a copy of the settings on the raw partition: pure.
//!
//! Two places, [`PLACE`] bytes apart, are written in turn, so that one whole record is there at every moment. A record:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | version of this form, little endian: [`VERSION`] |
//! | 12 | 4 | length of the payload in bytes, little endian: at most [`LIMIT`] |
//! | 16 | 8 | sequence number, little endian; one more with each record |
//! | 24 | 32 | SHA-256 of the bytes 0 to 23 and the payload |
//! | 56 | | payload: the settings file as it is |

use ring::digest::{Context, SHA256};

/// How every record begins.
pub const MAGIC: [u8; 8] = *b"RCASTSET";
/// The version of this form.
pub const VERSION: u32 = 1;
/// The longest payload in bytes: the longest settings file.
pub const LIMIT: usize = robocast_config::LIMIT;
/// Bytes before the payload.
pub const HEAD: usize = 56;
/// Bytes from the start of one place to the next. More than a record needs: on an SD card, a write that is cut off can spoil
/// what shares its erase block.
pub const PLACE: u64 = 1 << 20;
/// How many places there are.
pub const PLACES: usize = 2;

/// A whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRecord {
    /// Counts up with each record that is written.
    pub sequence: u64,
    /// The settings file.
    pub payload: Vec<u8>,
}

/// The contents of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRecord {
    /// Nothing of ours.
    Nothing,
    /// The beginning of a record that is not whole, or of a form that this version does not know.
    Broken,
    /// A record.
    Whole(BackupRecord),
}

impl StoredRecord {
    fn record(&self) -> Option<&BackupRecord> {
        match self {
            Self::Whole(record) => Some(record),
            Self::Nothing | Self::Broken => None,
        }
    }
}

/// The bytes of a record. None when the payload is longer than [`LIMIT`].
#[must_use]
pub fn encode(record: &BackupRecord) -> Option<Vec<u8>> {
    let length = u32::try_from(record.payload.len()).ok().filter(|_| record.payload.len() <= LIMIT)?;
    let mut bytes = Vec::with_capacity(HEAD + record.payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&record.sequence.to_le_bytes());
    let sum = sum(&bytes, &record.payload);
    bytes.extend_from_slice(&sum);
    bytes.extend_from_slice(&record.payload);
    Some(bytes)
}

/// Reads a place's bytes, whatever they are.
#[must_use]
pub fn decode(bytes: &[u8]) -> StoredRecord {
    if !bytes.starts_with(&MAGIC) {
        return StoredRecord::Nothing;
    }
    whole(bytes).map_or(StoredRecord::Broken, StoredRecord::Whole)
}

fn whole(bytes: &[u8]) -> Option<BackupRecord> {
    let (head, rest) = bytes.split_at_checked(24)?;
    let (expected, rest) = rest.split_at_checked(32)?;
    let version = u32::from_le_bytes(head.get(8..12)?.try_into().ok()?);
    let length = usize::try_from(u32::from_le_bytes(head.get(12..16)?.try_into().ok()?)).ok()?;
    let sequence = u64::from_le_bytes(head.get(16..24)?.try_into().ok()?);
    if version != VERSION || length > LIMIT {
        return None;
    }
    let payload = rest.get(..length)?;
    (sum(head, payload) == expected).then(|| BackupRecord { sequence, payload: payload.to_vec() })
}

fn sum(head: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(head);
    context.update(payload);
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// The whole records, the newest first.
#[must_use]
pub fn newest_first(found: &[StoredRecord; PLACES]) -> Vec<&BackupRecord> {
    let mut records: Vec<_> = found.iter().filter_map(StoredRecord::record).collect();
    if let [a, b] = records[..]
        && newer(b, a)
    {
        records.reverse();
    }
    records
}

/// Whether `a` was written after `b`. Numbers may overflow.
fn newer(a: &BackupRecord, b: &BackupRecord) -> bool {
    a.sequence.wrapping_sub(b.sequence).wrapping_sub(1) < u64::MAX / 2
}

/// The place of the next record, and its number: never over the newest whole one.
#[must_use]
pub fn next_place(found: &[StoredRecord; PLACES]) -> (usize, u64) {
    match newest_first(found).first() {
        None => (0, 1),
        Some(newest) => {
            let first = found[0].record().is_some_and(|record| record == *newest);
            (usize::from(first), newest.sequence.wrapping_add(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(sequence: u64, payload: &[u8]) -> BackupRecord {
        BackupRecord { sequence, payload: payload.to_vec() }
    }

    fn whole(sequence: u64) -> StoredRecord {
        StoredRecord::Whole(record(sequence, b"x"))
    }

    #[test]
    fn the_next_record_never_goes_over_the_newest() {
        use StoredRecord::{Broken, Nothing};
        for (found, place, sequence) in [
            ([Nothing, Nothing], 0, 1),
            ([Broken, Nothing], 0, 1),
            ([whole(1), Nothing], 1, 2),
            ([whole(1), Broken], 1, 2),
            ([Broken, whole(7)], 0, 8),
            ([whole(3), whole(2)], 1, 4),
            ([whole(3), whole(4)], 0, 5),
            ([whole(u64::MAX), whole(0)], 0, 1),
            ([whole(u64::MAX), whole(u64::MAX - 1)], 1, 0),
        ] {
            assert_eq!(next_place(&found), (place, sequence), "{found:?}");
        }
    }

    #[test]
    fn a_payload_longer_than_a_settings_file_is_refused() {
        assert!(encode(&record(1, &vec![b'x'; LIMIT])).is_some());
        assert_eq!(encode(&record(1, &vec![b'x'; LIMIT + 1])), None);
        assert!((HEAD + LIMIT) as u64 <= PLACE);
    }

    #[test]
    fn the_form_is_the_one_written_down() {
        let mut bytes = encode(&record(0x0102, b"abc")).unwrap();
        assert_eq!(bytes[..24], *b"RCASTSET\x01\0\0\0\x03\0\0\0\x02\x01\0\0\0\0\0\0");
        assert_eq!(&bytes[HEAD..], b"abc");
        // A whole record of a later version is not read as if it were ours.
        bytes[8] = 2;
        let later = sum(&bytes[..24], b"abc");
        bytes[24..HEAD].copy_from_slice(&later);
        assert_eq!(decode(&bytes), StoredRecord::Broken);
        assert_eq!(decode(b"U-Boot"), StoredRecord::Nothing);
        assert_eq!(decode(&[0; 4096]), StoredRecord::Nothing);
    }

    /// What a card may hold after a cut: any subset of the new sectors, over the old ones.
    fn torn(old: &[u8], new: &[u8], kept: &[bool]) -> Vec<u8> {
        let mut bytes = old.to_vec();
        bytes.resize(old.len().max(new.len()), 0);
        for (number, sector) in new.chunks(512).enumerate() {
            if kept[number % kept.len()] {
                bytes[number * 512..number * 512 + sector.len()].copy_from_slice(sector);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            sequence: u64,
            payload in proptest::collection::vec(any::<u8>(), 0..2000),
            behind in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let record = BackupRecord { sequence, payload };
            let mut bytes = encode(&record).unwrap();
            bytes.extend(behind);
            prop_assert_eq!(decode(&bytes), StoredRecord::Whole(record));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), length: u32) {
            let _ = decode(&bytes);
            let mut ours = [&MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes(), &bytes].concat();
            prop_assert_eq!(decode(&ours), StoredRecord::Broken);
            ours.truncate(ours.len() / 2);
            let _ = decode(&ours);
        }

        #[test]
        fn a_changed_byte_is_seen(payload in proptest::collection::vec(any::<u8>(), 0..600), at: usize, flip in 1u8..) {
            let mut bytes = encode(&record(5, &payload)).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(!matches!(decode(&bytes), StoredRecord::Whole(_)), "byte {}", at);
        }

        #[test]
        fn a_write_cut_off_anywhere_leaves_the_new_or_the_last_record(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 2..6),
            kept in proptest::collection::vec(any::<bool>(), 1..8),
        ) {
            let mut places: [Vec<u8>; PLACES] = Default::default();
            let look = |places: &[Vec<u8>; PLACES]| [decode(&places[0]), decode(&places[1])];
            let (last, before) = payloads.split_last().unwrap();
            for payload in before {
                let (place, sequence) = next_place(&look(&places));
                places[place] = torn(&places[place], &encode(&record(sequence, payload)).unwrap(), &[true]);
                let found = look(&places);
                prop_assert_eq!(&newest_first(&found)[0].payload, payload);
            }
            let (place, sequence) = next_place(&look(&places));
            places[place] = torn(&places[place], &encode(&record(sequence, last)).unwrap(), &kept);
            let found = look(&places);
            let newest = &newest_first(&found)[0].payload;
            prop_assert!(newest == last || Some(newest) == before.last(), "neither is there");
        }
    }
}
