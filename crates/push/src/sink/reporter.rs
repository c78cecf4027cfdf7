//! What a sink tells of itself.

use super::rate::Rate;
use crate::transport::{ConnectionHealth, milliseconds};
use robocast_bus::{Evidence, SinkState, SinkStatus};
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// More latencies than this are not kept between two looks.
const SAMPLES: usize = 256;

/// What a sink tells of itself, shared with the program's loop.
#[derive(Debug, Clone)]
pub struct SinkReporter {
    told: Arc<Mutex<Told>>,
    /// Woken when something is not to wait for the next second.
    urgent: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Told {
    status: SinkStatus,
    rate: Rate,
    /// Latencies of the units sent since the last look, in ms.
    latencies: Vec<f64>,
    /// What the connection shows of its uplinks; without the URL.
    rows: Vec<Evidence>,
    /// The uplink by which no answer comes at all, and since when.
    unreachable: Option<(String, MonoTime)>,
}

impl SinkReporter {
    pub(super) fn new(url: String, urgent: Arc<Notify>) -> Self {
        let status = SinkStatus { url, ..SinkStatus::default() };
        Self { told: Arc::new(Mutex::new(Told { status, ..Told::default() })), urgent }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the sink is.
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        let mut told = self.told();
        let bitrate_bps = told.rate.bps(MonoTime::now());
        SinkStatus { bitrate_bps, ..told.status.clone() }
    }

    /// The latencies since the last call, in ms.
    #[must_use]
    pub fn take_latencies(&self) -> Vec<f64> {
        std::mem::take(&mut self.told().latencies)
    }

    /// What its connection, or that there is none, shows of the uplinks.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let told = self.told();
        let mut rows = told.rows.clone();
        if let Some((uplink, since)) = &told.unreachable {
            rows.push(Evidence {
                interface: uplink.clone(),
                stalled: true,
                stalled_ms: milliseconds(MonoTime::now().since(*since)),
                ..Evidence::default()
            });
        }
        for row in &mut rows {
            row.url.clone_from(&told.status.url);
        }
        rows
    }

    pub(super) fn state(&self, state: SinkState, text: String) {
        let mut told = self.told();
        told.status.state = state;
        told.status.text = text;
    }

    pub(super) fn sessions(&self, count: u64) {
        self.told().status.reconnects = count.saturating_sub(1);
    }

    /// How its connection stands.
    pub(super) fn standing(&self, standing: &ConnectionHealth) {
        let mut told = self.told();
        told.status.uplink.clone_from(&standing.uplink);
        told.status.mptcp = standing.mptcp;
        let stalls = |rows: &[Evidence]| {
            let stalled = rows.iter().filter(|row| row.stalled);
            stalled.map(|row| row.interface.clone()).collect::<Vec<_>>()
        };
        let news = stalls(&told.rows) != stalls(&standing.rows);
        told.rows.clone_from(&standing.rows);
        drop(told);
        if news {
            self.urgent.notify_one();
        }
    }

    /// It has no connection any more.
    pub(super) fn gone(&self) {
        let mut told = self.told();
        told.rows.clear();
        told.status.uplink.clear();
        told.status.mptcp = false;
    }

    /// No answer has come by way of `uplink` for so long. Which uplink that is must be known.
    pub(super) fn unreachable(&self, uplink: &str, silence: Duration) {
        let mut told = self.told();
        if uplink.is_empty() || told.unreachable.as_ref().is_some_and(|(known, _)| known == uplink) {
            return;
        }
        let nanos = u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX);
        told.unreachable = Some((uplink.to_owned(), MonoTime(MonoTime::now().0.saturating_sub(nanos))));
        drop(told);
        self.urgent.notify_one();
    }

    /// An answer came, or it is tried by another uplink now: `uplink`.
    pub(super) fn reachable(&self, unless: Option<&str>) {
        let mut told = self.told();
        if told.unreachable.as_ref().is_some_and(|(known, _)| Some(known.as_str()) != unless) {
            told.unreachable = None;
            drop(told);
            self.urgent.notify_one();
        }
    }

    pub(super) fn sent(&self, unit: &AccessUnit, bytes: usize, skipped: u64) {
        let (mut told, now) = (self.told(), MonoTime::now());
        told.rate.add(now, bytes as u64);
        told.status.frames_out += 1;
        told.status.bytes_out += bytes as u64;
        told.status.keyframes += u64::from(unit.keyframe);
        told.status.skipped += skipped;
        if told.latencies.len() < SAMPLES {
            told.latencies.push(now.since(unit.arrived).as_secs_f64() * 1000.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_counts_in_the_bytes_and_in_the_rate() {
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
    fn an_uplink_without_answers_is_told_at_once_until_one_comes_or_another_is_tried() {
        let urgent = Arc::new(Notify::new());
        let report = SinkReporter::new("rtmp://host/live/***".into(), urgent);
        report.unreachable("", Duration::from_secs(2));
        assert_eq!(report.evidence(), [], "nobody knows which uplink that was");
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
