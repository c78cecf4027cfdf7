//! What is known of one uplink: evidence from the streams, then probes, then the link itself. Pure; times are since any start.

use std::time::Duration;

/// What a connection of push's shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The interface that it is bound to.
    pub interface: String,
    /// Whether data is on its way that nobody acknowledges for too long.
    pub stalled: bool,
    /// For how long nothing was acknowledged.
    pub stalled_ms: u64,
    /// The smoothed round trip; none before there was one.
    pub rtt_ms: Option<u64>,
    /// Whether MPTCP carries it: then the kernel changes the way by itself.
    pub mptcp: bool,
}

/// What a probe showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Through which interface.
    pub interface: String,
    /// The round trip, or what is wrong, in words.
    pub result: Result<Duration, String>,
}

/// Evidence that is older than this says nothing any more.
const FRESH: Duration = Duration::from_secs(3);
/// A probe counts longer: it is made anew every few seconds only.
const PROBE_COUNTS: Duration = Duration::from_secs(90);

/// What is known of an uplink.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Whether it is up and has an address.
    pub usable: bool,
    /// The last sign of the streams: when, and whether they stood still.
    flow: Option<(Duration, bool)>,
    /// The last probe: when, and what was wrong.
    probe: Option<(Duration, Result<(), String>)>,
    /// Since when every sign was a good one.
    good_since: Option<Duration>,
}

/// How good an uplink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It is down.
    Down,
    /// It is up, but nothing comes through.
    Bad,
    /// It is up; nobody has tried.
    Unknown,
    /// Something came through a moment ago.
    Good,
}

impl Knowledge {
    /// The link came or went. What was known of it before it went is gone with it.
    pub fn link(&mut self, usable: bool) {
        if self.usable != usable {
            *self = Self { usable, ..Self::default() };
        }
    }

    /// The streams showed something.
    pub fn flow(&mut self, now: Duration, stalled: bool) {
        self.flow = Some((now, stalled));
        self.sign(now, !stalled);
        // A probe before this that says the opposite is outdated.
        self.probe.take_if(|(_, result)| result.is_ok() == stalled);
    }

    /// A probe came back.
    pub fn probed(&mut self, now: Duration, result: &Result<Duration, String>) {
        self.sign(now, result.is_ok());
        self.probe = Some((now, result.clone().map(|_| ())));
        if result.is_ok() {
            // Newer than a stall: the way is free again.
            self.flow = self.flow.filter(|(_, stalled)| !stalled);
        }
    }

    fn sign(&mut self, now: Duration, good: bool) {
        self.good_since = if good { self.good_since.or(Some(now)) } else { None };
    }

    /// How good it is now.
    #[must_use]
    pub fn grade(&self, now: Duration) -> Grade {
        let within = |at: Duration, limit: Duration| now.saturating_sub(at) <= limit;
        if !self.usable {
            return Grade::Down;
        }
        match (&self.flow, &self.probe) {
            (Some((at, false)), _) if within(*at, FRESH) => Grade::Good,
            // A stall stands until something shows the opposite: with nothing sent there, nothing else could.
            (Some((at, true)), _) if within(*at, PROBE_COUNTS) => Grade::Bad,
            (_, Some((at, result))) if within(*at, PROBE_COUNTS) => {
                if result.is_ok() {
                    Grade::Good
                } else {
                    Grade::Bad
                }
            }
            _ => Grade::Unknown,
        }
    }

    /// For how long each sign was a good one.
    #[must_use]
    pub fn good_for(&self, now: Duration) -> Duration {
        self.good_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Whether the streams tell of it, so that it needs no probe.
    #[must_use]
    pub fn flows(&self, now: Duration) -> bool {
        matches!(self.flow, Some((at, false)) if now.saturating_sub(at) <= FRESH)
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn why(&self, now: Duration) -> String {
        match (self.grade(now), &self.flow, &self.probe) {
            (Grade::Down, ..) => "it is down".into(),
            (Grade::Bad, Some((_, true)), _) => "the stream stood still".into(),
            (Grade::Bad, _, Some((_, Err(why)))) => why.clone(),
            (Grade::Bad, ..) => "nothing comes through".into(),
            (Grade::Unknown, ..) => "it is up, and not tried yet".into(),
            (Grade::Good, ..) => "it works".into(),
        }
    }
}
