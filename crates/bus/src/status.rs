//! What programs say of themselves.

use crate::evidence::Evidence;
use serde::{Deserialize, Serialize};

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Being set up, or its program is being started.
    #[default]
    Starting,
    /// Frames arrive.
    Live,
    /// The robot or camera is away; it is being looked for.
    Lost,
    /// Nobody watches, so the camera rests.
    Resting,
    /// It cannot work as it is set; somebody must act.
    Failed,
}

/// How one sink of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// Not asked to push, or nothing to push yet.
    #[default]
    Idle,
    /// On the way: name, TCP, TLS, handshake, publish.
    Connecting,
    /// The server takes what is sent.
    Publishing,
    /// The server cannot be reached; the next try comes soon.
    Waiting,
    /// The server said no: a wrong key, a wrong certificate. Tried again now and then.
    Refused,
    /// This sink cannot work as it is set.
    Failed,
}

/// How a whole stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Its programs are being started.
    #[default]
    Starting,
    /// The robot's video reaches at least one server.
    Live,
    /// A server gets the slate, since the robot is away.
    Slate,
    /// Neither: the robot is away and no slate is sent.
    Waiting,
    /// No server takes the stream.
    Offline,
    /// On demand, and not asked for.
    Stopped,
    /// It cannot work as it is set.
    Failed,
}

impl StreamState {
    /// Whether all is as it should be.
    #[must_use]
    pub fn well(self) -> bool {
        matches!(self, Self::Live | Self::Stopped)
    }
}

/// What a camera program says of itself, once a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraStatus {
    /// How the source is.
    pub source_state: SourceState,
    /// For people: what is wrong, and what would mend it.
    pub text: String,
    /// Access units that came from the source.
    pub frames_in: u64,
    /// Access units given to readers.
    pub frames_out: u64,
    /// Bytes given to readers.
    pub bytes_out: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Access units dropped because something was missing.
    pub broken: u64,
    /// Times the source was opened anew.
    pub rebuilds: u64,
    /// Width of the pictures that go out; 0 while unknown.
    pub width: u32,
    /// Their height.
    pub height: u32,
    /// The encoder at work; empty when H.264 is passed through.
    pub encoder: String,
    /// Bit/s the encoder is asked for; 0 when nothing is encoded.
    pub target_bps: u64,
    /// Programs reading now.
    pub readers: usize,
}

/// What a push program says of itself, once a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PushStatus {
    /// Whether what goes out is the robot's video.
    pub live: bool,
    /// Whether what goes out is the slate.
    pub slate: bool,
    /// Asked to push. False for a stream on demand that nobody asked for.
    pub started: bool,
    /// The middle latency of the last second, from the camera's socket to the server's, in ms.
    pub latency_ms: Option<f64>,
    /// The sinks, in the order of the settings.
    pub sinks: Vec<SinkStatus>,
    /// What their connections show of the uplinks.
    pub evidence: Vec<Evidence>,
}

/// One sink of a stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SinkStatus {
    /// Where to, without keys and passwords.
    pub url: String,
    /// How it is.
    pub state: SinkState,
    /// For people: why it is so.
    pub text: String,
    /// Access units sent.
    pub frames_out: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bit/s sent over the last second.
    pub bitrate_bps: u64,
    /// Keyframes among the units.
    pub keyframes: u64,
    /// Access units skipped because the uplink was too slow.
    pub skipped: u64,
    /// Times the session was made anew.
    pub reconnects: u64,
    /// The interface that its connection goes through; empty when unknown.
    pub uplink: String,
    /// Whether it is a true MPTCP connection, which the kernel moves from uplink to uplink.
    pub mptcp: bool,
}

/// One stream as `robocast run --json` and `robocast status --json` show it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamStatus {
    /// Its name.
    pub stream: String,
    /// How it is.
    pub state: StreamState,
    /// How its source is.
    pub source_state: SourceState,
    /// For people: what is wrong, and what would mend it.
    pub text: String,
    /// Access units from the source, over restarts of the camera.
    pub frames_in: u64,
    /// Access units sent on the busiest sink.
    pub frames_out: u64,
    /// Bytes sent on the busiest sink.
    pub bytes_out: u64,
    /// Bit/s over the last second, of the sink that gets the most.
    pub bitrate_bps: u64,
    /// Keyframes sent on the busiest sink.
    pub keyframes: u64,
    /// Times its camera or push program was started again.
    pub restarts: u64,
    /// The middle latency of the last second inside the box, in ms.
    pub latency_ms: Option<f64>,
    /// The sinks.
    pub sinks: Vec<SinkStatus>,
}

