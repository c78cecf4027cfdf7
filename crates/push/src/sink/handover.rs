//! Handover from a working connection to one through the newly chosen uplink, without losing a unit.
//!
//! The new session connects but does not publish yet, while the old one keeps sending. At the next keyframe the old one
//! ends and the new one asks to publish, so that no server ever has two sessions of one name. Units that arrive in between
//! wait in the broadcast.

use super::decision::ConnectionDecision;
use super::error::SinkError;
use super::publisher::Publisher;
use super::task::{FeedEnd, ObservedSession, SinkTask};
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::Subscriber;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait for a keyframe; then the latest one is sent again.
const KEYFRAME_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait before a failed replacement is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The outcome of preparing the new session.
enum Opened<P> {
    New(Box<ObservedSession<P>>),
    /// It failed for now; the old one works.
    NotYet(SinkError),
    /// The old one's uplink was chosen again.
    NotNeeded,
    /// The old one broke, or it stalls and the new one failed.
    Lost(SinkError),
    Unwanted,
}

impl<P: Publisher> SinkTask<P> {
    /// Moves to the chosen uplink. Returns the session to feed from now on, and from which unit.
    pub(super) async fn hand_over(
        &mut self,
        mut old: ObservedSession<P>,
        mut units: Subscriber,
    ) -> Result<(ObservedSession<P>, Subscriber), FeedEnd> {
        let uplink = self.context.chosen.borrow().clone();
        let opened = {
            let opening = self.prepare(&uplink);
            tokio::pin!(opening);
            tokio::select! {
                opened = &mut opening => match opened {
                    Ok(new) => Opened::New(Box::new(new)),
                    Err(error) => Opened::NotYet(error),
                },
                error = self.feed(&mut old.publisher, &mut units) => Opened::Lost(error),
                () = self.unwanted() => Opened::Unwanted,
                decision = self.observe(
                    &mut old.monitor, &mut old.health, old.not_before, ConnectionDecision::Replace,
                ) => match decision {
                    ConnectionDecision::Abandon => {
                        opening.await.map_or_else(Opened::Lost, |new| Opened::New(Box::new(new)))
                    }
                    _ => Opened::NotNeeded,
                },
            }
        };
        match opened {
            Opened::New(new) => self.replace(old, *new, units).await,
            Opened::NotYet(error) => {
                let stream = &self.context.stream;
                tracing::debug!(stream, sink = self.name, uplink, "stays on its uplink: {error}");
                old.not_before = Instant::now() + AGAIN;
                Ok((old, units))
            }
            Opened::NotNeeded => Ok((old, units)),
            Opened::Lost(error) => Err(self.lost(&old, error)),
            Opened::Unwanted => Err(self.end(old).await),
        }
    }

    async fn replace(
        &mut self,
        mut old: ObservedSession<P>,
        mut new: ObservedSession<P>,
        mut units: Subscriber,
    ) -> Result<(ObservedSession<P>, Subscriber), FeedEnd> {
        // The first unit of the new session, and whether the old one can still be ended properly.
        let (first, ends) = tokio::select! {
            keyframe = self.feed_to_keyframe(&mut old.publisher, &mut units) => match keyframe {
                Ok(keyframe) => (Some(keyframe), true),
                Err(_) => (None, false),
            },
            () = tokio::time::sleep(KEYFRAME_WITHIN) => (None, true),
            () = self.unwanted() => return Err(self.end(old).await),
            decision = self.observe(
                &mut old.monitor, &mut old.health, old.not_before, ConnectionDecision::Replace,
            ) => match decision {
                ConnectionDecision::Abandon => (None, false),
                _ => return Ok((old, units)),
            },
        };
        self.last_time = old.publisher.last_time();
        if ends {
            old.publisher.close().await;
        } else {
            // If the server sees the connection end, it frees the name before the new session asks for it.
            drop(old);
        }
        self.reporter.disconnected();
        if let Err(error) = new.publisher.publish(self.last_time).await {
            return Err(FeedEnd::Lost(error));
        }
        self.note_publishing();
        match first {
            Some(first) => {
                if let Err(error) = self.send_unit(&mut new.publisher, first).await {
                    return Err(self.lost(&new, error));
                }
            }
            None => units = self.context.broadcast.subscribe(),
        }
        Ok((new, units))
    }

    /// Feeds the server up to the next keyframe, which is not sent.
    async fn feed_to_keyframe(
        &self,
        publisher: &mut P,
        units: &mut Subscriber,
    ) -> Result<(Arc<AccessUnit>, u64), SinkError> {
        loop {
            let next = self.next_unit(publisher, units).await?;
            if next.0.keyframe {
                return Ok(next);
            }
            self.send_unit(publisher, next).await?;
        }
    }
}

#[cfg(test)]
mod tests;
