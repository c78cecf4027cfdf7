//! Tests: cuts must be detected, and a simulated TCP that sends over a lossy path for 10 minutes must not be called stalled.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LOOK: u64 = 100;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn sample(at: u64, outstanding: bool, acknowledged: u64, silent: u64, rtt: u64) -> Sample {
    let (at, silent) = (MonoTime(at * 1_000_000), Some(ms(silent)));
    Sample { at, outstanding, acknowledged, silent, rtt: ms(rtt), rttvar: ms(rtt / 4) }
}

#[test]
fn a_cut_on_a_short_path_is_a_stall_after_700_ms() {
    let mut detector = Detector::default();
    assert_eq!(detector.observe(&sample(0, true, 1, 0, 5)), None);
    // The last answer arrived at 50 ms.
    assert_eq!(detector.observe(&sample(700, true, 2, 650, 5)), None);
    assert_eq!(
        detector.observe(&sample(1300, true, 2, 1250, 5)),
        None,
        "since 700, as far as the samples show"
    );
    assert_eq!(detector.observe(&sample(1400, true, 2, 1350, 5)), Some(ms(700)));
    assert_eq!(detector.observe(&sample(1500, true, 2, 10, 5)), None, "an answer out of order counts");
    assert_eq!(detector.observe(&sample(1600, true, 2, 110, 5)), None);
}

#[test]
fn data_sent_after_a_long_pause_gets_its_full_time() {
    let mut detector = Detector::default();
    assert_eq!(detector.observe(&sample(0, false, 9, 20_000, 20)), None);
    assert_eq!(detector.observe(&sample(100, true, 9, 20_100, 20)), None);
    assert_eq!(detector.observe(&sample(600, true, 9, 20_600, 20)), None);
    assert_eq!(detector.observe(&sample(800, true, 9, 20_800, 20)), Some(ms(800)));
}

#[test]
fn patience_follows_the_round_trip_time() {
    assert_eq!(patience(ms(0), ms(0)), ms(700));
    assert_eq!(patience(ms(100), ms(20)), ms(1000));
    assert_eq!(patience(ms(300), ms(40)), ms(1800));
    assert_eq!(patience(ms(300), ms(100)), ms(2400));
    assert_eq!(patience(ms(2000), ms(900)), MOST);
}

/// A TCP with a frame to send every 33 ms over a lossy path. A loss is detected by later arrivals and retransmitted at once.
/// A lost retransmission is repeated after a timeout, which doubles (RFC 6298), and nothing else is sent until it is
/// answered.
struct Sender {
    noise: u64,
    rtt: u64,
    loss: f64,
    smoothed: f64,
    variance: f64,
    now: u64,
    /// When answers arrive.
    answers: BTreeMap<u64, u32>,
    /// When a loss is detected and retransmitted.
    repeats: Vec<u64>,
    /// During timeouts: when the next one ends, and its length.
    timeout: Option<(u64, u64)>,
    /// Retransmissions of one packet that were lost in a row.
    lost: u32,
    outstanding: u32,
    acknowledged: u64,
    heard: u64,
}

impl Sender {
    fn new(seed: u64, rtt: u64, loss: f64) -> Self {
        Self {
            noise: seed * 2 + 1,
            rtt,
            loss,
            smoothed: 300.0,
            variance: 75.0,
            now: 0,
            answers: BTreeMap::new(),
            repeats: Vec::new(),
            timeout: None,
            lost: 0,
            outstanding: 0,
            acknowledged: 0,
            heard: 0,
        }
    }

