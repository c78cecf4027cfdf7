//! The object of a push program.

use super::StatusObject;
use crate::dictionary::{Dictionary, to_dictionary};
use crate::{Evidence, PushStatus, SinkStatus};
use tokio::sync::{mpsc, watch};
use zbus::fdo;
use zbus::object_server::SignalEmitter;

/// The requests to a push program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOrder {
    /// Push, although the stream is on demand.
    Start,
    /// Stop pushing.
    Stop,
}

/// The object of a push program.
#[derive(Clone)]
pub(crate) struct PushObject {
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
}

/// URL, state, text, frames, bytes, keyframes, skipped frames, reconnects.
type SinkRow = (String, String, String, u64, u64, u64, u64, u64);

/// The interface that a sink's connection uses, and whether the kernel may move it (MPTCP).
type UsedRow = (String, bool);

/// URL, interface, MPTCP, stalled, for how many ms, round trip in ms.
type EvidenceRow = (String, String, bool, bool, u32, u32);

#[zbus::interface(name = "org.robocast.Push1")]
impl PushObject {
    /// The whole status, as a dictionary. Its signal is sent when more than counters changed.
    #[zbus(property)]
    fn status(&self) -> Dictionary {
        to_dictionary(&*self.status.borrow())
    }

    /// Whether the robot's video is sent.
    #[zbus(property)]
    fn live(&self) -> bool {
        self.status.borrow().live
    }

    /// Whether the slate is sent.
    #[zbus(property)]
    fn slate(&self) -> bool {
        self.status.borrow().slate
    }

    /// Whether it pushes; a stream on demand does when asked to.
    #[zbus(property)]
    fn started(&self) -> bool {
        self.status.borrow().started
    }

    /// The middle latency of the last second in ms; negative while unknown.
    #[zbus(property(emits_changed_signal = "false"))]
    fn latency_ms(&self) -> f64 {
        self.status.borrow().latency_ms.unwrap_or(-1.0)
    }

    /// Each sink: URL without secrets, state, text, frames, bytes, keyframes, skipped, reconnects.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sinks(&self) -> Vec<SinkRow> {
        let row = |sink: &SinkStatus| {
            let state = sink.state.word().to_owned();
            let counts = (sink.frames_out, sink.bytes_out, sink.keyframes, sink.skipped, sink.reconnects);
            (sink.url.clone(), state, sink.text.clone(), counts.0, counts.1, counts.2, counts.3, counts.4)
        };
        self.status.borrow().sinks.iter().map(row).collect()
    }

    /// Each sink, in the same order: the interface in use (empty when unknown), and whether it is an MPTCP connection.
    /// A separate property, so that `Sinks` keeps the form that older readers know.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sink_uplinks(&self) -> Vec<UsedRow> {
        self.status.borrow().sinks.iter().map(|sink| (sink.uplink.clone(), sink.mptcp)).collect()
    }

    /// Each sink, in the same order: bit/s sent over the last second.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sink_bitrates(&self) -> Vec<u64> {
        self.status.borrow().sinks.iter().map(|sink| sink.bitrate_bps).collect()
    }

    /// What the connections show of the uplinks: URL without secrets, interface, MPTCP, stalled, for how many ms, round
    /// trip in ms. Its signal is sent for changes that matter, not for every ms of jitter.
    #[zbus(property)]
    fn evidence(&self) -> Vec<EvidenceRow> {
        let row = |evidence: &Evidence| {
            let Evidence { url, interface, mptcp, stalled, stalled_ms, rtt_ms } = evidence.clone();
            (url, interface, mptcp, stalled, stalled_ms, rtt_ms)
        };
        self.status.borrow().evidence.iter().map(row).collect()
    }

    /// Pushes, although the stream is on demand.
    async fn start(&self) -> fdo::Result<()> {
        self.order(PushOrder::Start).await
    }

    /// Stops pushing until it is started again.
    async fn stop(&self) -> fdo::Result<()> {
        self.order(PushOrder::Stop).await
    }
}

impl PushObject {
    pub(crate) fn new(status: watch::Receiver<PushStatus>, orders: mpsc::Sender<PushOrder>) -> Self {
        Self { status, orders }
    }

    async fn order(&self, order: PushOrder) -> fdo::Result<()> {
        self.orders.send(order).await.map_err(|_| fdo::Error::Failed("the program is ending".into()))
    }
}

impl StatusObject for PushObject {
    type Status = PushStatus;

    fn receiver(&self) -> watch::Receiver<PushStatus> {
        self.status.clone()
    }

    async fn signal_changes(
        &self,
        emitter: &SignalEmitter<'_>,
        before: &PushStatus,
        now: &PushStatus,
    ) -> zbus::Result<()> {
        self.status_changed(emitter).await?;
        if now.live != before.live {
            self.live_changed(emitter).await?;
        }
        if now.slate != before.slate {
            self.slate_changed(emitter).await?;
        }
        if now.started != before.started {
            self.started_changed(emitter).await?;
        }
        if now.evidence != before.evidence {
            self.evidence_changed(emitter).await?;
        }
        Ok(())
    }
}
