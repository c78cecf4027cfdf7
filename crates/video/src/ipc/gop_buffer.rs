//! The units that readers may still want: the latest group of pictures, and as much before it as a
//! reader may lag. Pure: time is what the units carry.

use crate::h264::AccessUnit;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far a reader may lag behind the newest unit before it is cut to a newer keyframe.
    pub lag: Duration,
    /// The most bytes kept. A group of pictures larger than this loses its start, and new readers
    /// wait for the next keyframe.
    pub bytes: usize,
}

/// The buffer of one stream. Units are numbered from 0 on, without gaps.
#[derive(Debug)]
pub(super) struct GopBuffer {
    limits: Limits,
    units: VecDeque<Arc<AccessUnit>>,
    /// The number of the oldest unit kept.
    first: u64,
    /// The number of the latest keyframe, while it is kept.
    keyframe: Option<u64>,
    bytes: usize,
}

/// The position of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Waits for a keyframe numbered at least this.
    Keyframe(u64),
    /// The next unit wanted.
    At(u64),
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The next unit; `skipped` units before it were lost to this reader.
    Unit {
        /// The unit.
        unit: Arc<AccessUnit>,
        /// How many units this reader missed since the one before.
        skipped: u64,
    },
    /// Nothing new yet.
    Nothing,
}

