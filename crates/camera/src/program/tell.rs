//! What the loop tells of itself: on the hop, on D-Bus, to the supervisor, in the journal.

use super::{Camera, Video};
use robocast_bus::{CameraStatus, SourceState};
use robocast_daemon::notify;
use robocast_video::ipc::SourceReport;
use std::sync::atomic::Ordering::Relaxed;

impl<S: Video> Camera<S> {
    /// The source is not there; `failed` says that waiting does not help.
    pub(super) fn away(&mut self, failed: bool, why: String) {
        self.say(if failed { SourceState::Failed } else { SourceState::Lost }, why);
    }

    pub(super) fn say(&mut self, state: SourceState, text: String) {
        let before = self.report.borrow().state;
        if before != state {
            match state {
                SourceState::Lost => tracing::warn!(stream = self.name, "source lost: {text}"),
                SourceState::Failed => tracing::error!(stream = self.name, "source failed: {text}"),
                _ => tracing::info!(stream = self.name, state = ?state, "source"),
            }
        }
        let report = SourceReport { state, text };
        self.report.send_if_modified(|current| {
            *current != report && {
                *current = report;
                true
            }
        });
    }

    pub(super) fn tell(&self) {
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
        let counters = &self.shared.counters;
        let report = self.report.borrow().clone();
        let encoder = self.shared.steer.encoder();
        CameraStatus {
            source_state: report.state,
            text: report.text,
            frames_in: counters.frames_in.load(Relaxed),
            frames_out: counters.frames_out.load(Relaxed),
            bytes_out: counters.bytes_out.load(Relaxed),
            keyframes: counters.keyframes.load(Relaxed),
            broken: counters.broken.load(Relaxed),
            rebuilds: counters.rebuilds.load(Relaxed),
            width: self.picture.map_or(0, |picture| picture.width),
            height: self.picture.map_or(0, |picture| picture.height),
            encoder: encoder.unwrap_or_default().to_owned(),
            target_bps: encoder.map_or(0, |_| self.target.bitrate.bps()),
            readers: *self.readers.borrow(),
            ..CameraStatus::default()
        }
    }
}