    fn chance(&mut self) -> f64 {
        self.noise =
            self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.noise >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Whether a packet and its answer get through.
    fn passes(&mut self) -> bool {
        self.chance() >= self.loss && self.chance() >= self.loss
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn answer(&mut self) {
        let rtt = self.rtt + (self.chance() * 60.0) as u64;
        self.variance = 0.75 * self.variance + 0.25 * (self.smoothed - rtt as f64).abs();
        self.smoothed = 0.875 * self.smoothed + 0.125 * rtt as f64;
        *self.answers.entry(self.now + rtt).or_default() += 1;
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn first_timeout(&self) -> u64 {
        (self.smoothed + (4.0 * self.variance).max(200.0)) as u64
    }

    fn step(&mut self) {
        self.now += 1;
        if let Some(count) = self.answers.remove(&self.now) {
            self.outstanding -= count;
            self.acknowledged += u64::from(count);
            self.heard = self.now;
            // Data in flight before the timeouts gets no answer.
            if self.timeout.is_none() {
                self.lost = 0;
            }
        }
        if let Some((at, length)) = self.timeout {
            if at == self.now {
                if self.passes() {
                    self.answer();
                    self.timeout = None;
                } else {
                    self.lost += 1;
                    self.timeout = Some((self.now + 2 * length, 2 * length));
                }
            }
            return;
        }
        if self.now.is_multiple_of(33) {
            self.outstanding += 1;
            if self.passes() { self.answer() } else { self.repeats.push(self.now + self.rtt) }
        }
        let due = self.repeats.iter().filter(|&&at| at <= self.now).count();
        self.repeats.retain(|&at| at > self.now);
        for _ in 0..due {
            if self.passes() {
                self.answer();
            } else {
                let length = self.first_timeout();
                self.timeout = Some((self.now + length, length));
                self.lost = 1;
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn sample(&self) -> Sample {
        Sample {
            at: MonoTime(self.now * 1_000_000),
            outstanding: self.outstanding > 0,
            acknowledged: self.acknowledged,
            silent: Some(ms(self.now - self.heard)),
            rtt: ms(self.smoothed as u64),
            rttvar: ms(self.variance as u64),
        }
    }
}

/// The longest silence in 10 minutes, and for each sample that was called a stall the retransmissions lost by then.
fn ten_minutes(seed: u64, rtt: u64, loss: f64) -> (u64, Vec<u32>) {
    let (mut sender, mut detector, mut longest) = (Sender::new(seed, rtt, loss), Detector::default(), 0);
    let mut called = Vec::new();
    while sender.now < 600_000 {
        sender.step();
        longest = longest.max(sender.now - sender.heard);
        if sender.now.is_multiple_of(LOOK) && detector.observe(&sender.sample()).is_some() {
            called.push(sender.lost);
        }
    }
    (longest, called)
}

#[test]
fn a_path_of_300_ms_that_loses_2_percent_each_way_is_not_called_stalled() {
    let (mut longest, mut false_alarms) = (0, 0);
    for seed in 0..20 {
        let (silence, called) = ten_minutes(seed, 300, 0.02);
        longest = longest.max(silence);
        // Three retransmissions lost in a row are a stall by any measure; at this loss rate that happens once in some hours.
        assert!(called.iter().all(|&lost| lost >= 3), "seed {seed}: {called:?}");
        false_alarms += usize::from(!called.is_empty());
    }
    assert!(false_alarms <= 1, "{false_alarms} of 20 times 10 minutes");
    assert!(longest > 700, "the simulated path is too good: its longest silence was {longest} ms");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the path was like before, a cut is reported within the patience and two samples.
    #[test]
    fn a_cut_is_always_detected_in_time(seed: u64, rtt in 1u64..400, cut in 5_000u64..8_000) {
        let (mut sender, mut detector) = (Sender::new(seed / 4, rtt, 0.01), Detector::default());
        let mut called = None;
        let mut last = None;
        while sender.now < 20_000 && called.is_none() {
            if sender.now < cut { sender.step() } else { sender.now += 1; sender.outstanding = 1; }
            let at = sender.now;
            if at < cut { last = Some(sender.heard) }
            if at.is_multiple_of(LOOK) && detector.observe(&sender.sample()).is_some() && at >= cut {
                called = Some(at);
            }
        }
        let sample = sender.sample();
        let within = u64::try_from(patience(sample.rtt, sample.rttvar).as_millis()).unwrap();
        let called = called.expect("a cut is detected");
        prop_assert!(last.is_some() && called <= cut + within + 2 * LOOK, "cut {cut}, called {called}, patience {within}");
    }
}
