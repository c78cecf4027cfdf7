//! The interface between the task of a sink and a protocol.

use super::error::SinkError;
use super::network::{Observe, Route};
use robocast_video::h264::AccessUnit;
use std::io;
use std::time::Duration;

/// One publishing session of any protocol. It is opened in two steps, so that no server ever sees two sessions of one name:
/// a handover prepares the new one while the old one is still being fed.
pub trait Publisher: Sized + Send {
    /// The server as given in the settings.
    type Target: Clone + Send + Sync + 'static;

    /// Does everything up to the request to publish.
    fn prepare(
        target: &Self::Target,
        route: &Route<'_>,
    ) -> impl Future<Output = Result<Prepared<Self>, SinkError>> + Send;

    /// Asks to publish and waits until the server accepts video. Media times will be later than `after`, the last one of the
    /// previous session.
    fn publish(&mut self, after: Option<Duration>) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Queues a unit whose time on the stream's own axis is `at`; returns how many bytes that added. [`Publisher::flush`]
    /// sends them.
    ///
    /// # Errors
    /// When the protocol cannot carry it.
    fn queue(&mut self, unit: &AccessUnit, at: Duration) -> Result<usize, SinkError>;

    /// Sends the queued bytes, and serves the peer meanwhile. Cancel safe.
    fn flush(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Waits for a message from the peer and handles it. Cancel safe.
    fn serve(&mut self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// The time of the last unit that was queued.
    fn last_time(&self) -> Option<Duration>;

    /// Ends the session, and gives the server a moment to notice, so that it has freed the session when this returns.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A session that is ready to ask to publish, and the monitor of its connection.
pub struct Prepared<P> {
    /// The session.
    pub publisher: P,
    /// The monitor of its connection, if it can be observed.
    pub monitor: io::Result<Box<dyn Observe>>,
}
