//! The rate at which bytes are sent.

use robocast_video::clock::MonoTime;
use std::collections::VecDeque;
use std::time::Duration;

/// The period that the rate covers.
const WINDOW: Duration = Duration::from_secs(1);
/// Bytes sent within this time are one entry, so that a burst needs no more memory than a second.
const CLOSE: Duration = Duration::from_millis(10);

/// The bytes of the last second. Reading the rate does not change it.
#[derive(Debug, Default)]
pub struct Rate {
    sent: VecDeque<(MonoTime, u64)>,
}

impl Rate {
    /// Adds bytes that were sent.
    pub fn add(&mut self, now: MonoTime, bytes: u64) {
        self.forget(now);
        match self.sent.back_mut() {
            Some((at, sum)) if now.since(*at) < CLOSE => *sum += bytes,
            _ => self.sent.push_back((now, bytes)),
        }
    }

    /// Bit/s over the last second.
    pub fn bps(&mut self, now: MonoTime) -> u64 {
        self.forget(now);
        self.sent.iter().map(|(_, bytes)| bytes * 8).sum()
    }

    fn forget(&mut self, now: MonoTime) {
        while self.sent.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    #[test]
    fn the_rate_is_that_of_the_last_second_whenever_it_is_read() {
        let mut rate = Rate::default();
        assert_eq!(rate.bps(ms(0)), 0, "nothing was sent yet");
        for frame in 0..100 {
            let now = ms(1000 + frame * 40);
            rate.add(now, 5000);
            let seen = rate.bps(now);
            assert_eq!(rate.bps(now), seen, "reading does not change it");
            if frame >= 25 {
                assert_eq!(seen, 1_000_000, "25 frames of 5000 bytes at {frame}");
            }
        }
        assert_eq!(rate.bps(ms(5460)), 520_000, "13 frames in the last second: none in half of it");
        assert_eq!(rate.bps(ms(5960)), 0, "a second without a frame");
    }

    #[test]
    fn a_burst_is_counted_completely_and_needs_little_memory() {
        let mut rate = Rate::default();
        for nanosecond in 0..10_000 {
            rate.add(MonoTime(nanosecond * 90_000), 100);
        }
        assert_eq!(rate.bps(ms(900)), 8_000_000);
        assert!(rate.sent.len() <= 100, "{} entries", rate.sent.len());
    }
}