impl GopBuffer {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, units: VecDeque::new(), first: 0, keyframe: None, bytes: 0 }
    }

    /// The number the next unit will get.
    pub(super) fn end(&self) -> u64 {
        self.first + self.units.len() as u64
    }

    pub(super) fn push(&mut self, unit: AccessUnit) {
        if unit.keyframe {
            self.keyframe = Some(self.end());
        }
        self.bytes += unit.data.len();
        let newest = unit.arrived;
        self.units.push_back(Arc::new(unit));
        while self.units.len() > 1 {
            let Some(oldest) = self.units.front() else { break };
            let in_latest_group = self.keyframe.is_none_or(|key| self.first >= key);
            let within_lag = newest.since(oldest.arrived) <= self.limits.lag;
            if self.bytes <= self.limits.bytes && (in_latest_group || within_lag) {
                break;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(gone) = self.units.pop_front() {
            self.bytes -= gone.data.len();
            if self.keyframe == Some(self.first) {
                self.keyframe = None;
            }
            self.first += 1;
        }
    }

    /// Forgets everything: the next unit does not continue the old ones. Readers that have not
    /// taken the old units yet lose them.
    pub(super) fn clear(&mut self) {
        self.first = self.end();
        self.units.clear();
        self.bytes = 0;
        self.keyframe = None;
    }

    fn get(&self, number: u64) -> Option<&Arc<AccessUnit>> {
        self.units.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Moves `cursor` to the next unit it may have, and hands that out.
    pub(super) fn take(&self, cursor: &mut Cursor) -> Next {
        let next = self.next_for(*cursor);
        match next.and_then(|number| self.get(number).map(|unit| (number, unit.clone()))) {
            Some((number, unit)) => {
                let skipped = match *cursor {
                    Cursor::Keyframe(_) => 0,
                    Cursor::At(wanted) => number - wanted,
                };
                *cursor = Cursor::At(number + 1);
                Next::Unit { unit, skipped }
            }
            None => Next::Nothing,
        }
    }

    /// The number of the unit that a reader at `cursor` gets next.
    fn next_for(&self, cursor: Cursor) -> Option<u64> {
        match cursor {
            Cursor::Keyframe(from) => self.keyframe.filter(|&key| key >= from),
            // Its place is gone: only a keyframe helps.
            Cursor::At(wanted) if wanted < self.first => self.keyframe,
            Cursor::At(wanted) => match self.keyframe {
                Some(key) if key > wanted && self.lags(wanted) => Some(key),
                _ => Some(wanted),
            },
        }
    }

    fn lags(&self, wanted: u64) -> bool {
        match (self.get(wanted), self.units.back()) {
            (Some(unit), Some(newest)) => newest.arrived.since(unit.arrived) > self.limits.lag,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MonoTime;
    use bytes::Bytes;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { lag: Duration::from_millis(1000), bytes: 10_000 };

    fn unit(ms: u64, keyframe: bool, bytes: usize) -> AccessUnit {
        let at = MonoTime(ms * 1_000_000);
        AccessUnit { data: Bytes::from(vec![0; bytes]), pts: at, dts: at, arrived: at, keyframe }
    }

    fn filled(keyframes: &[u64], count: u64) -> GopBuffer {
        let mut buffer = GopBuffer::new(LIMITS);
        for n in 0..count {
            buffer.push(unit(n * 40, keyframes.contains(&n), 10));
        }
        buffer
    }

    fn number(buffer: &GopBuffer, cursor: &mut Cursor) -> Option<(u64, u64)> {
        match buffer.take(cursor) {
            Next::Unit { unit, skipped } => Some((unit.pts.0 / 40_000_000, skipped)),
            Next::Nothing => None,
        }
    }

    #[test]
    fn a_new_reader_starts_at_the_latest_keyframe() {
        let buffer = filled(&[0, 50, 100], 110);
        let mut cursor = Cursor::Keyframe(0);
        assert_eq!(number(&buffer, &mut cursor), Some((100, 0)));
        assert_eq!(number(&buffer, &mut cursor), Some((101, 0)));
    }

    #[test]
    fn without_a_keyframe_a_new_reader_gets_nothing() {
        assert_eq!(number(&filled(&[], 20), &mut Cursor::Keyframe(0)), None);
    }

    #[test]
    fn a_reader_a_little_behind_a_new_keyframe_loses_nothing() {
        let buffer = filled(&[0, 100], 110);
        let mut cursor = Cursor::At(95);
        for n in 95..110 {
            assert_eq!(number(&buffer, &mut cursor), Some((n, 0)));
        }
        assert_eq!(number(&buffer, &mut cursor), None);
    }

    #[test]
    fn a_reader_far_behind_is_cut_to_the_latest_keyframe_and_learns_what_it_lost() {
        let buffer = filled(&[0, 100], 130);
        assert_eq!(number(&buffer, &mut Cursor::At(60)), Some((100, 40)));
    }

    #[test]
    fn a_reader_far_behind_within_one_group_reads_on_since_there_is_nothing_newer_to_start_from() {
        let buffer = filled(&[0], 100);
        assert_eq!(number(&buffer, &mut Cursor::At(10)), Some((10, 0)));
    }

    #[test]
    fn a_group_larger_than_the_limit_makes_readers_wait_for_the_next_keyframe() {
        let mut buffer = GopBuffer::new(LIMITS);
        buffer.push(unit(0, true, 6_000));
        buffer.push(unit(40, false, 6_000));
        let mut slow = Cursor::At(0);
        assert_eq!(buffer.take(&mut Cursor::Keyframe(0)), Next::Nothing);
        assert_eq!(buffer.take(&mut slow), Next::Nothing);
        buffer.push(unit(80, true, 10));
        assert_eq!(number(&buffer, &mut slow), Some((2, 2)));
    }

    #[test]
    fn after_clear_nobody_gets_the_old_units() {
        let mut buffer = filled(&[0], 10);
        let mut cursor = Cursor::At(5);
        buffer.clear();
        assert_eq!(number(&buffer, &mut cursor), None);
        assert_eq!(number(&buffer, &mut Cursor::Keyframe(0)), None);
        buffer.push(unit(400, true, 10));
        assert_eq!(number(&buffer, &mut cursor), Some((10, 5)));
    }

    proptest! {
        /// Whatever the reader's pace: units come in order, never twice, a gap always ends at a
        /// keyframe, what is skipped is counted, and memory stays bounded.
        #[test]
        fn a_reader_at_any_pace_gets_a_decodable_stream(
            steps in prop::collection::vec((any::<bool>(), 0u8..12, 1usize..2000, 1u64..400), 1..200)
        ) {
            let mut buffer = GopBuffer::new(LIMITS);
            let mut cursor = Cursor::Keyframe(0);
            let (mut ms, mut expected) = (0u64, None::<u64>);
            let mut numbers = std::collections::HashMap::new();
            for (keyframe, reads, bytes, gap) in steps {
                ms += gap;
                numbers.insert(ms, buffer.end());
                buffer.push(unit(ms, keyframe, bytes));
                prop_assert!(buffer.bytes <= LIMITS.bytes || buffer.units.len() == 1);
                for _ in 0..reads {
                    let Next::Unit { unit, skipped } = buffer.take(&mut cursor) else { break };
                    let number = numbers[&(unit.pts.0 / 1_000_000)];
                    match expected {
                        None => prop_assert!(unit.keyframe),
                        Some(expected) => {
                            prop_assert_eq!(number, expected + skipped);
                            prop_assert!(skipped == 0 || unit.keyframe);
                        }
                    }
                    expected = Some(number + 1);
                }
            }
        }
    }
}
