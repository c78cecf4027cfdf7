//! Whether recordings match a robot's own record of what it sent and when.
//!
//! A robot that keeps its time is recorded as one piece: begun with a keyframe, in order, none missing, none extra.
//! Where it was silent long enough that the product must report `lost` (a busy machine may starve a simulated one), its
//! video may end, a slate may replace it, and it continues with its next keyframe: there, and nowhere else.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::flv::{Frame, Recording};
use crate::slices::{Sent, Slice, usual};

/// After this long without the robot's video the slate starts.
const AWAY: Duration = Duration::from_secs(1);
/// After this long its source is reopened; what it sends meanwhile may be missed.
const REOPENED: Duration = Duration::from_secs(2);
const OPENING: Duration = Duration::from_secs(1);
/// No picture is later than this.
const LATE: Duration = Duration::from_secs(1);

/// A recorded picture of the robot's.
struct Picture<'r> {
    frame: &'r Frame,
    /// The one before it in its recording, of the robot's too.
    before: Option<&'r Frame>,
    /// Whether a picture that is not the robot's is directly before it.
    behind_slate: bool,
}

struct Judge<'j> {
    pictures: Vec<Picture<'j>>,
    /// Whether a picture that is not the robot's is at the very end.
    ends_in_slate: bool,
    sent: &'j [Sent],
    usual: Duration,
    /// How long the machine held everybody up between two moments.
    machine: &'j dyn Fn(Instant, Instant) -> Duration,
}

/// Judges recordings, one behind the other, from the robot's first picture on.
///
/// # Errors
/// The difference, at the place where most of it fits.
pub fn exactly(
    recordings: &[Recording],
    sent: &[Sent],
    machine: &dyn Fn(Instant, Instant) -> Duration,
) -> Result<(), String> {
    let known: HashSet<Slice> = sent.iter().map(|sent| sent.slice).collect();
    let mut judge = Judge { pictures: Vec::new(), ends_in_slate: false, sent, usual: usual(sent), machine };
    for recording in recordings {
        recording.times_rise()?;
        let mut before = None;
        for frame in &recording.frames {
            let ours = frame.is_of(&known);
            if ours {
                judge.pictures.push(Picture { frame, before, behind_slate: judge.ends_in_slate });
                before = Some(frame);
            }
            judge.ends_in_slate = !ours;
        }
    }
    let Some(first) = judge.pictures.first() else {
        return Err("nothing of the robot's was recorded".into());
    };
    let first = first.frame.slices[0];
    if first.kind != 5 {
        return Err(format!("the robot's video begins with {first}, not with a keyframe"));
    }
    // Footage that repeats is at several places.
    let mut worst = (0, String::new());
    for at in (0..sent.len()).filter(|&at| sent[at].slice == first) {
        match judge.follow(at) {
            Ok(()) => return Ok(()),
            Err(found) if found.0 > worst.0 || worst.1.is_empty() => worst = found,
            Err(_) => {}
        }
    }
    Err(format!("of {} pictures {} fit, then {}", judge.pictures.len(), worst.0, worst.1))
}