impl StreamStatus {
    /// Puts together what the two programs of a stream say. Counters of programs that were started
    /// again are the caller's to fill in.
    #[must_use]
    pub fn of(stream: &str, camera: Option<&CameraStatus>, push: Option<&PushStatus>) -> Self {
        let source_state = camera.map_or(SourceState::Starting, |camera| camera.source_state);
        let busiest = push.and_then(|push| push.sinks.iter().max_by_key(|sink| sink.frames_out));
        let state = state_of(source_state, camera.is_some(), push);
        let sink_text = || {
            let troubled = |sink: &&SinkStatus| {
                !matches!(sink.state, SinkState::Publishing | SinkState::Idle) && !sink.text.is_empty()
            };
            push.and_then(|push| push.sinks.iter().find(troubled))
                .map(|sink| format!("{}: {}", sink.url, sink.text))
        };
        let source_text = camera.map(|camera| camera.text.clone()).filter(|text| !text.is_empty());
        Self {
            stream: stream.to_owned(),
            state,
            source_state,
            text: source_text.or_else(sink_text).unwrap_or_default(),
            frames_in: camera.map_or(0, |camera| camera.frames_in),
            frames_out: busiest.map_or(0, |sink| sink.frames_out),
            bytes_out: busiest.map_or(0, |sink| sink.bytes_out),
            bitrate_bps: push
                .and_then(|push| push.sinks.iter().map(|sink| sink.bitrate_bps).max())
                .unwrap_or(0),
            keyframes: busiest.map_or(0, |sink| sink.keyframes),
            latency_ms: push.and_then(|push| push.latency_ms),
            sinks: push.map(|push| push.sinks.clone()).unwrap_or_default(),
            ..Self::default()
        }
    }
}

fn state_of(source: SourceState, camera: bool, push: Option<&PushStatus>) -> StreamState {
    let Some(push) = push else { return StreamState::Starting };
    if !push.started {
        return StreamState::Stopped;
    }
    let publishing = push.sinks.iter().any(|sink| sink.state == SinkState::Publishing);
    let hopeless = |sink: &SinkStatus| sink.state == SinkState::Failed;
    if publishing && push.slate {
        StreamState::Slate
    } else if publishing && push.live {
        StreamState::Live
    } else if source == SourceState::Failed || (!push.sinks.is_empty() && push.sinks.iter().all(hopeless)) {
        StreamState::Failed
    } else if push.sinks.is_empty() && source == SourceState::Live {
        // Nothing to push to: the camera serves the page alone.
        StreamState::Live
    } else if publishing && source == SourceState::Live {
        // The first keyframe is on its way.
        StreamState::Starting
    } else if source == SourceState::Live || push.slate {
        StreamState::Offline
    } else if camera && source != SourceState::Starting {
        StreamState::Waiting
    } else {
        StreamState::Starting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(live: bool, slate: bool, states: &[SinkState]) -> PushStatus {
        let sinks = states.iter().map(|&state| SinkStatus { state, ..SinkStatus::default() }).collect();
        PushStatus { live, slate, started: true, sinks, ..PushStatus::default() }
    }

    fn state(source_state: SourceState, push: &PushStatus) -> StreamState {
        let camera = CameraStatus { source_state, ..CameraStatus::default() };
        StreamStatus::of("front", Some(&camera), Some(push)).state
    }

    #[test]
    fn a_stream_is_live_when_one_server_gets_the_robots_video() {
        use SinkState::{Failed, Idle, Publishing, Waiting};
        use SourceState::{Live, Lost, Resting, Starting};
        let cases = [
            (Live, push(true, false, &[Publishing, Waiting]), StreamState::Live),
            (Lost, push(false, true, &[Publishing]), StreamState::Slate),
            (Live, push(true, false, &[Waiting]), StreamState::Offline),
            (Lost, push(false, false, &[Idle]), StreamState::Waiting),
            (Live, push(false, false, &[Publishing]), StreamState::Starting),
            (Live, push(true, false, &[Failed]), StreamState::Failed),
            (SourceState::Failed, push(false, false, &[Idle]), StreamState::Failed),
            (Starting, push(false, false, &[Idle]), StreamState::Starting),
            (Resting, PushStatus::default(), StreamState::Stopped),
        ];
        for (source, push, expected) in cases {
            assert_eq!(state(source, &push), expected, "{source:?} {push:?}");
        }
    }

    #[test]
    fn a_streams_bitrate_is_that_of_the_sink_that_gets_the_most_now() {
        let sink = |frames_out, bitrate_bps| SinkStatus { frames_out, bitrate_bps, ..SinkStatus::default() };
        let push = PushStatus { sinks: vec![sink(900, 0), sink(20, 700_000)], ..PushStatus::default() };
        let status = StreamStatus::of("front", None, Some(&push));
        assert_eq!((status.frames_out, status.bitrate_bps), (900, 700_000));
        assert_eq!(StreamStatus::of("front", None, None).bitrate_bps, 0);
    }

    #[test]
    fn a_status_of_an_older_program_with_fewer_fields_is_read() {
        let status: CameraStatus =
            serde_json::from_str(r#"{"source_state":"live","frames_in":3,"new":1}"#).unwrap();
        assert_eq!((status.source_state, status.frames_in), (SourceState::Live, 3));
    }
}
