//! What a camera counts, shared between the streaming threads and the loop that reports.

use robocast_video::clock::MonoTime;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of one camera since its process started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Access units that came from the source, broken ones included.
    pub frames_in: AtomicU64,
    /// Access units handed to the hop.
    pub frames_out: AtomicU64,
    /// Their bytes.
    pub bytes_out: AtomicU64,
    /// Keyframes among them.
    pub keyframes: AtomicU64,
    /// Access units dropped because something was missing.
    pub broken: AtomicU64,
    /// Times the source was opened anew.
    pub rebuilds: AtomicU64,
    last: AtomicU64,
}

impl Counters {
    /// Something came from the source at `now`.
    pub fn came(&self, now: MonoTime) {
        self.frames_in.fetch_add(1, Relaxed);
        self.last.store(now.0, Relaxed);
    }

    /// A unit of `bytes` went to the hop.
    pub fn went(&self, bytes: usize, keyframe: bool) {
        self.frames_out.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        self.keyframes.fetch_add(u64::from(keyframe), Relaxed);
    }

    /// A unit was dropped.
    pub fn broke(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    /// How long ago the last frame came; none before the first.
    #[must_use]
    pub fn silence(&self, now: MonoTime) -> Option<Duration> {
        match self.last.load(Relaxed) {
            0 => None,
            last => Some(now.since(MonoTime(last))),
        }
    }
}
