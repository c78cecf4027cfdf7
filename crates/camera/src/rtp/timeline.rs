//! Maps RTP timestamps to the machine's clock.
//!
//! The robot's clock and ours run at slightly different rates, and the network adds delay that is
//! never negative: the fastest packets show the true offset. The offset therefore follows early
//! packets at once and late ones very slowly.

use robocast_video::clock::MonoTime;
use std::time::Duration;

/// An offset that is wrong by more than this is a jump of the sender's clock.
const JUMP: Duration = Duration::from_secs(1);
/// How slowly the offset follows late packets: this share of the difference at each picture. At 30
/// pictures a second a clock that is 100 ppm slow is followed with an error of 0.8 ms.
const LEAK: i128 = 256;

/// Maps the timestamps of one sender.
#[derive(Debug)]
pub struct Timeline {
    rate: u32,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    timestamp: u32,
    /// The timestamp in ticks, extended so that it never wraps.
    ticks: i64,
    /// Nanoseconds to add to a time in ticks.
    offset: i128,
}

impl Timeline {
    /// A timeline for a clock of `rate` ticks a second.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self { rate, last: None }
    }

    /// Another sender begins.
    pub fn reset(&mut self) {
        self.last = None;
    }

    /// The point in time of a picture with `timestamp` that arrived at `arrived`; never later than that
    /// by more than the jump limit.
    pub fn map_timestamp(&mut self, timestamp: u32, arrived: MonoTime) -> MonoTime {
        let arrival = i128::from(arrived.0);
        let ticks = match &self.last {
            None => i64::from(timestamp),
            Some(last) => last.ticks + i64::from(timestamp.wrapping_sub(last.timestamp).cast_signed()),
        };
        let nanos = i128::from(ticks) * 1_000_000_000 / i128::from(self.rate);
        let mut offset = self.last.as_ref().map_or(arrival - nanos, |last| last.offset);
        let late = arrival - (nanos + offset);
        if late.unsigned_abs() > JUMP.as_nanos() {
            offset = arrival - nanos;
        } else if late < 0 {
            offset += late;
        } else {
            offset += late / LEAK;
        }
        self.last = Some(Last { timestamp, ticks, offset });
        MonoTime(u64::try_from(nanos + offset).unwrap_or(0))
    }
}
