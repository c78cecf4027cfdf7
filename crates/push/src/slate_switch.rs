//! What goes out: the robot's video, or the slate while the robot is away. Decides at which units to
//! change over, and keeps the times rising across every change. Pure.

use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use std::time::Duration;

/// So long may the robot's video stay away before the slate goes on.
pub const AWAY_AFTER: Duration = Duration::from_secs(1);
/// At the start the robot gets a little longer: it may just be slow to answer.
pub const FIRST_AFTER: Duration = Duration::from_secs(3);
/// And longer still when it sends already, and only its first keyframe is missing.
pub const KEYFRAME_AFTER: Duration = Duration::from_secs(10);

/// What goes out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Nothing yet.
    Nothing,
    /// The robot's video.
    Robot,
    /// The slate.
    Slate,
}

/// The decisions of one stream.
#[derive(Debug)]
pub struct SlateSwitch {
    showing: Showing,
    started: MonoTime,
    /// When the robot's last unit came that could be shown.
    robot: Option<MonoTime>,
    /// The decoding time of the last unit that went out.
    last: MonoTime,
    /// The next of the slate's frames.
    next: usize,
}

impl SlateSwitch {
    /// A mixer that starts now.
    #[must_use]
    pub fn new(now: MonoTime) -> Self {
        Self { showing: Showing::Nothing, started: now, robot: None, last: MonoTime(0), next: 0 }
    }

    /// What goes out now.
    #[must_use]
    pub fn showing(&self) -> Showing {
        self.showing
    }

    /// A unit of the robot came. What is to go out of it: itself with rising times, or nothing, when it
    /// cannot be decoded without what was not sent.
    pub fn robot(&mut self, mut unit: AccessUnit, now: MonoTime) -> Option<AccessUnit> {
        if self.showing != Showing::Robot && !unit.keyframe {
            return None;
        }
        self.showing = Showing::Robot;
        self.robot = Some(now);
        self.make_monotonic(&mut unit);
        Some(unit)
    }

    /// Whether the robot is away for so long that the slate should be on. `sending` says that something
    /// comes from it, if nothing that can be shown yet.
    #[must_use]
    pub fn away(&self, now: MonoTime, sending: bool) -> bool {
        match self.robot {
            Some(last) => now.since(last) >= AWAY_AFTER,
            None => now.since(self.started) >= if sending { KEYFRAME_AFTER } else { FIRST_AFTER },
        }
    }

    /// The index of the slate's frame to send now, out of `count`; it begins with the keyframe.
    pub fn slate_frame(&mut self, count: usize) -> usize {
        if self.showing != Showing::Slate {
            self.showing = Showing::Slate;
            self.next = 0;
        }
        let frame = self.next % count.max(1);
        self.next = frame + 1;
        frame
    }

    /// Makes the unit's times make_monotonic over everything that went out before.
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
    fn the_slate_goes_on_when_the_robot_is_away_and_off_at_its_next_keyframe() {
        let mut mixer = SlateSwitch::new(at(0));
        assert!(!mixer.away(at(2_900), false));
        assert!(mixer.robot(unit(100, false), at(100)).is_none());
        assert!(mixer.robot(unit(140, true), at(140)).is_some());
        assert!(!mixer.away(at(1_100), true));
        assert!(mixer.away(at(1_140), true));
        assert_eq!(
            (mixer.slate_frame(3), mixer.slate_frame(3), mixer.slate_frame(3), mixer.slate_frame(3)),
            (0, 1, 2, 0)
        );
        assert_eq!(mixer.showing(), Showing::Slate);
        assert!(mixer.robot(unit(2_000, false), at(2_000)).is_none());
        assert!(mixer.robot(unit(2_040, true), at(2_040)).is_some());
        assert_eq!(mixer.showing(), Showing::Robot);
        mixer.slate_frame(3);
        assert_eq!(mixer.slate_frame(3), 1, "a slate begins anew with its keyframe");
    }

    #[test]
    fn a_robot_never_seen_gets_a_little_longer() {
        let mixer = SlateSwitch::new(at(0));
        assert!(!mixer.away(at(2_999), false) && mixer.away(at(3_000), false));
        assert!(!mixer.away(at(9_999), true) && mixer.away(at(10_000), true));
    }

    proptest! {
        #[test]
        fn times_rise_whatever_comes(times in prop::collection::vec((0u64..10_000, any::<bool>()), 1..100)) {
            let mut mixer = SlateSwitch::new(at(0));
            let mut last = MonoTime(0);
            for (ms, keyframe) in times {
                if let Some(unit) = mixer.robot(unit(ms, keyframe), at(ms)) {
                    prop_assert!(unit.dts > last && unit.pts >= unit.dts);
                    last = unit.dts;
                }
            }
        }
    }
}
