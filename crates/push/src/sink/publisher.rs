//! What the task of a sink needs of a protocol.

use super::error::SinkError;
use super::network::{Observe, Route};
use robocast_video::h264::AccessUnit;
use std::io;
use std::time::Duration;

/// One publishing session, whatever the protocol. It is made in two steps, so that no server ever sees two sessions of one
/// name: a handover prepares the new one while the old one is still being fed.
pub trait Publisher: Sized + Send {
    /// What the settings say of the server.
    type Target: Clone + Send + Sync + 'static;

    /// Does everything up to the request to publish.
    fn prepare(
        target: &Self::Target,
        route: &Route<'_>,
    ) -> impl Future<Output = Result<Prepared<Self>, SinkError>> + Send;

    /// Asks to publish, until the server takes video. Media times rise over `after`, the last one of the session before.
    fn publish(&mut self, after: Option<Duration>) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Queues a unit whose time on the stream's own axis is `at`; says how many bytes that added. It is on its way once
    /// [`Publisher::flush`] is done.
    ///
    /// # Errors
    /// When the protocol cannot carry it.
    fn queue(&mut self, unit: &AccessUnit, at: Duration) -> Result<usize, SinkError>;

    /// Sends what is queued, and serves the peer meanwhile. Cancel safe.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Waits for something from the peer and acts on it. Cancel safe.
    fn serve(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The time of the last unit that was queued.
    fn last_time(&self) -> Option<Duration>;

    /// Ends the session, and gives the server a moment to hear it: then it has this session no longer.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A session that could ask to publish, and what observes its connection.
pub struct Prepared<P> {
    /// The session.
    pub publisher: P,
    /// What observes its connection, if that is possible.
    pub monitor: io::Result<Box<dyn Observe>>,
}
