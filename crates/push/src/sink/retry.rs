//! How long to wait before the next try, depending on the error. Pure except for the jitter.

use super::error::SinkErrorKind;
use robocast_bus::SinkState;
use robocast_daemon::backoff::Backoff;
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for a server that is away.
const AWAY: Duration = Duration::from_millis(800);
/// The longest wait for a server that said no.
const REFUSED: Duration = Duration::from_secs(30);
/// The longest wait for a server that still has our earlier session ...
const BUSY: Duration = Duration::from_secs(1);
/// ... for this long. If the name is still taken after that, the cause is not an earlier session of ours whose connection is
/// gone.
const BUSY_FOR: Duration = Duration::from_secs(15);

/// The tries since the last session that worked.
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
    /// The state of the sink until then.
    pub state: SinkState,
    /// How long to wait.
    pub wait: Duration,
    /// Whether to write a line to the journal: the first time, then only now and then, so that a server that is away for a
    /// day does not fill the journal.
    pub worth_a_line: bool,
}

impl RetryPolicy {
    /// No tries yet.
    pub fn new() -> Self {
        Self {
            away: Backoff::new(Duration::from_millis(100), AWAY),
            refused: Backoff::new(Duration::from_millis(300), REFUSED),
            busy: Backoff::new(BUSY, BUSY),
            busy_since: None,
        }
    }

    /// Records that a session worked.
    pub fn worked(&mut self) {
        *self = Self::new();
    }

    /// Records that the uplink changed: failures through the old one no longer matter.
    pub fn uplink_changed(&mut self) {
        self.away.reset();
    }

    /// Decides what to do after a failure at `now`.
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
    fn a_taken_name_is_retried_quickly_for_15_s_and_then_seldom() {
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
    fn a_wrong_key_is_never_retried_quickly() {
        let mut tries = RetryPolicy::new();
        let waits: Vec<_> = (0..10).map(|_| tries.failed(SinkErrorKind::Refused, Instant::now())).collect();
        assert!(waits.iter().all(|next| next.state == SinkState::Refused));
        assert!(waits[9].wait >= REFUSED / 2, "{waits:?}");
    }
}
