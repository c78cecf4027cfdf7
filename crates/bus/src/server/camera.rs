//! The object of a camera program.

use super::StatusObject;
use crate::CameraStatus;
use crate::dictionary::{Dictionary, to_dictionary};
use tokio::sync::{mpsc, watch};
use zbus::fdo;
use zbus::object_server::SignalEmitter;

/// The requests to a camera program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraOrder {
    /// Encode at so many bit/s.
    TargetBitrate(u64),
}

/// The object of a camera program.
#[derive(Clone)]
pub(crate) struct CameraObject {
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
}

#[zbus::interface(name = "org.robocast.Camera1")]
impl CameraObject {
    /// The whole status, as a dictionary. Its signal is sent when more than counters changed.
    #[zbus(property)]
    fn status(&self) -> Dictionary {
        to_dictionary(&*self.status.borrow())
    }

    /// `starting`, `live`, `lost`, `resting` or `failed`.
    #[zbus(property)]
    fn source_state(&self) -> String {
        self.status.borrow().source_state.word().to_owned()
    }

    /// For people: the problem, and how to fix it.
    #[zbus(property)]
    fn text(&self) -> String {
        self.status.borrow().text.clone()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn frames_in(&self) -> u64 {
        self.status.borrow().frames_in
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn frames_out(&self) -> u64 {
        self.status.borrow().frames_out
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn bytes_out(&self) -> u64 {
        self.status.borrow().bytes_out
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn keyframes(&self) -> u64 {
        self.status.borrow().keyframes
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn broken(&self) -> u64 {
        self.status.borrow().broken
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn rebuilds(&self) -> u64 {
        self.status.borrow().rebuilds
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn width(&self) -> u32 {
        self.status.borrow().width
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn height(&self) -> u32 {
        self.status.borrow().height
    }

    /// The encoder at work; empty when H.264 is passed through.
    #[zbus(property)]
    fn encoder(&self) -> String {
        self.status.borrow().encoder.clone()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn readers(&self) -> u32 {
        u32::try_from(self.status.borrow().readers).unwrap_or(u32::MAX)
    }

    /// Bit/s requested from the encoder; 0 when nothing is encoded here.
    #[zbus(property(emits_changed_signal = "false"))]
    fn target_bitrate(&self) -> u64 {
        self.status.borrow().target_bps
    }

    #[zbus(property)]
    async fn set_target_bitrate(&self, bps: u64) -> fdo::Result<()> {
        if bps == 0 {
            return Err(fdo::Error::InvalidArgs("a bitrate of 0 bit/s".into()));
        }
        let gone = |_| fdo::Error::Failed("the camera is ending".into());
        self.orders.send(CameraOrder::TargetBitrate(bps)).await.map_err(gone)
    }
}

impl CameraObject {
    pub(crate) fn new(status: watch::Receiver<CameraStatus>, orders: mpsc::Sender<CameraOrder>) -> Self {
        Self { status, orders }
    }
}

impl StatusObject for CameraObject {
    type Status = CameraStatus;

    fn receiver(&self) -> watch::Receiver<CameraStatus> {
        self.status.clone()
    }

    async fn signal_changes(
        &self,
        emitter: &SignalEmitter<'_>,
        before: &CameraStatus,
        now: &CameraStatus,
    ) -> zbus::Result<()> {
        self.status_changed(emitter).await?;
        if now.source_state != before.source_state {
            self.source_state_changed(emitter).await?;
        }
        if now.text != before.text {
            self.text_changed(emitter).await?;
        }
        if now.encoder != before.encoder {
            self.encoder_changed(emitter).await?;
        }
        Ok(())
    }
}
