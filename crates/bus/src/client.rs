//! The other side of [`crate::server`]: what is on the bus, read by `robocast status` and `robocast update gate`.

mod follow;
mod net;

pub use follow::{follow_chosen, follow_chosen_by, follow_evidence, follow_evidence_by};
pub use net::{net, net_on_system_bus};

use crate::evidence::{Evidence, EvidenceRow};
use crate::names::Program;
use crate::server::{SinkRow, UsedRow};
use crate::status::{CameraStatus, PushStatus, SinkStatus, StreamStatus};
use std::collections::{BTreeMap, HashMap};
use zbus::fdo::{DBusProxy, PropertiesProxy};
use zbus::names::InterfaceName;
use zbus::{Connection, OwnedVariant, connection};

type Properties = HashMap<String, OwnedVariant>;

/// Every stream whose programs are on the system bus.
///
/// # Errors
/// When there is no bus.
pub async fn streams() -> zbus::Result<Vec<StreamStatus>> {
    streams_on(&connection::Builder::system().build().await?).await
}

/// The same of another bus.
///
/// # Errors
/// When it fails, or one of them does not answer.
pub async fn streams_on(bus: &Connection) -> zbus::Result<Vec<StreamStatus>> {
    let names = DBusProxy::new(bus).await?.list_names().await?;
    let mut found: BTreeMap<String, (Option<CameraStatus>, Option<PushStatus>)> = BTreeMap::new();
    for name in names {
        if let Some(stream) = Program::Camera.stream_of(&name) {
            let properties = properties(bus, Program::Camera, stream).await?;
            found.entry(stream.to_owned()).or_default().0 = Some(camera(&properties));
        } else if let Some(stream) = Program::Push.stream_of(&name) {
            let properties = properties(bus, Program::Push, stream).await?;
            found.entry(stream.to_owned()).or_default().1 = Some(push(&properties));
        }
    }
    let status = |(stream, (camera, push)): (String, (Option<CameraStatus>, Option<PushStatus>))| {
        StreamStatus::of(&stream, camera.as_ref(), push.as_ref())
    };
    Ok(found.into_iter().map(status).collect())
}

/// What the push program of `stream` says.
///
/// # Errors
/// When it is not on this bus, or does not answer.
pub async fn push_status(bus: &Connection, stream: &str) -> zbus::Result<PushStatus> {
    Ok(push(&properties(bus, Program::Push, stream).await?))
}

async fn properties(bus: &Connection, program: Program, stream: &str) -> zbus::Result<Properties> {
    let proxy = PropertiesProxy::builder(bus)
        .destination(program.bus_name(stream))
        .path(program.path(stream))
        .build()
        .await?;
    Ok(proxy.get_all(InterfaceName::try_from(program.interface())?).await?)
}

/// A property's value; the type's own default when it is missing or of another type.
fn value<T: TryFrom<OwnedVariant> + Default>(properties: &Properties, name: &str) -> T {
    properties.get(name).and_then(|value| T::try_from(value.clone()).ok()).unwrap_or_default()
}

/// A state by its word.
fn state<T: serde::de::DeserializeOwned + Default>(word: String) -> T {
    serde_json::from_value(serde_json::Value::String(word)).unwrap_or_default()
}

fn camera(from: &Properties) -> CameraStatus {
    CameraStatus {
        source_state: state(value(from, "SourceState")),
        text: value(from, "Text"),
        frames_in: value(from, "FramesIn"),
        frames_out: value(from, "FramesOut"),
        bytes_out: value(from, "BytesOut"),
        keyframes: value(from, "Keyframes"),
        broken: value(from, "Broken"),
        rebuilds: value(from, "Rebuilds"),
        width: value(from, "Width"),
        height: value(from, "Height"),
        encoder: value(from, "Encoder"),
        target_bps: value(from, "TargetBitrate"),
        readers: value::<u32>(from, "Readers") as usize,
    }
}

fn push(from: &Properties) -> PushStatus {
    let latency: f64 = value(from, "LatencyMs");
    let rows: Vec<SinkRow> = value(from, "Sinks");
    // Missing in an older program.
    let used: Vec<UsedRow> = value(from, "SinkUplinks");
    let used = used.into_iter().chain(std::iter::repeat(UsedRow::default()));
    let rates: Vec<u64> = value(from, "SinkBitrates");
    let rates = rates.into_iter().chain(std::iter::repeat(0));
    let sinks = rows.into_iter().zip(used).zip(rates).map(|((row, (uplink, mptcp)), bitrate_bps)| {
        let (url, word, text, frames_out, bytes_out, keyframes, skipped, reconnects) = row;
        SinkStatus {
            url,
            state: state(word),
            text,
            frames_out,
            bytes_out,
            bitrate_bps,
            keyframes,
            skipped,
            reconnects,
            uplink,
            mptcp,
        }
    });
    PushStatus {
        live: value(from, "Live"),
        slate: value(from, "Slate"),
        started: value(from, "Started"),
        latency_ms: (latency >= 0.0).then_some(latency),
        sinks: sinks.collect(),
        evidence: value::<Vec<EvidenceRow>>(from, "Evidence").into_iter().map(Evidence::from).collect(),
    }
}
