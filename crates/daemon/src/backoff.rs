//! How long to wait before the next try: at once, then doubling up to a cap, with jitter so that a
//! fleet of boxes does not knock on a server in step.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// A capped exponential backoff with jitter.
///
/// The first wait after [`Backoff::reset`] is zero. Each later one is between half of its step and the full step; steps
/// double from `first` to `cap`.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
    noise: u64,
}

impl Backoff {
    /// A backoff whose steps grow from `first` to `cap`.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        Self::with_seed(first, cap, seed)
    }

    /// The same with a fixed seed, so that its waits can be foretold.
    #[must_use]
    pub fn with_seed(first: Duration, cap: Duration, seed: u64) -> Self {
        Self { first, cap, tries: 0, noise: seed | 1 }
    }

    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let step = match self.tries {
            0 => Duration::ZERO,
            n => self.first.saturating_mul(1 << (n - 1).min(20)).min(self.cap),
        };
        self.tries = self.tries.saturating_add(1);
        // xorshift64: good enough to spread waits, and it needs no dependency.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        let share = f64::from(u32::try_from(self.noise >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        step.mul_f64(0.5 + share / 2.0)
    }

    /// It worked: the next try is made at once again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Tries made since the last success.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_try_is_made_at_once() {
        let mut backoff = Backoff::new(FIRST, CAP);
        assert_eq!(backoff.next_wait(), Duration::ZERO);
        assert!(backoff.next_wait() >= FIRST / 2);
        backoff.reset();
        assert_eq!(backoff.next_wait(), Duration::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn waits_grow_to_the_cap_and_stay_within_their_step(seed: u64, tries in 1usize..100) {
            let mut backoff = Backoff::with_seed(FIRST, CAP, seed);
            backoff.next_wait();
            for n in 0..tries {
                let step = FIRST.saturating_mul(1 << n.min(20)).min(CAP);
                let wait = backoff.next_wait();
                proptest::prop_assert!(wait >= step / 2 && wait <= step, "{wait:?} is outside {step:?}");
            }
        }

        #[test]
        fn two_boxes_do_not_knock_in_step(a: u64, b: u64) {
            proptest::prop_assume!(a | 1 != b | 1);
            let waits = |seed| {
                let mut backoff = Backoff::with_seed(FIRST, CAP, seed);
                (0..8).map(|_| backoff.next_wait()).collect::<Vec<_>>()
            };
            proptest::prop_assert_ne!(waits(a), waits(b));
        }
    }
}
