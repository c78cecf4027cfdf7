//! One time axis for both processes: nanoseconds of `CLOCK_MONOTONIC`. GStreamer's system clock runs
//! on the same axis, so a pipeline's base time plus running time is a [`MonoTime`].

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A point in time, in nanoseconds of `CLOCK_MONOTONIC`. The same in every process of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// Now.
    #[must_use]
    #[cfg(not(feature = "test-util"))]
    pub fn now() -> Self {
        Self::of_the_machine()
    }

    /// Now, by Tokio's clock: that is the machine's, unless a test has paused it.
    #[must_use]
    #[cfg(feature = "test-util")]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        use std::time::Instant;
        static BEGAN: OnceLock<(MonoTime, Instant)> = OnceLock::new();
        let (stamp, began) = *BEGAN.get_or_init(|| (Self::of_the_machine(), Instant::now()));
        let now = tokio::time::Instant::now().into_std();
        // Each test has a clock of its own: it may be earlier than the first that was read.
        let before = u64::try_from(began.saturating_duration_since(now).as_nanos()).unwrap_or(u64::MAX);
        Self(stamp.plus(now.saturating_duration_since(began)).0.saturating_sub(before))
    }

    fn of_the_machine() -> Self {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on Linux");
        let nanos = Duration::from(now).as_nanos();
        Self(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The time from `earlier` to this, zero when it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This, moved by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}
