//! What the loop has to do with.

use crate::output::CameraContext;
use crate::source::{Attempt, Ended, OpenError, Patience, Source};
use robocast_bus::CameraStatus;
use robocast_bus::server::CameraOrder;
use robocast_config::Settings;
use robocast_daemon::signals::Signals;
use robocast_gst::pipeline::PipelineError;
use robocast_video::ipc::{Broadcast, Request, SourceReport};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A source that is open, as the loop sees it.
pub(super) trait Video: Send + 'static {
    fn patience(&self) -> Patience;
    async fn run(&mut self) -> Ended;
    async fn close(self) -> Result<(), PipelineError>;
}

impl Video for Source {
    fn patience(&self) -> Patience {
        self.patience()
    }

    async fn run(&mut self) -> Ended {
        self.run().await
    }

    async fn close(self) -> Result<(), PipelineError> {
        self.close().await
    }
}

/// Opens the source that the settings name.
pub(super) type Opener<S> =
    Arc<dyn Fn(&Settings, &CameraContext, Attempt) -> Result<S, OpenError> + Send + Sync>;

/// What the loop has to do with: its tests have it all in memory.
pub(super) struct Around<S> {
    pub opener: Opener<S>,
    pub feed: Broadcast,
    pub readers: watch::Receiver<usize>,
    pub requests: mpsc::Receiver<Request>,
    pub report: watch::Sender<SourceReport>,
    pub status: watch::Sender<CameraStatus>,
    pub orders: mpsc::Receiver<CameraOrder>,
    pub signals: Signals,
}
