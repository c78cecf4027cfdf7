//! One time axis for both processes: nanoseconds of `CLOCK_MONOTONIC`. GStreamer's system clock runs
//! on the same axis, so a pipeline's base time plus running time is a [`Stamp`].

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A point in time, in nanoseconds of `CLOCK_MONOTONIC`. The same in every process of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
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
