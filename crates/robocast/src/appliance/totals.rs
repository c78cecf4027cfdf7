//! Counters over the lives of a program: each life counts from zero.

use robocast_bus::names::Program;
use robocast_bus::{CameraStatus, ProgramStatus, PushStatus};

/// The status of a program that `robocast run` supervises.
pub trait SupervisedStatus: ProgramStatus {
    /// The stream that has this status.
    const PROGRAM: Program;

    /// This life's status with the counters of `earlier` lives added.
    fn with_earlier(&self, earlier: &Self) -> Self;

    /// The rates of a program that is silent.
    fn clear_rates(&mut self);
}

impl SupervisedStatus for CameraStatus {
    const PROGRAM: Program = Program::Camera;

    fn with_earlier(&self, earlier: &Self) -> Self {
        Self {
            frames_in: earlier.frames_in + self.frames_in,
            frames_out: earlier.frames_out + self.frames_out,
            bytes_out: earlier.bytes_out + self.bytes_out,
            keyframes: earlier.keyframes + self.keyframes,
            broken: earlier.broken + self.broken,
            rebuilds: earlier.rebuilds + self.rebuilds,
            packets_lost: earlier.packets_lost + self.packets_lost,
            packets_late: earlier.packets_late + self.packets_late,
            packets_malformed: earlier.packets_malformed + self.packets_malformed,
            packets_foreign: earlier.packets_foreign + self.packets_foreign,
            ..self.clone()
        }
    }

    fn clear_rates(&mut self) {}
}

impl SupervisedStatus for PushStatus {
    const PROGRAM: Program = Program::Push;

    fn with_earlier(&self, earlier: &Self) -> Self {
        let mut sum = self.clone();
        if sum.sinks.is_empty() {
            sum.sinks.clone_from(&earlier.sinks);
            return sum;
        }
        // By place: URLs without their keys may be the same.
        for (sink, before) in sum.sinks.iter_mut().zip(&earlier.sinks) {
            if before.url != sink.url {
                continue;
            }
            // The session of the earlier life was made again too.
            sink.reconnects += before.reconnects + u64::from(before.frames_out > 0 && sink.frames_out > 0);
            sink.frames_out += before.frames_out;
            sink.bytes_out += before.bytes_out;
            sink.keyframes += before.keyframes;
            sink.skipped += before.skipped;
        }
        sum
    }

    fn clear_rates(&mut self) {
        self.sinks.iter_mut().for_each(|sink| sink.bitrate_bps = 0);
    }
}

/// The status of a program over its lives.
#[derive(Debug, Default)]
pub struct Totals<S> {
    earlier: S,
    now: S,
}

impl<S: SupervisedStatus> Totals<S> {
    /// Takes the status of this life; returns it with the counters of all lives.
    pub fn update(&mut self, now: S) -> S {
        self.now = now;
        self.now.with_earlier(&self.earlier)
    }

    /// This process has ended: its counts stay.
    pub fn end_life(&mut self) {
        self.earlier = self.now.with_earlier(&self.earlier);
        self.earlier.clear_rates();
        self.now = S::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_bus::SinkStatus;

    fn push(frames_out: u64, reconnects: u64) -> PushStatus {
        let url = "rtmp://host/live/***".to_owned();
        let sinks =
            vec![SinkStatus { url, frames_out, reconnects, bitrate_bps: 800, ..SinkStatus::default() }];
        PushStatus { sinks, ..PushStatus::default() }
    }

    #[test]
    fn counters_go_on_over_the_death_of_a_program() {
        let mut totals = Totals::default();
        totals.update(push(100, 1));
        totals.end_life();
        let sum = totals.update(push(5, 0));
        assert_eq!((sum.sinks[0].frames_out, sum.sinks[0].reconnects), (105, 2));
        let camera = |frames_in| CameraStatus { frames_in, ..CameraStatus::default() };
        let mut totals = Totals::default();
        totals.update(camera(7));
        totals.end_life();
        assert_eq!(totals.update(camera(3)).frames_in, 10);
        assert_eq!(totals.update(camera(4)).frames_in, 11, "a life's own counter is not added to itself");
    }

    #[test]
    fn a_life_without_sinks_yet_keeps_those_of_before_but_not_their_rates() {
        let mut totals = Totals::default();
        totals.update(push(100, 0));
        totals.end_life();
        let sum = totals.update(PushStatus::default());
        assert_eq!((sum.sinks[0].frames_out, sum.sinks[0].bitrate_bps), (100, 0));
    }

    #[test]
    fn another_sink_in_the_same_place_starts_from_its_own_counters() {
        let mut totals = Totals::default();
        totals.update(push(100, 1));
        totals.end_life();
        let mut other = push(5, 0);
        other.sinks[0].url = "rtmp://elsewhere/live/***".into();
        let sum = totals.update(other);
        assert_eq!((sum.sinks[0].frames_out, sum.sinks[0].reconnects), (5, 0));
    }
}
