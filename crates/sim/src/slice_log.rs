//! The log of what was sent, to check that a stream arrives bit for bit.
//!
//! One line per coded slice (NAL unit types 1 to 5), in sending order: `SEQUENCE TYPE HASH LENGTH TIME`. SEQUENCE numbers
//! the access units from 0 (an access unit that was not sent leaves a gap), TYPE is `nal_unit_type`, HASH is FNV-1a 64 in 16
//! hex digits over the NAL unit without its start code, LENGTH its bytes. TIME is when the access unit had been sent, in
//! microseconds of the machine's monotonic clock. It shows how late the robot itself was, so that this is not counted
//! against a receiver.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::access_unit::{AccessUnit, nal_type};

/// FNV-1a with 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Now, by the machine's monotonic clock.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The lines of one access unit that was sent at `time`.
pub fn lines(sequence: u64, unit: &AccessUnit, time: Duration) -> String {
    let time = time.as_micros();
    let mut lines = String::new();
    for slice in unit.slices() {
        let _ =
            writeln!(lines, "{sequence} {} {:016x} {} {time}", nal_type(slice), fnv1a(slice), slice.len());
    }
    lines
}

/// A file of such lines; it grows by whole access units.
#[derive(Debug)]
pub struct SliceLog {
    file: File,
    path: PathBuf,
}

impl SliceLog {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an access unit that was just sent. All its lines are one write: a reader sees all of them or none.
    pub fn append(&mut self, sequence: u64, unit: &AccessUnit) -> io::Result<()> {
        self.file.write_all(lines(sequence, unit, now()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn each_slice_gives_one_line_and_parameter_sets_none() {
        let unit = AccessUnit::from_annex_b(b"\0\0\x01\x67abc\0\0\x01\x68d\0\0\x01\x65foo\0\0\x01\x41bar");
        let expected =
            format!("7 5 {:016x} 4 1500\n7 1 {:016x} 4 1500\n", fnv1a(b"\x65foo"), fnv1a(b"\x41bar"));
        assert_eq!(lines(7, &unit, Duration::from_micros(1500)), expected);
    }

    #[test]
    fn a_reopened_log_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slices");
        let unit = AccessUnit::from_annex_b(b"\0\0\x01\x41x");
        for sequence in 0..3 {
            SliceLog::open(&path).unwrap().append(sequence, &unit).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let times: Vec<u64> =
            text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(times.len() == 3 && times.is_sorted() && times[0] > 0, "{times:?}");
        assert!(u128::from(times[2]) <= now().as_micros());
    }
}
