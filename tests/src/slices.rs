//! Coded slices, as the robot's log names them and as a recording holds them.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

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

/// The slices in a robot's log (`--log`), in sending order.
pub fn sent(log: &Path) -> Vec<Slice> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.split(' ').skip(1);
        Some(Slice {
            kind: words.next()?.parse().ok()?,
            hash: u64::from_str_radix(words.next()?, 16).ok()?,
            length: words.next()?.parse().ok()?,
        })
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| parse(line).unwrap_or_else(|| panic!("a line of the robot's log: {line}")))
        .collect()
}

/// The recording without what stands before the first slice that the robot sent: the slate, where a film's first keyframe
/// was long in coming.
pub fn from_first_sent<'r>(recorded: &'r [Slice], sent: &[Slice]) -> &'r [Slice] {
    let sent: HashSet<_> = sent.iter().collect();
    let first = recorded.iter().position(|slice| sent.contains(slice)).unwrap_or(0);
    &recorded[first..]
}

/// Where in `sent` the recording stands as one piece: begun with a keyframe, in order, none missing, none extra. Footage
/// that repeats stands at several places; this is the last.
///
/// # Errors
/// What differs, at the place where most of it fits.
pub fn place(recorded: &[Slice], sent: &[Slice]) -> Result<usize, String> {
    let Some(first) = recorded.first() else { return Err("nothing was recorded".into()) };
    if first.kind != 5 {
        return Err(format!("the recording begins with {first}, not with a keyframe"));
    }
    let fitting =
        |at: usize| sent[at..].iter().zip(recorded).take_while(|(sent, recorded)| sent == recorded).count();
    let best = (0..sent.len()).filter(|&at| sent[at] == *first).max_by_key(|&at| fitting(at));
    let Some(at) = best else { return Err(format!("the first slice, {first}, was never sent")) };
    let count = fitting(at);
    if count == recorded.len() {
        return Ok(at);
    }
    let was_sent: HashSet<_> = sent.iter().collect();
    Err(format!(
        "of {} slices {count} fit, then comes {} ({}) where {} was sent",
        recorded.len(),
        recorded[count],
        if was_sent.contains(&recorded[count]) { "sent at another place" } else { "never sent" },
        sent.get(at + count).map_or("nothing".into(), Slice::to_string),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(hashes: &[u64]) -> Vec<Slice> {
        hashes
            .iter()
            .map(|&hash| Slice { kind: if hash % 10 == 0 { 5 } else { 1 }, hash, length: 9 })
            .collect()
    }

    #[test]
    fn a_whole_piece_has_its_place_and_any_other_is_told_apart() {
        let sent = slices(&[10, 11, 12, 20, 21, 22, 10, 11]);
        let told = |hashes: &[u64]| place(&slices(hashes), &sent);
        assert_eq!(told(&[20, 21, 22, 10]), Ok(3));
        assert_eq!(told(&[10, 11]), Ok(6));
        assert!(told(&[20, 22]).unwrap_err().contains("of 2 slices 1 fit"));
        assert!(told(&[20, 21, 23]).unwrap_err().contains("never sent"));
        assert!(told(&[10, 11, 11]).unwrap_err().contains("sent at another place"));
        assert!(told(&[11, 12]).unwrap_err().contains("not with a keyframe"));
        assert!(told(&[30]).unwrap_err().contains("was never sent"));
        assert!(told(&[]).is_err());
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!((fnv1a(b""), fnv1a(b"foobar")), (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8));
    }
}
