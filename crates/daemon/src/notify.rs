//! What a program tells its supervisor, which is systemd on the box and `robocast run` elsewhere.
//!
//! The watchdog is fed by [`Heartbeat::beat`], which the program's own loop calls when it has done
//! its round; no timer of its own keeps it alive.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// Tells the supervisor that the program serves now.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// Tells the supervisor that the program is about to end.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// One line of what the program does, for people.
pub fn status(line: &str) {
    send(&[NotifyState::Status(line)]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the supervisor cannot be told");
    }
}

/// Feeds the supervisor's watchdog, at most as often as it needs.
#[derive(Debug)]
pub struct Heartbeat {
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Heartbeat {
    /// A heartbeat for the watchdog that `$WATCHDOG_USEC` asks for; silent when there is none.
    #[must_use]
    pub fn from_env() -> Self {
        Self { every: sd_notify::watchdog_enabled().map(|limit| limit / 3), last: None }
    }

    /// The loop has done its round.
    pub fn beat(&mut self) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| last.elapsed() >= every) {
            send(&[NotifyState::Watchdog]);
            self.last = Some(Instant::now());
        }
    }
}
