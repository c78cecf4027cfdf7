//! The counters of a camera, shared between the streaming threads and the loop that reports.

use crate::rtp::PacketCounts;
use robocast_video::clock::MonoTime;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one camera since its process started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Access units from the source, broken ones included.
    pub frames_in: AtomicU64,
    /// Access units given to readers.
    pub frames_out: AtomicU64,
    /// Their bytes.
    pub bytes_out: AtomicU64,
    /// Keyframes among them.
    pub keyframes: AtomicU64,
    /// Access units dropped because something was missing.
    pub broken: AtomicU64,
    /// Times the source was opened again after a fault.
    pub rebuilds: AtomicU64,
    packets_lost: AtomicU64,
    packets_late: AtomicU64,
    packets_malformed: AtomicU64,
    packets_foreign: AtomicU64,
    /// When the last access unit arrived, zero before the first.
    last_frame: AtomicU64,
}

impl Counters {
    /// Counts an access unit that the source gave at `arrived`.
    pub fn count_in(&self, arrived: MonoTime) {
        self.frames_in.fetch_add(1, Relaxed);
        self.last_frame.store(arrived.0, Relaxed);
    }

    /// Counts an access unit of `bytes` that readers get.
    pub fn count_out(&self, bytes: usize, keyframe: bool) {
        self.frames_out.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        self.keyframes.fetch_add(u64::from(keyframe), Relaxed);
    }

    /// Counts an access unit that was dropped.
    pub fn count_broken(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    /// Adds packets that were received but not used, or never arrived.
    pub fn add_packets(&self, packets: PacketCounts) {
        if packets == PacketCounts::default() {
            return;
        }
        self.packets_lost.fetch_add(packets.lost, Relaxed);
        self.packets_late.fetch_add(packets.late, Relaxed);
        self.packets_malformed.fetch_add(packets.malformed, Relaxed);
        self.packets_foreign.fetch_add(packets.foreign, Relaxed);
    }

    /// All of those packets.
    #[must_use]
    pub fn packets(&self) -> PacketCounts {
        PacketCounts {
            lost: self.packets_lost.load(Relaxed),
            late: self.packets_late.load(Relaxed),
            malformed: self.packets_malformed.load(Relaxed),
            foreign: self.packets_foreign.load(Relaxed),
        }
    }

    /// When the last access unit arrived; none before the first.
    #[must_use]
    pub fn last_frame(&self) -> Option<MonoTime> {
        match self.last_frame.load(Relaxed) {
            0 => None,
            last => Some(MonoTime(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_where_it_belongs() {
        let counters = Counters::default();
        assert_eq!(counters.last_frame(), None);
        counters.count_in(MonoTime(5));
        counters.count_in(MonoTime(9));
        counters.count_out(100, true);
        counters.count_out(20, false);
        counters.count_broken();
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        assert_eq!((read(&counters.frames_in), counters.last_frame()), (2, Some(MonoTime(9))));
        assert_eq!((read(&counters.frames_out), read(&counters.bytes_out)), (2, 120));
        assert_eq!((read(&counters.keyframes), read(&counters.broken)), (1, 1));
        let some = PacketCounts { lost: 1, late: 2, malformed: 3, foreign: 4 };
        counters.add_packets(some);
        counters.add_packets(PacketCounts { lost: 10, ..PacketCounts::default() });
        assert_eq!(counters.packets(), PacketCounts { lost: 11, ..some });
    }
}
