//! Counts what a probe saw.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stamp::Damage;

/// Pictures this soon after the first have a latency that still includes the start-up.
const SETTLING: Duration = Duration::from_secs(3);
/// Two pictures that are further apart than this count as a gap.
const GAP: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Tally {
    began: Instant,
    first: Option<First>,
    last: Option<Instant>,
    pub size: (u32, u32),
    frames: u64,
    keyframes: u64,
    gaps: u64,
    intervals: Vec<Duration>,
    latencies: Vec<i64>,
    bad_stamps: u64,
    repeated_stamps: u64,
    last_stamp: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct First {
    at: Instant,
    unix_millis: u64,
}

impl Tally {
    pub fn new(began: Instant) -> Self {
        Self {
            began,
            first: None,
            last: None,
            size: (0, 0),
            frames: 0,
            keyframes: 0,
            gaps: 0,
            intervals: Vec::new(),
            latencies: Vec::new(),
            bad_stamps: 0,
            repeated_stamps: 0,
            last_stamp: None,
        }
    }

    pub fn keyframe(&mut self) {
        self.keyframes += 1;
    }

    /// A decoded picture; true for the first.
    pub fn frame(&mut self, at: Instant, unix_millis: u64) -> bool {
        self.frames += 1;
        if let Some(last) = self.last.replace(at) {
            let interval = at.saturating_duration_since(last);
            self.gaps += u64::from(interval > GAP);
            self.intervals.push(interval);
        }
        let is_first = self.first.is_none();
        self.first.get_or_insert(First { at, unix_millis });
        is_first
    }

    /// The clock of the picture just counted.
    pub fn stamp(&mut self, at: Instant, unix_millis: u64, stamp: Result<u64, Damage>) {
        let Ok(millis) = stamp else {
            self.bad_stamps += 1;
            return;
        };
        self.repeated_stamps += u64::from(self.last_stamp.replace(millis) == Some(millis));
        if self.first.is_some_and(|first| at.saturating_duration_since(first.at) >= SETTLING) {
            self.latencies.push(unix_millis as i64 - millis as i64);
        }
    }

    pub fn frames(&self) -> u64 {
        self.frames
    }

    pub fn first_frame(&self) -> Option<Instant> {
        self.first.map(|first| first.at)
    }

    pub fn first_frame_unix_millis(&self) -> Option<u64> {
        self.first.map(|first| first.unix_millis)
    }

    /// The report; `clock` says whether stamps were read.
    pub fn report(mut self, clock: bool, ended: &str) -> Value {
        let watched = self.first.zip(self.last).map_or(0.0, |(first, last)| (last - first.at).as_secs_f64());
        let fps = if watched > 0.0 { (self.frames - 1) as f64 / watched } else { 0.0 };
        let mut intervals: Vec<i64> =
            self.intervals.iter().map(|interval| interval.as_millis() as i64).collect();
        let mut report = json!({
            "frames": self.frames,
            "keyframes": self.keyframes,
            "width": self.size.0,
            "height": self.size.1,
            "watched_s": rounded(watched),
            "fps": rounded(fps),
            "first_frame_s": self.first.map(|first| rounded((first.at - self.began).as_secs_f64())),
            "first_frame_unix_ms": self.first.map(|first| first.unix_millis),
            "gaps": self.gaps,
            "gap_ms": spread(&mut intervals),
            "ended": ended,
        });
        if clock {
            report["latency_frames"] = json!(self.latencies.len());
            report["latency_ms"] = spread(&mut self.latencies);
            report["bad_stamps"] = json!(self.bad_stamps);
            report["repeated_stamps"] = json!(self.repeated_stamps);
        }
        report
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Percentiles by nearest rank; null if there are no values.
fn spread(values: &mut [i64]) -> Value {
    values.sort_unstable();
    let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
    if values.is_empty() {
        return Value::Null;
    }
    json!({"p50": rank(50), "p95": rank(95), "p99": rank(99), "max": rank(100)})
}

/// The report as text for people.
pub fn text(report: &Value) -> String {
    let mut lines = String::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        let value = match value {
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
            }
            Value::String(text) => text.clone(),
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        lines.push_str(&format!("{name:<20} {value}\n"));
    }
    lines.truncate(lines.trim_end().len());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(spread(&mut []), Value::Null);
        assert_eq!(spread(&mut [7]), json!({"p50": 7, "p95": 7, "p99": 7, "max": 7}));
        let mut hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(spread(&mut hundred), json!({"p50": 50, "p95": 95, "p99": 99, "max": 100}));
    }

    #[test]
    fn latency_is_measured_after_the_first_seconds_and_gaps_are_counted() {
        let began = Instant::now();
        let mut tally = Tally::new(began);
        for index in 0..200u64 {
            let millis = 500 + index * 40 + if index >= 150 { 1000 } else { 0 };
            let at = began + Duration::from_millis(millis);
            assert_eq!(tally.frame(at, millis), index == 0);
            let latency = if index < 75 { 900 } else { 30 };
            tally.stamp(at, 10_000 + millis, Ok(10_000 + millis - latency));
        }
        tally.stamp(began, 0, Err(Damage::Check));
        let report = tally.report(true, "time");
        assert_eq!(report["frames"], 200);
        assert_eq!(report["gaps"], 1);
        assert_eq!(report["gap_ms"]["p50"], 40);
        assert_eq!(report["gap_ms"]["max"], 1040);
        assert_eq!(report["first_frame_s"], 0.5);
        assert_eq!(report["latency_frames"], 125);
        assert_eq!(report["latency_ms"]["max"], 30);
        assert_eq!(report["bad_stamps"], 1);
        assert!(text(&report).contains("p50 30"));
    }
}
