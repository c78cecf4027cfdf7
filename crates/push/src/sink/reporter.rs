//! The report of a sink.

use super::rate::Rate;
use crate::transport::{ConnectionHealth, milliseconds};
use robocast_bus::{Evidence, SinkState, SinkStatus};
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How many latencies are kept at most between two readings.
const SAMPLES: usize = 256;

/// The report of a sink, shared with the program's loop.
#[derive(Debug, Clone)]
pub struct SinkReporter {
    reported: Arc<Mutex<Reported>>,
    /// Notified when a change must not wait for the next second.
    urgent: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Reported {
    status: SinkStatus,
    rate: Rate,
    /// Latencies of the units sent since the last reading, in ms.
    latencies: Vec<f64>,
    /// The connection's evidence about its uplinks, without the URL.
    rows: Vec<Evidence>,
    /// The uplink through which nothing answers, and since when.
    unreachable: Option<(String, MonoTime)>,
}

impl SinkReporter {
    pub(super) fn new(url: String, urgent: Arc<Notify>) -> Self {
        let status = SinkStatus { url, ..SinkStatus::default() };
        Self { reported: Arc::new(Mutex::new(Reported { status, ..Reported::default() })), urgent }
    }

    fn reported(&self) -> MutexGuard<'_, Reported> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of the sink.
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        let mut reported = self.reported();
        let bitrate_bps = reported.rate.bps(MonoTime::now());
        SinkStatus { bitrate_bps, ..reported.status.clone() }
    }

    /// The latencies since the last call, in ms.
    #[must_use]
    pub fn take_latencies(&self) -> Vec<f64> {
        std::mem::take(&mut self.reported().latencies)
    }

    /// Evidence about the uplinks, from its connection or from the lack of one.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let reported = self.reported();
        let mut rows = reported.rows.clone();
        if let Some((uplink, since)) = &reported.unreachable {
            rows.push(Evidence {
                interface: uplink.clone(),
                stalled: true,
                stalled_ms: milliseconds(MonoTime::now().since(*since)),
                ..Evidence::default()
            });
        }
        for row in &mut rows {
            row.url.clone_from(&reported.status.url);
        }
        rows
    }

    pub(super) fn state(&self, state: SinkState, text: String) {
        let mut reported = self.reported();
        reported.status.state = state;
        reported.status.text = text;
    }

    pub(super) fn sessions(&self, count: u64) {
        self.reported().status.reconnects = count.saturating_sub(1);
    }

    /// Records the health of its connection.
    pub(super) fn connection(&self, health: &ConnectionHealth) {
        let mut reported = self.reported();
        reported.status.uplink.clone_from(&health.uplink);
        reported.status.mptcp = health.mptcp;
        let stalls = |rows: &[Evidence]| {
            let stalled = rows.iter().filter(|row| row.stalled);
            stalled.map(|row| row.interface.clone()).collect::<Vec<_>>()
        };
        let news = stalls(&reported.rows) != stalls(&health.rows);
        reported.rows.clone_from(&health.rows);
        drop(reported);
        if news {
            self.urgent.notify_one();
        }
    }

    /// Records that it has no connection.
    pub(super) fn disconnected(&self) {
        let mut reported = self.reported();
        reported.rows.clear();
        reported.status.uplink.clear();
        reported.status.mptcp = false;
    }

    /// Records that the server has not answered through `uplink` for `silence`. Ignored when the uplink is unknown.
    pub(super) fn unreachable(&self, uplink: &str, silence: Duration) {
        let mut reported = self.reported();
        if uplink.is_empty() || reported.unreachable.as_ref().is_some_and(|(known, _)| known == uplink) {
            return;
        }
        let nanos = u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX);
        reported.unreachable = Some((uplink.to_owned(), MonoTime(MonoTime::now().0.saturating_sub(nanos))));
        drop(reported);
        self.urgent.notify_one();
    }

    /// Records that the server answered; or, with `unless`, that this uplink is tried now: an entry for another uplink is
    /// removed.
    pub(super) fn reachable(&self, unless: Option<&str>) {
        let mut reported = self.reported();
        if reported.unreachable.as_ref().is_some_and(|(known, _)| Some(known.as_str()) != unless) {
            reported.unreachable = None;
            drop(reported);
            self.urgent.notify_one();
        }
    }

    pub(super) fn sent(&self, unit: &AccessUnit, bytes: usize, skipped: u64) {
        let (mut reported, now) = (self.reported(), MonoTime::now());
        reported.rate.add(now, bytes as u64);
        reported.status.frames_out += 1;
        reported.status.bytes_out += bytes as u64;
        reported.status.keyframes += u64::from(unit.keyframe);
        reported.status.skipped += skipped;
        if reported.latencies.len() < SAMPLES {
            reported.latencies.push(now.since(unit.arrived).as_secs_f64() * 1000.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_bytes_count_in_the_total_and_in_the_rate() {
        let report = SinkReporter::new("rtmp://host/live/***".into(), Arc::new(Notify::new()));
        assert_eq!(report.status().bitrate_bps, 0);
        let now = MonoTime::now();
        let unit = AccessUnit { data: vec![0].into(), pts: now, dts: now, arrived: now, keyframe: true };
        report.sent(&unit, 1000, 0);
        report.sent(&unit, 500, 2);
        let status = report.status();
        assert_eq!((status.bytes_out, status.bitrate_bps, status.skipped), (1500, 12_000, 2));
    }

    #[test]
    fn a_silent_uplink_is_reported_at_once_until_an_answer_arrives_or_another_is_tried() {
        let urgent = Arc::new(Notify::new());
        let report = SinkReporter::new("rtmp://host/live/***".into(), urgent);
        report.unreachable("", Duration::from_secs(2));
        assert_eq!(report.evidence(), [], "the uplink is unknown");
        report.unreachable("wlan0", Duration::from_millis(1500));
        let evidence = report.evidence();
        assert_eq!((evidence.len(), evidence[0].interface.as_str(), evidence[0].stalled), (1, "wlan0", true));
        assert!(evidence[0].stalled_ms >= 1500 && evidence[0].url == "rtmp://host/live/***");
        report.reachable(Some("wlan0"));
        assert_eq!(report.evidence().len(), 1, "still the same uplink");
        report.reachable(Some("wwan0"));
        assert_eq!(report.evidence(), []);
    }
}
