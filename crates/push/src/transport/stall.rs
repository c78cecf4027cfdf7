//! Detects stalls. Pure: the samples carry the time.
//!
//! A path stalls if something was sent and the other end has been silent since, for longer than on a path that only loses
//! packets. On a lossy path TCP retransmits after a timeout (RFC 6298) of RTT + max(200 ms, 4 RTTVAR), then after twice
//! that; an answer takes one more RTT. So a stall is reported only after two retransmissions in a row could have been
//! answered: 3 timeouts and 1 RTT.

use robocast_video::clock::MonoTime;
use std::time::Duration;

/// No stall is reported sooner.
const LEAST: Duration = Duration::from_millis(700);
/// ... or later: the kernel itself gives up at about this time (`TCP_USER_TIMEOUT`).
const MOST: Duration = Duration::from_secs(5);
/// Linux's minimum for the variance part of a retransmission timeout.
const LEAST_VARIANCE: Duration = Duration::from_millis(200);

/// The state of a path at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The time of the sample.
    pub at: MonoTime,
    /// Whether something that was sent is not acknowledged yet.
    pub outstanding: bool,
    /// How much was acknowledged; every change is a sign of life.
    pub acknowledged: u64,
    /// How long ago the other end last acknowledged anything, even out of order, if that is known.
    pub silent: Option<Duration>,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// Its variance.
    pub rttvar: Duration,
}

/// The stall detector of one path, from sample to sample.
#[derive(Debug, Clone, Copy, Default)]
pub struct Detector {
    /// The last sign of life, and how much was acknowledged by then.
    alive: Option<(MonoTime, u64)>,
}

impl Detector {
    /// Adds a sample. Returns how long nothing has come through, if that is a stall.
    pub fn observe(&mut self, sample: &Sample) -> Option<Duration> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let heard = sample.silent.map_or(0, |silent| sample.at.0.saturating_sub(nanos(silent)));
        let since = match self.alive {
            Some((since, acknowledged)) if sample.outstanding && acknowledged == sample.acknowledged => {
                since.max(MonoTime(heard))
            }
            _ => sample.at,
        };
        self.alive = Some((since, sample.acknowledged));
        Some(sample.at.since(since)).filter(|&silence| silence >= patience(sample.rtt, sample.rttvar))
    }
}

/// How long a path with this round-trip time may be silent.
#[must_use]
pub fn patience(rtt: Duration, rttvar: Duration) -> Duration {
    let timeout = rtt + (rttvar * 4).max(LEAST_VARIANCE);
    (timeout * 3 + rtt).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests;