impl Judge<'_> {
    /// From a place in the sent pictures onwards. A fault comes with the number of pictures that fit.
    fn follow(&self, begin: usize) -> Result<(), (usize, String)> {
        let mut at = begin;
        for (number, picture) in self.pictures.iter().enumerate() {
            let place = if number == 0 { Ok(at) } else { self.goes_on(picture, at) };
            let place = place.map_err(|what| (number, what))?;
            if !self.stands(picture, place) {
                return Err((number, format!("comes {} of another picture", picture.frame.slices[0])));
            }
            at = place + picture.frame.slices.len();
        }
        let over = || self.sent.get(at).map_or_else(Instant::now, |sent| sent.at);
        if self.ends_in_slate && self.silence(at, over()) < AWAY {
            return Err((self.pictures.len(), "comes what was never sent, at the end".into()));
        }
        Ok(())
    }

    /// Whether a picture was sent at this place.
    fn stands(&self, picture: &Picture<'_>, at: usize) -> bool {
        let slices = &picture.frame.slices;
        self.sent
            .get(at..at + slices.len())
            .is_some_and(|sent| sent.iter().map(|sent| &sent.slice).eq(slices))
    }

    /// How long, for the product, nothing arrived from the robot before the picture sent at `at`.
    fn silence(&self, at: usize, until: Instant) -> Duration {
        let from = self.sent[at - 1].at;
        until - from + (self.machine)(from, until + OPENING)
    }

    /// The place of the next picture: at `at`, or at the next keyframe when the robot was silent directly before `at`.
    fn goes_on(&self, picture: &Picture<'_>, at: usize) -> Result<usize, String> {
        let slice = picture.frame.slices[0];
        let Some(next) = self.sent.get(at) else {
            return Err(format!("comes {slice} where nothing was sent"));
        };
        let mut place = at;
        if picture.behind_slate || !self.stands(picture, at) {
            let silence = self.silence(at, next.at);
            if silence < AWAY {
                let what = if picture.behind_slate { "what was never sent, and " } else { "" };
                let word =
                    if self.sent.iter().any(|sent| sent.slice == slice) { "elsewhere" } else { "never" };
                return Err(format!("comes {what}{slice} (sent {word}) where {} was sent", next.slice));
            }
            let Some(keyframe) = self.resumes(picture, at, silence) else {
                return Err(format!("comes {slice}, no next keyframe, after a silence of {silence:?}"));
            };
            place = keyframe;
        }
        // A whole missing round of a film would show only in the times.
        if let Some(before) = picture.before {
            let gap = Duration::from_millis((picture.frame.ms - before.ms).into());
            let late = self.silence(at, self.sent[place].at).saturating_sub(self.usual);
            if gap >= LATE + late {
                return Err(format!("comes a gap of {gap:?}, where the robot was late by {late:?}"));
            }
        }
        Ok(place)
    }

    /// The first keyframe from `at` on, or a later one if the source was being opened by then.
    fn resumes(&self, picture: &Picture<'_>, at: usize, silence: Duration) -> Option<usize> {
        let sent = self.sent;
        let open = sent[at].at + if silence >= REOPENED { OPENING } else { Duration::ZERO };
        let begins = |&place: &usize| sent[place].slice.kind == 5 && sent[place - 1].at != sent[place].at;
        for place in (at..sent.len()).filter(begins) {
            if self.stands(picture, place) {
                return Some(place);
            }
            if sent[place].at >= open {
                break;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(hashes: &[u64]) -> Vec<Slice> {
        hashes
            .iter()
            .map(|&hash| Slice { kind: if hash.is_multiple_of(10) { 5 } else { 1 }, hash, length: 9 })
            .collect()
    }

    /// Each sent 40 ms after the one before it, except one that is `late` ms later.
    fn sent(hashes: &[u64], held_up: usize, late: u64) -> Vec<Sent> {
        let begin = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        let at = |index: usize| 40 * index as u64 + if index >= held_up { late } else { 0 };
        let sent = |(index, slice)| Sent { at: begin + Duration::from_millis(at(index)), slice };
        slices(hashes).into_iter().enumerate().map(sent).collect()
    }

    /// One picture each, with its time.
    fn recording(pictures: &[(u32, u64)]) -> Recording {
        let frame = |&(ms, hash): &(u32, u64)| Frame {
            ms,
            keyframe: hash.is_multiple_of(10),
            slices: slices(&[hash]),
        };
        Recording { frames: pictures.iter().map(frame).collect(), ..Recording::default() }
    }

    fn evenly(hashes: &[u64]) -> Recording {
        recording(&hashes.iter().zip((0..).step_by(40)).map(|(&hash, ms)| (ms, hash)).collect::<Vec<_>>())
    }

    fn judged(recordings: &[Recording], sent: &[Sent]) -> Result<(), String> {
        exactly(recordings, sent, &|_, _| Duration::ZERO)
    }

    const FILM: [u64; 8] = [10, 11, 12, 20, 21, 22, 10, 11];

    #[test]
    fn of_a_robot_that_keeps_its_time_one_whole_piece_is_right_and_all_else_is_not() {
        let sent = sent(&FILM, 0, 0);
        let told = |hashes: &[u64]| judged(&[evenly(hashes)], &sent);
        for right in [&FILM[..], &[20, 21, 22, 10], &[10, 11], &[98, 99, 20, 21]] {
            assert_eq!(told(right), Ok(()), "{right:?}");
        }
        for (wrong, why) in [
            (&[20, 22][..], "of 2 pictures 1 fit, then comes 1 0000000000000016 9 (sent elsewhere)"),
            (&[20, 98, 99], "what was never sent, at the end"),
            (&[20, 98, 21], "what was never sent, and"),
            (&[10, 11, 11], "sent elsewhere"),
            (&[10, 11, 12, 10], "sent elsewhere"),
            (&[10, 98, 11], "what was never sent"),
            (&[20, 21, 98], "what was never sent, at the end"),
            (&[11, 12], "not with a keyframe"),
            (&[30], "nothing of the robot's"),
            (&[], "nothing of the robot's"),
        ] {
            let told = told(wrong).unwrap_err();
            assert!(told.contains(why), "{wrong:?}: {told}");
        }
        let two = |first: &[u64], second: &[u64]| judged(&[evenly(first), evenly(second)], &sent);
        assert_eq!(two(&[10, 11], &[12, 20]), Ok(()));
        assert!(two(&[10, 11], &[20, 21]).is_err(), "one is lost between them");
        assert!(two(&[10, 11], &[11, 12]).is_err(), "one comes twice");
        let late = recording(&[(0, 20), (40, 21), (1040, 22)]);
        assert!(judged(&[late], &sent).unwrap_err().contains("a gap of 1s"));
        let back = recording(&[(0, 20), (40, 21), (40, 22)]);
        assert!(judged(&[back], &sent).is_err());
    }

    #[test]
    fn a_robot_that_was_silent_for_long_may_be_left_and_taken_up_again_with_its_next_keyframe() {
        let held_up = |late: u64| sent(&FILM, 2, late);
        let slate = recording(&[(0, 10), (40, 11), (1050, 98), (1250, 99), (1450, 20), (1490, 21)]);
        let gone = recording(&[(0, 10), (40, 11), (1450, 20), (1490, 21)]);
        let whole = recording(&[(0, 10), (40, 11), (1280, 12), (1320, 20)]);
        for right in [&slate, &gone, &whole] {
            assert_eq!(judged(std::slice::from_ref(right), &held_up(1200)), Ok(()));
        }
        let wrong = |recording: &Recording, late: u64| {
            judged(std::slice::from_ref(recording), &held_up(late)).unwrap_err()
        };
        assert!(wrong(&slate, 900).contains("what was never sent"));
        assert!(wrong(&gone, 900).contains("sent elsewhere"));
        assert!(wrong(&whole, 100).contains("a gap of"));
        let shown = recording(&[(0, 10), (40, 11), (1050, 98), (1250, 12), (1450, 20)]);
        assert!(wrong(&shown, 1200).contains("no next keyframe"));
        let second = recording(&[(0, 10), (40, 11), (1050, 98), (1600, 10), (1640, 11)]);
        assert!(wrong(&second, 1200).contains("no next keyframe"));
        assert_eq!(
            judged(std::slice::from_ref(&second), &held_up(2500)),
            Ok(()),
            "the source was being opened"
        );
        // A machine that held everybody up counts as the robot's silence.
        let busy = |from: Instant, to: Instant| {
            Duration::from_millis(if to - from > Duration::from_millis(1500) { 300 } else { 0 })
        };
        assert_eq!(exactly(&[slate], &held_up(900), &busy), Ok(()));
    }
}
