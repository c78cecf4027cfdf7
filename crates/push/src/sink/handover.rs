//! From a connection that works to one by way of the uplink that was chosen instead, without losing a unit.
//!
//! The new session is made up to where it would ask to publish, while the old one is fed on. At the next
//! keyframe the old one says good-bye, and the new one asks: no server is asked to take two sessions of one
//! name. What comes in between waits in the feed.

use super::decision::ConnectionDecision;
use super::task::{Ended, SinkTask, Way};
use crate::rtmp::{ConnectError, Connection};
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::Subscriber;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A keyframe is waited for this long; then the latest one is sent again.
const KEYFRAME_WITHIN: Duration = Duration::from_secs(5);
/// A replacement that cannot be had is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// What became of the way to be.
enum Opened {
    New(Box<Way>),
    /// It cannot be had yet; the old one works.
    Not(ConnectError),
    /// The choice came back to where the old one goes.
    NotNeeded,
    /// The old one broke, or the new one cannot be had while the old one stalls.
    Lost(ConnectError),
    Unwanted,
}

impl SinkTask {
    /// Goes over to the uplink that was chosen. What is fed from now on, and from where.
    pub(super) async fn handover(
        &mut self,
        mut old: Way,
        mut units: Subscriber,
    ) -> Result<(Way, Subscriber), Ended> {
        let uplink = self.chosen.borrow().clone();
        let opened = {
            let opening = self.prepare(&uplink);
            tokio::pin!(opening);
            tokio::select! {
                opened = &mut opening => match opened {
                    Ok(new) => Opened::New(Box::new(new)),
                    Err(error) => Opened::Not(error),
                },
                error = self.feed_server(&mut old.connection, &mut units) => Opened::Lost(error),
                () = self.unwanted() => Opened::Unwanted,
                verdict = self.mind(&mut old.watch, &mut old.standing, old.not_before, ConnectionDecision::Replace) => {
                    match verdict {
                        ConnectionDecision::Abandon => opening.await.map_or_else(Opened::Lost, |new| Opened::New(Box::new(new))),
                        _ => Opened::NotNeeded,
                    }
                }
            }
        };
        match opened {
            Opened::New(new) => self.go_over(old, *new, units).await,
            Opened::Not(error) => {
                tracing::debug!(stream = self.stream, sink = self.name, uplink, "stays where it is: {error}");
                old.not_before = Instant::now() + AGAIN;
                Ok((old, units))
            }
            Opened::NotNeeded => Ok((old, units)),
            Opened::Lost(error) => Err(self.lost(&old, error)),
            Opened::Unwanted => Err(self.end(old).await),
        }
    }

    async fn go_over(
        &mut self,
        mut old: Way,
        mut new: Way,
        mut units: Subscriber,
    ) -> Result<(Way, Subscriber), Ended> {
        // The unit that the new session begins with, and whether the old one can still say good-bye.
        let (first, parts) = tokio::select! {
            keyframe = self.feed_to_keyframe(&mut old.connection, &mut units) => match keyframe {
                Ok(keyframe) => (Some(keyframe), true),
                Err(_) => (None, false),
            },
            () = tokio::time::sleep(KEYFRAME_WITHIN) => (None, true),
            () = self.unwanted() => return Err(self.end(old).await),
            verdict = self.mind(&mut old.watch, &mut old.standing, old.not_before, ConnectionDecision::Replace) => {
                match verdict {
                    ConnectionDecision::Abandon => (None, false),
                    _ => return Ok((old, units)),
                }
            }
        };
        self.last_ms = old.connection.last_ms();
        if parts {
            old.connection.close().await;
        } else {
            // A server that its end reaches has the name free again before the new one asks.
            drop(old);
        }
        self.report.gone();
        if let Err(error) = new.connection.publish(self.last_ms).await {
            return Err(Ended::Lost(error));
        }
        self.publishing();
        match first {
            Some(first) => {
                if let Err(error) = self.send(&mut new.connection, first).await {
                    return Err(self.lost(&new, error));
                }
            }
            None => units = self.feed.subscribe(),
        }
        Ok((new, units))
    }

    /// Feeds the server up to the next keyframe, which it does not get.
    async fn feed_to_keyframe(
        &self,
        connection: &mut Connection,
        units: &mut Subscriber,
    ) -> Result<(Arc<AccessUnit>, u64), ConnectError> {
        loop {
            let next = self.next(connection, units).await?;
            if next.0.keyframe {
                return Ok(next);
            }
            self.send(connection, next).await?;
        }
    }

    async fn end(&mut self, way: Way) -> Ended {
        self.last_ms = way.connection.last_ms();
        way.connection.close().await;
        Ended::Unwanted
    }
}

#[cfg(test)]
mod tests;
