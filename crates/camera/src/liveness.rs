//! Whether an open source still gives frames. Pure: durations in, a judgement out.

use std::time::Duration;

/// Without a frame for this long, a source is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// The same before its first frame: opening a session takes a moment.
const LOST_BEFORE_FIRST: Duration = Duration::from_secs(2);

/// How long an open source may be silent before it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before its first frame.
    pub first: Duration,
    /// Between frames.
    pub next: Duration,
}

impl Patience {
    /// Packets arrive unrequested. A socket that joined its group rarely needs to be reopened: only when the interface
    /// was down for some time.
    pub const PACKETS: Self = Self { first: Duration::from_secs(5), next: Duration::from_secs(2) };
    /// A session with a camera.
    pub const SESSION: Self = Self { first: Duration::from_secs(5), next: Duration::from_secs(3) };

    /// A camera whose pictures this process encodes. After `fruitless` openings in a row without a frame it gets more
    /// time than before: a busy board may need it, and would otherwise start over forever.
    #[must_use]
    pub fn encoding(fruitless: u32) -> Self {
        Self { first: Self::SESSION.first * (1 << fruitless.min(3)), ..Self::SESSION }
    }
}

/// The known state of an open source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Time since it was opened.
    pub since_open: Duration,
    /// Time since the last frame of the camera, which may be from an earlier opening; `None` before the first.
    pub since_frame: Option<Duration>,
}

/// How an open source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Frames arrive.
    Live,
    /// None arrived yet, and it is too early to judge.
    TooEarly,
    /// Frames do not arrive; they may yet.
    Lost,
    /// Frames did not arrive for longer than the source may be silent: open it again.
    TimedOut,
}

/// Judges an open source by its silence.
#[must_use]
pub fn judge_liveness(silence: Silence, patience: Patience) -> Liveness {
    let Silence { since_open, since_frame } = silence;
    // The time since the last frame of this opening.
    match since_frame.filter(|&since_frame| since_frame < since_open) {
        Some(since_frame) if since_frame < LOST_AFTER => Liveness::Live,
        Some(since_frame) if since_frame < patience.next => Liveness::Lost,
        Some(_) => Liveness::TimedOut,
        None if since_open >= patience.first => Liveness::TimedOut,
        None if since_open >= LOST_BEFORE_FIRST => Liveness::Lost,
        None => Liveness::TooEarly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn judge(since_open: u64, since_frame: Option<u64>) -> Liveness {
        let silence = Silence { since_open: ms(since_open), since_frame: since_frame.map(ms) };
        judge_liveness(silence, Patience { first: ms(5000), next: ms(3000) })
    }

    #[test]
    fn a_source_is_judged_by_the_time_since_its_last_frame_or_since_it_was_opened() {
        use Liveness::{Live, Lost, TimedOut, TooEarly};
        for (since_open, since_frame, expected) in [
            (0, None, TooEarly),
            (1999, None, TooEarly),
            (2000, None, Lost),
            (4999, None, Lost),
            (5000, None, TimedOut),
            (10, Some(0), Live),
            (10_000, Some(999), Live),
            (10_000, Some(1000), Lost),
            (10_000, Some(2999), Lost),
            (10_000, Some(3000), TimedOut),
            // The last frame was from an earlier opening.
            (1999, Some(2000), TooEarly),
            (500, Some(500), TooEarly),
            (2000, Some(60_000), Lost),
            (4999, Some(60_000), Lost),
            (5000, Some(60_000), TimedOut),
        ] {
            assert_eq!(judge(since_open, since_frame), expected, "{since_open} {since_frame:?}");
        }
    }

    #[test]
    fn each_fruitless_opening_gives_a_busy_board_more_time_for_its_first_picture() {
        let first = |fruitless| Patience::encoding(fruitless).first.as_secs();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(first), [5, 10, 20, 40, 40, 40]);
        assert_eq!(Patience::encoding(9).next, Patience::SESSION.next);
    }

    proptest! {
        #[test]
        fn more_silence_never_makes_a_source_look_better(open: u16, frame in prop::option::of(any::<u16>()), more: u16) {
            let rank = |liveness| match liveness {
                Liveness::Live => 0,
                Liveness::TooEarly => 1,
                Liveness::Lost => 2,
                Liveness::TimedOut => 3,
            };
            let now = judge(open.into(), frame.map(u64::from));
            let (open, frame) = (u64::from(open) + u64::from(more), frame.map(|f| u64::from(f) + u64::from(more)));
            prop_assert!(rank(judge(open, frame)) >= rank(now));
        }
    }
}
