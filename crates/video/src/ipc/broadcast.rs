//! A buffer that one side appends to and many sides follow, across threads and tasks.

use super::gop_buffer::{Cursor, GopBuffer, Limits, Next};
use crate::h264::AccessUnit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The writing end, and where readers subscribe. Clones share one buffer.
#[derive(Debug, Clone)]
pub struct Broadcast {
    buffer: Arc<Mutex<GopBuffer>>,
    /// Counts changes; readers wait on it.
    changed: watch::Sender<u64>,
}

impl Broadcast {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { buffer: Arc::new(Mutex::new(GopBuffer::new(limits))), changed: watch::Sender::new(0) }
    }

    fn buffer(&self) -> MutexGuard<'_, GopBuffer> {
        // The buffer is valid after every statement: a panic elsewhere does not spoil it.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a unit. Never waits for a reader.
    pub fn push(&self, unit: AccessUnit) {
        self.buffer().push(unit);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Forgets what is kept, so that a new reader waits for a fresh keyframe.
    pub fn clear(&self) {
        self.buffer().clear();
        self.changed.send_modify(|count| *count += 1);
    }

    /// A reader that starts at the latest keyframe.
    #[must_use]
    pub fn subscribe(&self) -> Subscriber {
        Subscriber { broadcast: self.clone(), cursor: Cursor::Keyframe(0), changed: self.changed.subscribe() }
    }
}

/// The reading end: a cursor of its own.
#[derive(Debug)]
pub struct Subscriber {
    broadcast: Broadcast,
    cursor: Cursor,
    changed: watch::Receiver<u64>,
}

impl Subscriber {
    /// The next unit, if there is one.
    pub fn try_next(&mut self) -> Next {
        self.changed.mark_unchanged();
        self.broadcast.buffer().take(&mut self.cursor)
    }

    /// The next unit and how many were lost before it. Waits for it; cancel safe.
    pub async fn next(&mut self) -> (Arc<AccessUnit>, u64) {
        loop {
            if let Next::Unit { unit, skipped } = self.try_next() {
                return (unit, skipped);
            }
            // The sender lives in `self.broadcast`, so this cannot fail.
            let _ = self.changed.changed().await;
        }
    }
}
