//! H.264 over RTP (RFC 6184): from packets to access units, with exact knowledge of losses.
//!
//! ```text
//! packets -> SenderFilter (one SSRC, one payload type) -> Reorder -> Depacketizer -> ReceivedUnit
//! ```
//! All of it is pure: bytes and times in, values out. It makes no difference whether the packets come from a
//! socket or from `rtspsrc`.

mod depacketizer;
mod reorder;
mod sender_filter;
mod timeline;

pub use depacketizer::{AssembledUnit, Depacketizer};
pub use reorder::Reorder;
pub use sender_filter::SenderFilter;
pub use timeline::Timeline;

use robocast_video::clock::MonoTime;
use rtp_types::RtpPacket;
use std::time::Duration;

/// Everything from packets to assembled access units, for one stream.
#[derive(Debug)]
pub struct Receiver {
    filter: SenderFilter,
    reorder: Reorder,
    depacketizer: Depacketizer,
    timeline: Timeline,
    counts: PacketCounts,
}

/// Packets that were received but not used, or never arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Never arrived.
    pub lost: u64,
    /// Arrived twice, or after they were given up.
    pub late: u64,
    /// Not RTP.
    pub malformed: u64,
    /// Of another sender or another payload type.
    pub foreign: u64,
}

/// An access unit as the network delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedUnit {
    /// The unit.
    pub assembled: AssembledUnit,
    /// When to show it.
    pub pts: MonoTime,
    /// When its last packet arrived.
    pub arrived: MonoTime,
    /// Whether the sender is another one than before: nothing known of the old stream holds.
    pub new_sender: bool,
}

/// The clock of RTP video (RFC 6184, 8.2.1).
const CLOCK_RATE: u32 = 90_000;

impl Receiver {
    /// A receiver that waits `jitter` for a missing packet, and accepts only `payload_type` if given.
    #[must_use]
    pub fn new(jitter: Duration, payload_type: Option<u8>) -> Self {
        Self {
            filter: SenderFilter::new(payload_type),
            reorder: Reorder::new(jitter),
            depacketizer: Depacketizer::default(),
            timeline: Timeline::new(CLOCK_RATE),
            counts: PacketCounts::default(),
        }
    }

    /// Receives a datagram; calls `done` for each access unit that is complete now.
    pub fn receive_datagram(&mut self, bytes: &[u8], arrived: MonoTime, mut done: impl FnMut(ReceivedUnit)) {
        let Ok(packet) = RtpPacket::parse(bytes) else {
            self.counts.malformed += 1;
            return;
        };
        let mut new_sender = false;
        match self.filter.admit(packet.ssrc(), packet.payload_type(), packet.sequence_number(), arrived) {
            sender_filter::Admission::Same => {}
            sender_filter::Admission::New => {
                new_sender = true;
                self.reorder.reset();
                self.depacketizer.reset();
                self.timeline.reset();
            }
            sender_filter::Admission::Foreign => {
                self.counts.foreign += 1;
                return;
            }
        }
        let held = reorder::HeldPacket {
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            marker: packet.marker_bit(),
            payload: packet.payload().to_vec(),
            arrived,
        };
        if !self.reorder.insert(held) {
            self.counts.late += 1;
        }
        self.release(arrived, new_sender, &mut done);
    }

    /// Gives up packets after the longest wait.
    pub fn expire(&mut self, now: MonoTime, mut done: impl FnMut(ReceivedUnit)) {
        self.release(now, false, &mut done);
    }

    /// When [`Receiver::expire`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.reorder.deadline()
    }

    /// The counts since the last call.
    pub fn take_counts(&mut self) -> PacketCounts {
        std::mem::take(&mut self.counts)
    }

    fn release(&mut self, now: MonoTime, mut new_sender: bool, done: &mut impl FnMut(ReceivedUnit)) {
        while let Some((packet, lost)) = self.reorder.release(now) {
            self.counts.lost += lost;
            let (timeline, filter) = (&mut self.timeline, &mut self.filter);
            let arrived = packet.arrived;
            self.depacketizer.push(&packet, lost > 0, |assembled| {
                if assembled.intact {
                    filter.note_whole_unit(now);
                }
                let pts = timeline.map_timestamp(assembled.timestamp, arrived);
                done(ReceivedUnit { assembled, pts, arrived, new_sender: std::mem::take(&mut new_sender) });
            });
        }
    }
}

#[cfg(test)]
mod tests;
