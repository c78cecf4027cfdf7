//! Decoding times for sources that only give presentation times, as RTP does.
//!
//! With pictures in display order the two are the same. Where pictures are reordered, the decoding times are the
//! presentation times in sorted order, delayed by as many pictures as may be reordered.

use robocast_video::clock::MonoTime;

/// The deepest reordering that H.264 allows (its DPB holds 16 frames).
const DEEPEST: usize = 16;

/// Finds decoding times for one source.
#[derive(Debug, Default)]
pub struct DecodeTimes {
    depth: usize,
    /// Presentation times not given out yet, sorted.
    pending: Vec<MonoTime>,
    last: Option<MonoTime>,
}

impl DecodeTimes {
    /// The stream says that up to `depth` pictures may precede pictures that are shown earlier.
    pub fn declare_reordering(&mut self, depth: usize) {
        self.depth = self.depth.max(depth.min(DEEPEST));
    }

    /// Gives the next picture in coding order, which has the presentation time `pts`, its decoding and presentation
    /// time. Decoding times rise strictly and are never later than the presentation time.
    pub fn assign_times(&mut self, pts: MonoTime) -> (MonoTime, MonoTime) {
        let at = self.pending.partition_point(|&earlier| earlier <= pts);
        self.pending.insert(at, pts);
        let wanted = if self.pending.len() > self.depth {
            self.pending.remove(0)
        } else {
            // At the start: as if the missing pictures had come a nanosecond apart before it.
            let missing = (self.depth + 1 - self.pending.len()) as u64;
            MonoTime(self.pending[0].0.saturating_sub(missing))
        };
        let dts = match self.last {
            Some(last) if wanted <= last => MonoTime(last.0 + 1),
            _ => wanted,
        };
        if pts < dts {
            // Deeper than declared: learn it, so that it happens once.
            self.depth = (self.depth + 1).min(DEEPEST);
        }
        self.last = Some(dts);
        (dts, pts.max(dts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(times: &mut DecodeTimes, pts: &[u64]) -> Vec<(u64, u64)> {
        pts.iter().map(|&pts| times.assign_times(MonoTime(pts))).map(|(dts, pts)| (dts.0, pts.0)).collect()
    }

    #[test]
    fn in_display_order_both_times_are_the_same() {
        let out = run(&mut DecodeTimes::default(), &[1000, 2000, 3000]);
        assert_eq!(out, [(1000, 1000), (2000, 2000), (3000, 3000)]);
    }

    #[test]
    fn one_b_picture_delays_decoding_times_by_one() {
        let mut times = DecodeTimes::default();
        times.declare_reordering(1);
        let out = run(&mut times, &[1000, 3000, 2000, 5000, 4000]);
        assert_eq!(out, [(999, 1000), (1000, 3000), (2000, 2000), (3000, 5000), (4000, 4000)]);
    }

    proptest! {
        #[test]
        fn decoding_times_rise_and_never_exceed_presentation(pts in prop::collection::vec(0u64..1_000_000, 1..100), depth in 0usize..5) {
            let mut times = DecodeTimes::default();
            times.declare_reordering(depth);
            let mut last = None;
            for (dts, pts) in run(&mut times, &pts) {
                prop_assert!(dts <= pts);
                prop_assert!(last.is_none_or(|last| last < dts));
                last = Some(dts);
            }
        }
    }
}
