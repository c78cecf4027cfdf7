//! How long to wait before the next try, after what went wrong. Pure but for the jitter.

use super::error::SinkErrorKind;
use robocast_bus::SinkState;
use robocast_daemon::backoff::Backoff;
use std::time::Duration;
use tokio::time::Instant;

/// A server that is away is asked again within this.
const AWAY: Duration = Duration::from_millis(800);
/// A server that said no is asked again within this.
const REFUSED: Duration = Duration::from_secs(30);
/// A server that still has our earlier session is asked again within this ...
const BUSY: Duration = Duration::from_secs(1);
/// ... for so long. A name that is taken after that is not taken by a session of ours whose connection is gone.
const BUSY_FOR: Duration = Duration::from_secs(15);

/// The tries since a session last worked.
#[derive(Debug)]
pub struct RetryPolicy {
    away: Backoff,
    refused: Backoff,
    busy: Backoff,
    busy_since: Option<Instant>,
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTry {
    /// How the sink is until then.
    pub state: SinkState,
    /// How long to wait.
    pub wait: Duration,
    /// Whether it is worth a line in the journal: once in full, then only now and then, so that a server
    /// away for a day fills no journal.
    pub worth_a_line: bool,
}

impl RetryPolicy {
    /// None yet.
    pub fn new() -> Self {
        Self {
            away: Backoff::new(Duration::from_millis(100), AWAY),
            refused: Backoff::new(Duration::from_millis(300), REFUSED),
            busy: Backoff::new(BUSY, BUSY),
            busy_since: None,
        }
    }

    /// A session worked.
    pub fn worked(&mut self) {
        *self = Self::new();
    }

    /// The uplink is another now: what went wrong through the old one says nothing.
    pub fn uplink_changed(&mut self) {
        self.away.reset();
    }

    /// What to do after a failure at `now`.
    pub fn failed(&mut self, kind: SinkErrorKind, now: Instant) -> NextTry {
        let recently = |since: Instant| now.duration_since(since) < BUSY_FOR;
        let (state, backoff) = match kind {
            SinkErrorKind::Busy if recently(*self.busy_since.get_or_insert(now)) => {
                (SinkState::Waiting, &mut self.busy)
            }
            SinkErrorKind::Busy | SinkErrorKind::Refused => (SinkState::Refused, &mut self.refused),
            SinkErrorKind::Away
            | SinkErrorKind::Unreachable
            | SinkErrorKind::Broken
            | SinkErrorKind::Abandoned => (SinkState::Waiting, &mut self.away),
        };
        let wait = backoff.next_wait();
        let worth_a_line = backoff.tries() == 1 || backoff.tries().is_multiple_of(64);
        NextTry { state, wait, worth_a_line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_asked_for_quickly_for_15_s_and_then_seldom() {
        let busy = SinkErrorKind::Busy;
        let (mut tries, began) = (RetryPolicy::new(), Instant::now());
        let mut at = Duration::ZERO;
        let mut asked = 0;
        while at < BUSY_FOR {
            let next = tries.failed(busy, began + at);
            assert_eq!(next.state, SinkState::Waiting);
            assert!(asked == 0 || (BUSY / 2..=BUSY).contains(&next.wait), "{next:?}");
            at += next.wait;
            asked += 1;
        }
        assert!((15..=32).contains(&asked), "{asked}");
        let mut slow = Duration::ZERO;
        for _ in 0..12 {
            let next = tries.failed(busy, began + at);
            assert_eq!(next.state, SinkState::Refused);
            slow = next.wait;
        }
        assert!(slow >= REFUSED / 2);
    }

    #[test]
    fn a_wrong_key_is_never_asked_for_quickly() {
        let mut tries = RetryPolicy::new();
        let waits: Vec<_> = (0..10).map(|_| tries.failed(SinkErrorKind::Refused, Instant::now())).collect();
        assert!(waits.iter().all(|next| next.state == SinkState::Refused));
        assert!(waits[9].wait >= REFUSED / 2, "{waits:?}");
    }
}
