//! The loop's reports: to readers, on D-Bus, to the supervisor, in the journal.

use super::CameraProgram;
use crate::lifecycle::StateReport;
use crate::source::RunningSource;
use robocast_bus::{CameraStatus, SourceState};
use robocast_daemon::notify;
use robocast_video::clock::MonoTime;
use robocast_video::ipc::SourceReport;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

impl<S: RunningSource> CameraProgram<S> {
    /// Writes a change of the source's state to the journal.
    pub(super) fn log_state(&self, report: &StateReport) {
        let StateReport { state, text, .. } = report;
        if self.report.borrow().state == *state {
            return;
        }
        match state {
            SourceState::Lost => tracing::warn!(stream = self.name, "source lost: {text}"),
            SourceState::Failed => tracing::error!(stream = self.name, "source failed: {text}"),
            _ => tracing::info!(stream = self.name, state = ?state, "source"),
        }
    }

    /// Publishes the state of the source and the abilities of the camera to readers, if they changed. True when the
    /// state did.
    pub(super) fn publish_report(&self) -> bool {
        let StateReport { state, text, since } = self.lifecycle.report().clone();
        let mut state_changed = false;
        self.report.send_if_modified(|last| {
            let since = seconds_of(since, MonoTime::now(), (self.time_of_day)(), last.since);
            let bitrate = self.control.is_some().then(|| self.arbiter.capability());
            let report = SourceReport { state, text, since: Some(since), bitrate };
            state_changed = last.state != report.state || last.text != report.text;
            *last != report && {
                *last = report;
                true
            }
        });
        state_changed
    }

    /// Publishes the status on D-Bus and to the supervisor.
    pub(super) fn publish_status(&self) {
        let status = self.status();
        self.status.send_if_modified(|last| {
            *last != status && {
                last.clone_from(&status);
                true
            }
        });
        notify::status(&format!("{:?} {}", status.source_state, status.text));
    }

    fn status(&self) -> CameraStatus {
        let counters = &self.context.counters;
        let report = self.report.borrow().clone();
        let encoder = self.control.as_ref().and_then(|control| control.encoder_name());
        let packets = counters.packets();
        CameraStatus {
            source_state: report.state,
            text: report.text,
            since: report.since,
            frames_in: counters.frames_in.load(Relaxed),
            frames_out: counters.frames_out.load(Relaxed),
            bytes_out: counters.bytes_out.load(Relaxed),
            keyframes: counters.keyframes.load(Relaxed),
            broken: counters.broken.load(Relaxed),
            rebuilds: counters.rebuilds.load(Relaxed),
            width: self.format.map_or(0, |format| format.width),
            height: self.format.map_or(0, |format| format.height),
            encoder: encoder.unwrap_or_default().to_owned(),
            target_bps: report.bitrate.map_or(0, |bitrate| bitrate.now),
            readers: *self.readers.borrow(),
            packets_lost: packets.lost,
            packets_late: packets.late,
            packets_malformed: packets.malformed,
            packets_foreign: packets.foreign,
        }
    }
}

/// What is published before the loop runs.
pub(super) fn first_report(time_of_day: SystemTime) -> SourceReport {
    let since = seconds_of(MonoTime(0), MonoTime(0), time_of_day, None);
    SourceReport { since: Some(since), ..SourceReport::default() }
}

/// The time of day of `at`, in seconds since 1970. The value published `before` stays while the two agree within a
/// second: it changes only when the clock is set.
fn seconds_of(at: MonoTime, now: MonoTime, time_of_day: SystemTime, before: Option<u64>) -> u64 {
    let today = time_of_day.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = today.saturating_sub(now.since(at)).as_secs();
    before.filter(|&before| before.abs_diff(seconds) <= 1).unwrap_or(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(at_ms: u64, now_ms: u64, time_of_day_ms: u64, before: Option<u64>) -> u64 {
        let at = |ms: u64| MonoTime(ms * 1_000_000);
        let time_of_day = SystemTime::UNIX_EPOCH + Duration::from_millis(time_of_day_ms);
        seconds_of(at(at_ms), at(now_ms), time_of_day, before)
    }

    #[test]
    fn since_is_a_time_of_day_that_only_a_clock_that_was_set_changes() {
        for (at, now, time_of_day, before, expected) in [
            (5_000, 5_000, 100_000, None, 100),
            (5_000, 65_000, 160_000, None, 100),
            // Fractions of a second on either side.
            (5_000, 65_000, 160_999, Some(99), 99),
            (5_000, 65_000, 159_999, Some(100), 100),
            // Another state, or the clock was set.
            (5_000, 65_000, 160_000, Some(97), 100),
            (5_000, 65_000, 9_160_000, Some(100), 9_100),
            // A clock that starts at 1970.
            (5_000, 65_000, 3_000, None, 0),
        ] {
            assert_eq!(
                seconds(at, now, time_of_day, before),
                expected,
                "{at} {now} {time_of_day} {before:?}"
            );
        }
    }
}
