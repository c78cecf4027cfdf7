//! The interfaces of the camera's loop.

use crate::source::{OpenError, SourceContext};
use robocast_bus::CameraStatus;
use robocast_bus::server::CameraOrder;
use robocast_daemon::signals::Signals;
use robocast_video::ipc::{Broadcast, ReaderEvent, SourceReport};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};

/// Opens the source of the settings.
pub(super) type SourceOpener<S> = Arc<dyn Fn(SourceContext<'_>) -> Result<S, OpenError> + Send + Sync>;

/// Everything outside of the loop. The loop's tests have it all in memory.
pub(super) struct CameraEnvironment<S> {
    pub opener: SourceOpener<S>,
    /// Where units are sent.
    pub broadcast: Broadcast,
    /// How many readers are connected.
    pub readers: watch::Receiver<usize>,
    /// Their requests.
    pub reader_events: mpsc::Receiver<ReaderEvent>,
    /// What is shown to them.
    pub report: watch::Sender<SourceReport>,
    /// The status on D-Bus.
    pub status: watch::Sender<CameraStatus>,
    /// The requests over D-Bus.
    pub orders: mpsc::Receiver<CameraOrder>,
    pub signals: Signals,
    /// The time of day.
    pub time_of_day: fn() -> SystemTime,
}
