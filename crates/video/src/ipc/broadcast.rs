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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MonoTime;
    use bytes::Bytes;
    use std::time::Duration;

    fn broadcast() -> Broadcast {
        Broadcast::new(Limits { lag: Duration::from_secs(1), bytes: 1000 })
    }

    fn unit(number: u64, keyframe: bool) -> AccessUnit {
        let at = MonoTime(number * 40_000_000);
        AccessUnit {
            data: Bytes::from_static(b"x"),
            pts: MonoTime(number),
            dts: MonoTime(number),
            arrived: at,
            keyframe,
        }
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken_by_the_first_keyframe_through_any_clone() {
        let broadcast = broadcast();
        let mut subscriber = broadcast.subscribe();
        let waiting = tokio::spawn(async move { subscriber.next().await });
        let clone = broadcast.clone();
        clone.push(unit(1, false));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "nothing to start from");
        clone.push(unit(2, true));
        let (found, skipped) = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert_eq!((found.pts, skipped), (MonoTime(2), 0));
    }

    #[test]
    fn each_subscriber_has_a_position_of_its_own_and_none_gets_what_was_forgotten() {
        let broadcast = broadcast();
        let (mut first, mut second) = (broadcast.subscribe(), broadcast.subscribe());
        let next = |subscriber: &mut Subscriber| match subscriber.try_next() {
            Next::Unit { unit, skipped } => Some((unit.pts.0, skipped)),
            Next::Nothing => None,
        };
        broadcast.push(unit(1, true));
        broadcast.push(unit(2, false));
        assert_eq!(
            [next(&mut first), next(&mut first), next(&mut first)],
            [Some((1, 0)), Some((2, 0)), None]
        );
        assert_eq!(next(&mut second), Some((1, 0)));
        broadcast.clear();
        assert_eq!((next(&mut second), next(&mut broadcast.subscribe())), (None, None));
        broadcast.push(unit(3, true));
        assert_eq!((next(&mut first), next(&mut second)), (Some((3, 0)), Some((3, 1))));
    }
}
