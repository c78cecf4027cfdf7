//! The D-Bus faces of the programs: properties with change signals, few methods.
//!
//! A program without a bus, or one that may not take its name, works all the same; it is only not seen.

mod net;

pub(crate) use net::{RobotRow, UplinkRow};
pub use net::{net, net_by};

use crate::evidence::{EvidenceRow, worth_telling};
use crate::names::Program;
use crate::status::{CameraStatus, PushStatus, SinkStatus};
use tokio::sync::{mpsc, watch};
use zbus::object_server::InterfaceRef;
use zbus::{Connection, connection, fdo};

/// What the bus asks of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraOrder {
    /// Encode at so many bit/s.
    TargetBitrate(u64),
}

/// What the bus asks of a push program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOrder {
    /// Push, although the stream is on demand.
    Start,
    /// Stop pushing.
    Stop,
}

struct Camera {
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
}

#[zbus::interface(name = "org.robocast.Camera1")]
impl Camera {
    /// `starting`, `live`, `lost`, `resting` or `failed`.
    #[zbus(property)]
    fn source_state(&self) -> String {
        word(&self.status.borrow().source_state)
    }

    /// For people: what is wrong, and what would mend it.
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

    /// Bit/s the encoder is asked for; 0 when nothing is encoded here.
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

struct Push {
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
}

/// URL, state, text, frames, bytes, keyframes, skipped frames, reconnects.
pub(crate) type SinkRow = (String, String, String, u64, u64, u64, u64, u64);

/// The interface that a sink's connection goes through, and whether the kernel may move it (MPTCP).
pub(crate) type UsedRow = (String, bool);

#[zbus::interface(name = "org.robocast.Push1")]
impl Push {
    /// Whether the robot's video goes out.
    #[zbus(property)]
    fn live(&self) -> bool {
        self.status.borrow().live
    }

    /// Whether the slate goes out.
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
            let state = word(&sink.state);
            let counts = (sink.frames_out, sink.bytes_out, sink.keyframes, sink.skipped, sink.reconnects);
            (sink.url.clone(), state, sink.text.clone(), counts.0, counts.1, counts.2, counts.3, counts.4)
        };
        self.status.borrow().sinks.iter().map(row).collect()
    }

    /// Each sink, in the same order: the interface in use (empty when unknown), and whether it is an MPTCP
    /// connection. A property of its own, so that `Sinks` stays what older readers know.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sink_uplinks(&self) -> Vec<UsedRow> {
        self.status.borrow().sinks.iter().map(|sink| (sink.uplink.clone(), sink.mptcp)).collect()
    }

    /// Each sink, in the same order: bit/s sent over the last second.
    #[zbus(property(emits_changed_signal = "false"))]
    fn sink_bitrates(&self) -> Vec<u64> {
        self.status.borrow().sinks.iter().map(|sink| sink.bitrate_bps).collect()
    }

    /// What the connections show of the uplinks: URL without secrets, interface, MPTCP, stalled, for so many
    /// ms, round trip in ms. Its signal comes when something is worth knowing, not at every ms of jitter.
    #[zbus(property)]
    fn evidence(&self) -> Vec<EvidenceRow> {
        self.status.borrow().evidence.iter().map(EvidenceRow::from).collect()
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

impl Push {
    async fn order(&self, order: PushOrder) -> fdo::Result<()> {
        self.orders.send(order).await.map_err(|_| fdo::Error::Failed("the program is ending".into()))
    }
}

/// A state's word, as in JSON.
fn word(state: &impl serde::Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether there is a system bus to be seen on: `ROBOCAST_BUS=off` says no.
#[must_use]
pub fn enabled() -> bool {
    std::env::var_os("ROBOCAST_BUS").is_none_or(|value| value != "off")
}

/// Shows a camera on the bus for as long as the future runs.
///
/// # Errors
/// When there is no bus, or it refuses the name.
pub async fn camera(
    stream: &str,
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
) -> zbus::Result<()> {
    let face = Camera { status: status.clone(), orders };
    let (connection, shown) = show(Program::Camera, stream, face).await?;
    let mut last = status.borrow().clone();
    let mut changes = status;
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().clone();
        let (emitter, face) = (shown.signal_emitter(), shown.get().await);
        if now.source_state != last.source_state {
            face.source_state_changed(emitter).await?;
        }
        if now.text != last.text {
            face.text_changed(emitter).await?;
        }
        if now.encoder != last.encoder {
            face.encoder_changed(emitter).await?;
        }
        drop(face);
        last = now;
    }
    connection.close().await
}

/// Shows a push program on the bus for as long as the future runs.
///
/// # Errors
/// When there is no bus, or it refuses the name.
pub async fn push(
    stream: &str,
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
) -> zbus::Result<()> {
    let face = Push { status: status.clone(), orders };
    let (connection, shown) = show(Program::Push, stream, face).await?;
    let mut last = status.borrow().clone();
    let mut changes = status;
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().clone();
        let (emitter, face) = (shown.signal_emitter(), shown.get().await);
        if now.live != last.live {
            face.live_changed(emitter).await?;
        }
        if now.slate != last.slate {
            face.slate_changed(emitter).await?;
        }
        if now.started != last.started {
            face.started_changed(emitter).await?;
        }
        let told = worth_telling(&last.evidence, &now.evidence);
        if told {
            face.evidence_changed(emitter).await?;
        }
        drop(face);
        let evidence = if told { now.evidence.clone() } else { last.evidence };
        last = PushStatus { evidence, ..now };
    }
    connection.close().await
}

async fn show<F: zbus::object_server::Interface>(
    program: Program,
    stream: &str,
    face: F,
) -> zbus::Result<(Connection, InterfaceRef<F>)> {
    let path = program.path(stream);
    let connection = connection::Builder::system()
        .serve_at(path.clone(), face)
        .name(program.bus_name(stream))
        .build()
        .await?;
    let shown = connection.object_server().interface(path).await?;
    Ok((connection, shown))
}
