//! Coded slices, as the robot's log names them and as a recording holds them.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The identity of a coded slice (H.264 NAL unit types 1 to 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// `nal_unit_type`; 5 in a keyframe.
    pub kind: u8,
    /// FNV-1a 64 over the NAL unit without start code or length.
    pub hash: u64,
    /// Its bytes.
    pub length: usize,
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:016x} {}", self.kind, self.hash, self.length)
    }
}

/// FNV-1a with 64 bits (draft-eastlake-fnv), as the robot's log has it.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A slice of the robot's log.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When its access unit had been sent.
    pub at: Instant,
    pub slice: Slice,
}

/// The slices in a robot's log (`--log`), in sending order.
pub fn sent(log: &Path) -> Vec<Sent> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    // The log uses the clock of `Instant`, although `Instant` does not document it.
    let (now, clock) = (Instant::now(), Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()));
    let parse = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let slice = Slice {
            kind: words.next()?.parse().ok()?,
            hash: u64::from_str_radix(words.next()?, 16).ok()?,
            length: words.next()?.parse().ok()?,
        };
        let time = Duration::from_micros(words.next()?.parse().ok()?);
        Some(Sent { at: now - clock.checked_sub(time)?, slice })
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| parse(line).unwrap_or_else(|| panic!("a line of the robot's log: {line}")))
        .collect()
}

/// The usual time between two pictures.
pub fn usual(sent: &[Sent]) -> Duration {
    let gaps = sent.windows(2).map(|pair| pair[1].at - pair[0].at);
    let mut gaps: Vec<_> = gaps.filter(|gap| !gap.is_zero()).collect();
    gaps.sort();
    gaps.get(gaps.len() / 2).copied().unwrap_or_default()
}

/// How much longer than intended a robot was silent, in total, between two moments; nothing for one that kept its time.
pub fn held_up(sent: &[Sent], from: Instant, to: Instant) -> Duration {
    let allowed = usual(sent) * 2 + JITTER;
    let within = sent.iter().map(|sent| sent.at).filter(|at| (from..to).contains(at));
    let times: Vec<_> = std::iter::once(from).chain(within).chain([to]).collect();
    times.windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(allowed)).sum()
}

/// How late a timer may be on a machine with spare time.
const JITTER: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robot_that_keeps_its_time_is_not_held_up_and_one_that_does_not_by_so_long() {
        let slice = Slice { kind: 1, hash: 1, length: 9 };
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let sent = |times: &[u64]| times.iter().map(|&ms| Sent { at: at(ms), slice }).collect::<Vec<_>>();
        let even: Vec<_> = (0..50).map(|number| number * 40).collect();
        assert_eq!(held_up(&sent(&even), at(100), at(1900)), Duration::ZERO);
        let late: Vec<_> = even.iter().map(|&ms| if ms > 1000 { ms + 1160 } else { ms }).collect();
        assert_eq!(held_up(&sent(&late), at(100), at(3000)), Duration::from_millis(1100));
        assert_eq!(held_up(&sent(&late), at(100), at(900)), Duration::ZERO);
        assert_eq!(held_up(&sent(&late), at(1300), at(2000)), Duration::from_millis(600));
        assert_eq!(held_up(&sent(&even), at(100), at(5000)), Duration::from_millis(5000 - 1960 - 100));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!((fnv1a(b""), fnv1a(b"foobar")), (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8));
    }
}
