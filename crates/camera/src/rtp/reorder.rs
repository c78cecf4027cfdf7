//! Puts packets in order: a missing one is waited for a little while, then given up.

use robocast_video::clock::MonoTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// The parts of an RTP packet that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPacket {
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
    pub arrived: MonoTime,
}

/// More packets than this are never held: it is a jump, not a gap.
const MOST: usize = 1024;
/// A sequence number this far off is a jump of the sender (RFC 3550, A.1: `MAX_DROPOUT`).
const JUMP: i64 = 3000;

/// The reordering buffer. In-order packets pass without any delay.
#[derive(Debug)]
pub struct Reorder {
    wait: Duration,
    /// The sequence number wanted next, extended so that it never wraps.
    next: Option<i64>,
    held: BTreeMap<i64, HeldPacket>,
}

impl Reorder {
    /// A buffer that waits `wait` for a missing packet.
    #[must_use]
    pub fn new(wait: Duration) -> Self {
        Self { wait, next: None, held: BTreeMap::new() }
    }

    /// Another sender begins.
    pub fn reset(&mut self) {
        self.next = None;
        self.held.clear();
    }

    /// Inserts a packet; false when it is a duplicate or too late.
    pub fn insert(&mut self, packet: HeldPacket) -> bool {
        let sequence = i64::from(packet.sequence);
        let Some(next) = self.next else {
            self.next = Some(sequence);
            self.held.insert(sequence, packet);
            return true;
        };
        // The extended number nearest to the one wanted.
        let offset = (sequence - next).rem_euclid(1 << 16);
        let offset = if offset >= 1 << 15 { offset - (1 << 16) } else { offset };
        let extended = next + offset;
        if offset.abs() > JUMP {
            // The sender jumped: the held packets are given up, and the jump shows as a loss.
            self.held.clear();
            self.next = Some(sequence - 1);
            self.held.insert(sequence, HeldPacket { arrived: MonoTime(0), ..packet });
            return true;
        }
        if extended < next || self.held.contains_key(&extended) {
            return false;
        }
        self.held.insert(extended, packet);
        true
    }

    /// The next packet in order, and how many before it are given up.
    pub fn release(&mut self, now: MonoTime) -> Option<(HeldPacket, u64)> {
        let next = self.next?;
        let (&first, packet) = self.held.first_key_value()?;
        let lost = first - next;
        if lost > 0 && now.since(packet.arrived) < self.wait && self.held.len() <= MOST {
            return None;
        }
        let (_, mut packet) = self.held.pop_first()?;
        if packet.arrived == MonoTime(0) {
            packet.arrived = now;
        }
        self.next = Some(first + 1);
        Some((packet, u64::try_from(lost).unwrap_or(0)))
    }

    /// When the oldest missing packet is given up.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        let (&first, packet) = self.held.first_key_value()?;
        (Some(first) != self.next).then(|| packet.arrived.plus(self.wait))
    }
}
