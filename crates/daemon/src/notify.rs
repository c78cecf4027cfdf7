//! Reports of a program to its supervisor, which is systemd on the box and `robocast run` elsewhere.
//!
//! [`Heartbeat::beat`] feeds the watchdog. The program's own loop calls it once a turn; no timer does.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Reports that the program is ready.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// Reports that the program is about to end.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Reports in one line the program's state, for people.
pub fn status(line: &str) {
    send(&[NotifyState::Status(line)]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the supervisor gets no report");
    }
}

/// Feeds the supervisor's watchdog, at most as often as it needs.
#[derive(Debug)]
pub struct Heartbeat {
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Heartbeat {
    /// A heartbeat for the watchdog that `$WATCHDOG_USEC` asks for; silent when it is not set.
    #[must_use]
    pub fn from_env() -> Self {
        Self { every: sd_notify::watchdog_enabled().map(|limit| limit / 3), last: None }
    }

    /// The loop has done a turn.
    pub fn beat(&mut self) {
        if self.is_due(Instant::now()) {
            send(&[NotifyState::Watchdog]);
        }
    }

    /// Whether the supervisor needs a beat now.
    fn is_due(&mut self, now: Instant) -> bool {
        let Some(every) = self.every else { return false };
        let due = self.last.is_none_or(|last| now - last >= every);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_no_more_often_than_it_needs() {
        let every = Duration::from_secs(3);
        let mut heartbeat = Heartbeat { every: Some(every), last: None };
        let start = Instant::now();
        let due: Vec<_> = (0..10).filter(|s| heartbeat.is_due(start + Duration::from_secs(*s))).collect();
        assert_eq!(due, [0, 3, 6, 9]);
        let mut silent = Heartbeat { every: None, last: None };
        assert!(!silent.is_due(start));
    }
}
