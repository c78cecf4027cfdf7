//! Whether an open source still gives frames, and whether anybody wants them.

use super::{Camera, Video};
use crate::source::Patience;
use robocast_bus::SourceState;
use robocast_config::Start;
use robocast_video::clock::MonoTime;
use std::time::Duration;

/// Frames that stay away for so long mean that the source is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// A camera on demand rests when nobody has read for so long.
const REST_AFTER: Duration = Duration::from_secs(10);

impl<S: Video> Camera<S> {
    /// Whether frames advance; if they have not for too long, why to open the source anew.
    pub(super) fn judge(&mut self, patience: Patience) -> Option<String> {
        let now = MonoTime::now();
        let since_open = now.since(self.opened);
        let silence = self.shared.counters.silence(now).map_or(since_open, |silence| silence.min(since_open));
        let fresh = self.shared.counters.silence(now).is_some_and(|silence| silence < since_open);
        if fresh && silence < LOST_AFTER {
            self.say(SourceState::Live, String::new());
            return None;
        }
        let limit = if fresh { patience.next } else { patience.first };
        let missed = self.shared.counters.silence(now).unwrap_or_else(|| now.since(self.started));
        let why = format!("no frames from {} for {} s", self.shared.stream.source, missed.as_secs());
        if silence >= LOST_AFTER && (fresh || since_open >= LOST_AFTER * 2) {
            self.say(SourceState::Lost, why.clone());
        }
        (silence >= limit).then_some(why)
    }

    pub(super) fn unread(&mut self) -> bool {
        if self.shared.stream.start == Start::Always || *self.readers.borrow() > 0 {
            self.unread_since = None;
            return false;
        }
        if self.report.borrow().state == SourceState::Resting {
            return false;
        }
        let now = MonoTime::now();
        now.since(*self.unread_since.get_or_insert(now)) >= REST_AFTER
    }
}
