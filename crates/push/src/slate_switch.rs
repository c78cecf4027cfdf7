//! Chooses what is sent: the robot's video, or the slate while the robot is away. Decides at which units to switch, and
//! keeps the times increasing across every switch. Pure.

use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use std::time::Duration;

/// How long the robot's video may be absent before the slate is sent.
pub const AWAY_AFTER: Duration = Duration::from_secs(1);
/// At the start the robot gets a little longer, because it may be slow to answer.
pub const FIRST_AFTER: Duration = Duration::from_secs(3);
/// It gets longer still if it already sends and only its first keyframe is missing.
pub const KEYFRAME_AFTER: Duration = Duration::from_secs(10);

/// What is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Nothing yet.
    Nothing,
    /// The robot's video.
    Robot,
    /// The slate.
    Slate,
}

/// The switch of one stream.
#[derive(Debug)]
pub struct SlateSwitch {
    showing: Showing,
    started: MonoTime,
    /// When the robot's last decodable unit arrived.
    robot: Option<MonoTime>,
    /// The decoding time of the last unit that was sent.
    last: MonoTime,
    /// The index of the slate's next frame.
    next: usize,
}

impl SlateSwitch {
    /// A switch that starts now.
    #[must_use]
    pub fn new(now: MonoTime) -> Self {
        Self { showing: Showing::Nothing, started: now, robot: None, last: MonoTime(0), next: 0 }
    }

    /// What is sent now.
    #[must_use]
    pub fn showing(&self) -> Showing {
        self.showing
    }

    /// Handles a unit of the robot. Returns it with increasing times, or nothing if it depends on units that were not sent.
    pub fn robot(&mut self, mut unit: AccessUnit, now: MonoTime) -> Option<AccessUnit> {
        if self.showing != Showing::Robot && !unit.keyframe {
            return None;
        }
        self.showing = Showing::Robot;
        self.robot = Some(now);
        self.make_monotonic(&mut unit);
        Some(unit)
    }

    /// Whether the robot has been away for long enough to send the slate. `sending` means that it sends something, even if
    /// none of it can be decoded yet.
    #[must_use]
    pub fn away(&self, now: MonoTime, sending: bool) -> bool {
        match self.robot {
            Some(last) => now.since(last) >= AWAY_AFTER,
            None => now.since(self.started) >= if sending { KEYFRAME_AFTER } else { FIRST_AFTER },
        }
    }

    /// The index of the slate's frame to send now, out of `count`; a slate begins with its keyframe.
    pub fn slate_frame(&mut self, count: usize) -> usize {
        if self.showing != Showing::Slate {
            self.showing = Showing::Slate;
            self.next = 0;
        }
        let frame = self.next % count.max(1);
        self.next = frame + 1;
        frame
    }

    /// Makes the unit's times later than those of everything sent before.
    pub fn make_monotonic(&mut self, unit: &mut AccessUnit) {
        if unit.dts <= self.last {
            unit.dts = self.last.plus(Duration::from_micros(1));
        }
        unit.pts = unit.pts.max(unit.dts);
        self.last = unit.dts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    fn unit(ms: u64, keyframe: bool) -> AccessUnit {
        AccessUnit { data: Bytes::new(), pts: at(ms), dts: at(ms), arrived: at(ms), keyframe }
    }

    #[test]
    fn the_slate_starts_when_the_robot_is_away_and_ends_at_its_next_keyframe() {
        let mut switch = SlateSwitch::new(at(0));
        assert!(!switch.away(at(2_900), false));
        assert!(switch.robot(unit(100, false), at(100)).is_none());
        assert!(switch.robot(unit(140, true), at(140)).is_some());
        assert!(!switch.away(at(1_100), true));
        assert!(switch.away(at(1_140), true));
        assert_eq!(
            (switch.slate_frame(3), switch.slate_frame(3), switch.slate_frame(3), switch.slate_frame(3)),
            (0, 1, 2, 0)
        );
        assert_eq!(switch.showing(), Showing::Slate);
        assert!(switch.robot(unit(2_000, false), at(2_000)).is_none());
        assert!(switch.robot(unit(2_040, true), at(2_040)).is_some());
        assert_eq!(switch.showing(), Showing::Robot);
        switch.slate_frame(3);
        assert_eq!(switch.slate_frame(3), 1, "a slate begins with its keyframe again");
    }

    #[test]
    fn a_robot_never_seen_gets_a_little_longer() {
        let switch = SlateSwitch::new(at(0));
        assert!(!switch.away(at(2_999), false) && switch.away(at(3_000), false));
        assert!(!switch.away(at(9_999), true) && switch.away(at(10_000), true));
    }

    proptest! {
        #[test]
        fn times_increase_whatever_the_input(times in prop::collection::vec((0u64..10_000, any::<bool>()), 1..100)) {
            let mut switch = SlateSwitch::new(at(0));
            let mut last = MonoTime(0);
            for (ms, keyframe) in times {
                if let Some(unit) = switch.robot(unit(ms, keyframe), at(ms)) {
                    prop_assert!(unit.dts > last && unit.pts >= unit.dts);
                    last = unit.dts;
                }
            }
        }
    }
}
