//! The statuses of the camera and the push program of a stream, and the status of the stream that results.

use crate::ProgramStatus;
use crate::evidence::{self, Evidence};
use crate::states::{SinkState, SourceState, StreamState};
use serde::{Deserialize, Serialize};

/// The status of a camera program, once a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraStatus {
    /// The state of the source.
    pub source_state: SourceState,
    /// For people: the problem, and how to fix it. It does not count seconds: `since` is for that.
    pub text: String,
    /// Since when the source has been in this state, in seconds of Unix time.
    pub since: Option<u64>,
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
    /// Times the source was opened again.
    pub rebuilds: u64,
    /// Width of the pictures that are sent; 0 while unknown.
    pub width: u32,
    /// Their height.
    pub height: u32,
    /// The encoder at work; empty when H.264 is passed through.
    pub encoder: String,
    /// Bit/s requested from the encoder; 0 when nothing is encoded.
    pub target_bps: u64,
    /// Programs reading now.
    pub readers: usize,
    /// RTP packets that never came.
    pub packets_lost: u64,
    /// RTP packets that came too late to be used.
    pub packets_late: u64,
    /// Datagrams that are not valid RTP.
    pub packets_malformed: u64,
    /// RTP packets of another sender than the one followed.
    pub packets_foreign: u64,
}

/// The status of a push program, once a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PushStatus {
    /// Whether the robot's video is sent.
    pub live: bool,
    /// Whether the slate is sent.
    pub slate: bool,
    /// Whether it is asked to push. False for a stream on demand without a request.
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
    /// Its state.
    pub state: SinkState,
    /// For people: the reason.
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
    /// Times the session was made again.
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
    /// Its state.
    pub state: StreamState,
    /// The state of its source.
    pub source_state: SourceState,
    /// For people: the problem, and how to fix it.
    pub text: String,
    /// Since when the source has been in its state, in seconds of Unix time.
    pub since: Option<u64>,
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

impl CameraStatus {
    /// Without the values that change all the time.
    fn without_counters(&self) -> Self {
        Self {
            frames_in: 0,
            frames_out: 0,
            bytes_out: 0,
            keyframes: 0,
            broken: 0,
            rebuilds: 0,
            packets_lost: 0,
            packets_late: 0,
            packets_malformed: 0,
            packets_foreign: 0,
            ..self.clone()
        }
    }
}

impl ProgramStatus for CameraStatus {
    fn deserves_signal(&self, before: &Self) -> bool {
        self.without_counters() != before.without_counters()
    }
}

impl PushStatus {
    /// Without the values that change all the time. Evidence has a separate rule.
    fn without_counters(&self) -> Self {
        let plain = |sink: &SinkStatus| SinkStatus {
            frames_out: 0,
            bytes_out: 0,
            bitrate_bps: 0,
            keyframes: 0,
            skipped: 0,
            ..sink.clone()
        };
        let sinks = self.sinks.iter().map(plain).collect();
        Self { latency_ms: None, sinks, evidence: Vec::new(), ..self.clone() }
    }
}

impl ProgramStatus for PushStatus {
    fn deserves_signal(&self, before: &Self) -> bool {
        self.without_counters() != before.without_counters()
            || evidence::deserves_signal(&before.evidence, &self.evidence)
    }
}

impl StreamStatus {
    /// Combines the statuses of the two programs of a stream. The caller fills in the counters of restarted programs.
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
            since: camera.and_then(|camera| camera.since),
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
        // No sink: the camera serves only the page.
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
    fn counters_deserve_no_signal_and_all_else_does() {
        let camera = CameraStatus { frames_in: 9, bytes_out: 9, rebuilds: 1, ..CameraStatus::default() };
        assert!(!camera.deserves_signal(&CameraStatus::default()));
        for changed in [
            CameraStatus { source_state: SourceState::Lost, ..camera.clone() },
            CameraStatus { text: "no frames".into(), ..camera.clone() },
            CameraStatus { since: Some(7), ..camera.clone() },
            CameraStatus { encoder: "x264enc".into(), ..camera.clone() },
            CameraStatus { target_bps: 1, ..camera.clone() },
            CameraStatus { readers: 1, ..camera.clone() },
        ] {
            assert!(changed.deserves_signal(&camera), "{changed:?}");
        }
        let with = |sink: SinkStatus| PushStatus { sinks: vec![sink], ..PushStatus::default() };
        let idle = SinkStatus::default();
        let before = with(idle.clone());
        let counted = with(SinkStatus { frames_out: 5, bytes_out: 6, bitrate_bps: 7, ..idle.clone() });
        assert!(!PushStatus { latency_ms: Some(1.0), ..counted }.deserves_signal(&before));
        for changed in [
            with(SinkStatus { state: SinkState::Publishing, ..idle.clone() }),
            with(SinkStatus { text: "refused".into(), ..idle.clone() }),
            with(SinkStatus { reconnects: 1, ..idle.clone() }),
            with(SinkStatus { uplink: "wlan0".into(), ..idle }),
            PushStatus { started: true, ..before.clone() },
            PushStatus { live: true, ..before.clone() },
            PushStatus { slate: true, ..before.clone() },
            PushStatus { sinks: Vec::new(), ..before.clone() },
            PushStatus { evidence: vec![Evidence::default()], ..before.clone() },
        ] {
            assert!(changed.deserves_signal(&before), "{changed:?}");
        }
    }

    #[test]
    fn the_sources_text_comes_first_and_a_troubled_sinks_text_names_the_sink() {
        let sink = SinkStatus {
            url: "rtmp://h/app/***".into(),
            state: SinkState::Refused,
            text: "wrong key".into(),
            ..SinkStatus::default()
        };
        let push = PushStatus { started: true, sinks: vec![sink], ..PushStatus::default() };
        let camera = CameraStatus { text: "no frames".into(), since: Some(70), ..CameraStatus::default() };
        let status = StreamStatus::of("front", Some(&camera), Some(&push));
        assert_eq!((status.text.as_str(), status.since), ("no frames", Some(70)));
        let quiet = CameraStatus::default();
        let status = StreamStatus::of("front", Some(&quiet), Some(&push));
        assert_eq!(status.text, "rtmp://h/app/***: wrong key");
    }

    #[test]
    fn a_status_of_an_older_program_with_fewer_fields_is_read() {
        let status: CameraStatus =
            serde_json::from_str(r#"{"source_state":"live","frames_in":3,"new":1}"#).unwrap();
        assert_eq!((status.source_state, status.frames_in), (SourceState::Live, 3));
    }
}
