//! Which bitrate is in force when several readers and an operator ask for different ones. Pure.

use robocast_config::{Bitrate, BitrateRange};
use robocast_video::ipc::{BitrateCapability, ReaderId};
use std::collections::BTreeMap;

/// The bitrates that readers request. The lowest is in force, within the range of the stream; without requests, the top
/// of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitrateArbiter {
    range: BitrateRange,
    /// The operator's ceiling, over D-Bus.
    ceiling: Option<Bitrate>,
    /// The last request of each reader.
    wishes: BTreeMap<ReaderId, Bitrate>,
}

impl BitrateArbiter {
    /// No requests yet.
    #[must_use]
    pub fn new(range: BitrateRange) -> Self {
        Self { range, ceiling: None, wishes: BTreeMap::new() }
    }

    /// The settings changed. They replace the operator's ceiling; the readers' requests still hold.
    pub fn set_range(&mut self, range: BitrateRange) {
        self.range = range;
        self.ceiling = None;
    }

    /// The operator allows no more than `ceiling`.
    pub fn set_ceiling(&mut self, ceiling: Bitrate) {
        self.ceiling = Some(ceiling);
    }

    /// `reader` asks for `bitrate`.
    pub fn set_wish(&mut self, reader: ReaderId, bitrate: Bitrate) {
        self.wishes.insert(reader, bitrate);
    }

    /// `reader` left, and its wish with it.
    pub fn forget_reader(&mut self, reader: ReaderId) {
        self.wishes.remove(&reader);
    }

    /// The bitrate in force.
    #[must_use]
    pub fn bitrate(&self) -> Bitrate {
        let asked = self.wishes.values().chain(&self.ceiling).min();
        asked.map_or(self.range.max, |&least| least.clamp(self.range.min, self.range.max))
    }

    /// What is shown to readers of a source whose bitrate can be changed.
    #[must_use]
    pub fn capability(&self) -> BitrateCapability {
        let BitrateRange { min, max } = self.range;
        BitrateCapability { min: min.bps(), max: max.bps(), now: self.bitrate().bps() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(min: u64, max: u64) -> BitrateRange {
        BitrateRange { min: Bitrate::from_bps(min), max: Bitrate::from_bps(max) }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wish(u64, u64),
        Left(u64),
        Ceiling(u64),
        Range(u64, u64),
    }

    fn take(arbiter: &mut BitrateArbiter, step: Step) {
        match step {
            Step::Wish(reader, bps) => arbiter.set_wish(ReaderId(reader), Bitrate::from_bps(bps)),
            Step::Left(reader) => arbiter.forget_reader(ReaderId(reader)),
            Step::Ceiling(bps) => arbiter.set_ceiling(Bitrate::from_bps(bps)),
            Step::Range(min, max) => arbiter.set_range(range(min, max)),
        }
    }

    #[test]
    fn the_least_that_anybody_asks_for_is_in_force_within_the_range() {
        use Step::{Ceiling, Left, Range, Wish};
        let cases: [(&[Step], u64); 14] = [
            (&[], 4000),
            (&[Wish(1, 1400)], 1400),
            (&[Wish(1, 1400), Wish(2, 900)], 900),
            (&[Wish(1, 900), Wish(2, 1400)], 900),
            // A reader's newest wish replaces its own only.
            (&[Wish(1, 900), Wish(1, 2000)], 2000),
            (&[Wish(1, 900), Wish(2, 1000), Wish(2, 3000)], 900),
            // A reader that leaves takes its request along.
            (&[Wish(1, 900), Wish(2, 1400), Left(1)], 1400),
            (&[Wish(1, 900), Left(1)], 4000),
            (&[Wish(1, 900), Left(2)], 900),
            // Beyond the range.
            (&[Wish(1, 1)], 300),
            (&[Wish(1, 9000)], 4000),
            // The operator only takes away.
            (&[Ceiling(1000), Wish(1, 2000)], 1000),
            (&[Ceiling(3000), Wish(1, 2000), Ceiling(9000)], 2000),
            // Other settings replace the ceiling, not the wishes.
            (&[Ceiling(500), Wish(1, 2500), Range(300, 2000)], 2000),
        ];
        for (steps, expected) in cases {
            let mut arbiter = BitrateArbiter::new(range(300, 4000));
            steps.iter().for_each(|&step| take(&mut arbiter, step));
            assert_eq!(arbiter.bitrate().bps(), expected, "{steps:?}");
        }
    }

    #[test]
    fn readers_learn_the_range_and_what_is_in_force() {
        let mut arbiter = BitrateArbiter::new(range(300, 4000));
        take(&mut arbiter, Step::Wish(1, 1400));
        assert_eq!(arbiter.capability(), BitrateCapability { min: 300, max: 4000, now: 1400 });
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..4, 0u64..10_000).prop_map(|(reader, bps)| Step::Wish(reader, bps)),
            (0u64..4).prop_map(Step::Left),
            (0u64..10_000).prop_map(Step::Ceiling),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_the_range_is_kept(steps in prop::collection::vec(step(), 0..30)) {
            let mut arbiter = BitrateArbiter::new(range(300, 4000));
            steps.iter().for_each(|&step| take(&mut arbiter, step));
            prop_assert!((300..=4000).contains(&arbiter.bitrate().bps()));
        }

        #[test]
        fn when_all_readers_have_left_only_the_ceiling_counts(steps in prop::collection::vec(step(), 0..30)) {
            let mut arbiter = BitrateArbiter::new(range(300, 4000));
            let mut alone = arbiter.clone();
            for step in steps {
                take(&mut arbiter, step);
                if let Step::Ceiling(_) = step { take(&mut alone, step); }
            }
            (0..4).for_each(|reader| arbiter.forget_reader(ReaderId(reader)));
            prop_assert_eq!(arbiter, alone);
        }
    }
}
