//! The health of one uplink: evidence of the streams outranks probes, probes outrank the link's state. Pure; times are counted
//! from any fixed start.

use crate::uplink::probe_outcome::ProbeError;
use robocast_daemon::journal;
use std::fmt;
use std::time::Duration;

/// How long evidence of a stream counts.
const TRAFFIC_COUNTS: Duration = Duration::from_secs(3);
/// A probe counts longer: it is repeated only every few seconds.
const PROBE_COUNTS: Duration = Duration::from_secs(90);

/// The known state of an uplink.
#[derive(Clone, Debug, Default)]
pub struct UplinkHealth {
    /// Whether it is up and has an address.
    pub usable: bool,
    /// The last evidence of the streams: when, and whether they were stalled.
    traffic: Option<(Duration, bool)>,
    /// The last probe: when, and its result.
    probe: Option<(Duration, Result<(), ProbeError>)>,
    /// Since when all evidence has been good.
    good_since: Option<Duration>,
}

/// How good an uplink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// It is down.
    Down,
    /// It is up, but nothing gets through.
    Bad,
    /// It is up; nothing has been sent through it yet.
    Unknown,
    /// Something got through a moment ago.
    Good,
}

/// Why an uplink has its quality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthReason {
    /// Its link is down.
    Down,
    /// The streams through it stalled.
    Stalled,
    /// A probe failed.
    ProbeFailed(ProbeError),
    /// There is no recent evidence.
    Untested,
    /// Traffic or a probe got through.
    Works,
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it is down"),
            Self::Stalled => f.write_str("the stream stalled"),
            Self::ProbeFailed(error) => f.write_str(&journal::chain(error)),
            Self::Untested => f.write_str("it is up, and not tested yet"),
            Self::Works => f.write_str("it works"),
        }
    }
}

impl UplinkHealth {
    /// Records the link's state. A change invalidates all earlier evidence.
    pub fn set_usable(&mut self, usable: bool) {
        if self.usable != usable {
            *self = Self { usable, ..Self::default() };
        }
    }

    /// Records evidence of the streams.
    pub fn on_traffic(&mut self, now: Duration, stalled: bool) {
        self.traffic = Some((now, stalled));
        self.record(now, !stalled);
        // An earlier probe with the opposite result is outdated.
        self.probe.take_if(|(_, result)| result.is_ok() == stalled);
    }

    /// Records a probe.
    pub fn on_probe(&mut self, now: Duration, result: Result<(), ProbeError>) {
        self.record(now, result.is_ok());
        if result.is_ok() {
            // It is newer than the stall, which is over.
            self.traffic = self.traffic.filter(|(_, stalled)| !stalled);
        }
        self.probe = Some((now, result));
    }

    fn record(&mut self, now: Duration, good: bool) {
        self.good_since = if good { self.good_since.or(Some(now)) } else { None };
    }

    /// Its quality now, and why.
    #[must_use]
    pub fn assess(&self, now: Duration) -> (Quality, HealthReason) {
        let within = |at: Duration, limit: Duration| now.saturating_sub(at) <= limit;
        if !self.usable {
            return (Quality::Down, HealthReason::Down);
        }
        match (&self.traffic, &self.probe) {
            (Some((at, false)), _) if within(*at, TRAFFIC_COUNTS) => (Quality::Good, HealthReason::Works),
            // A stall counts until there is evidence of the opposite: with nothing sent there, there could be none.
            (Some((at, true)), _) if within(*at, PROBE_COUNTS) => (Quality::Bad, HealthReason::Stalled),
            (_, Some((at, result))) if within(*at, PROBE_COUNTS) => match result {
                Ok(()) => (Quality::Good, HealthReason::Works),
                Err(error) => (Quality::Bad, HealthReason::ProbeFailed(error.clone())),
            },
            _ => (Quality::Unknown, HealthReason::Untested),
        }
    }

    /// Its quality now.
    #[must_use]
    pub fn quality(&self, now: Duration) -> Quality {
        self.assess(now).0
    }

    /// For how long all evidence has been good.
    #[must_use]
    pub fn good_for(&self, now: Duration) -> Duration {
        self.good_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Whether recent traffic shows its state, so that it needs no probe.
    #[must_use]
    pub fn has_traffic(&self, now: Duration) -> bool {
        matches!(self.traffic, Some((at, false)) if now.saturating_sub(at) <= TRAFFIC_COUNTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn newer_evidence_counts_and_old_evidence_expires() {
        let mut health = UplinkHealth::default();
        assert_eq!(health.assess(s(0)), (Quality::Down, HealthReason::Down));
        health.set_usable(true);
        assert_eq!(health.assess(s(0)), (Quality::Unknown, HealthReason::Untested));
        health.on_probe(s(1), Err(ProbeError::NoAnswer));
        let failed = HealthReason::ProbeFailed(ProbeError::NoAnswer);
        assert_eq!(health.assess(s(91)), (Quality::Bad, failed));
        assert_eq!(health.quality(s(92)), Quality::Unknown);
        health.on_traffic(s(100), false);
        assert_eq!(health.assess(s(103)), (Quality::Good, HealthReason::Works));
        assert_eq!(health.quality(s(104)), Quality::Unknown, "the failed probe is void");
        health.on_traffic(s(105), true);
        assert_eq!(health.assess(s(195)), (Quality::Bad, HealthReason::Stalled));
        health.on_probe(s(196), Ok(()));
        assert_eq!(health.quality(s(197)), Quality::Good, "the stall is over");
        assert_eq!(health.good_for(s(200)), s(4));
        health.set_usable(false);
        health.set_usable(true);
        assert_eq!(health.quality(s(200)), Quality::Unknown, "another link, another history");
    }
}
