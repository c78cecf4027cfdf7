//! H.264 over RTP (RFC 6184): from packets to access units, with exact knowledge of what was lost.
//!
//! ```text
//! packets -> SenderFilter (one SSRC, one payload type) -> Reorder -> Depacketizer -> AccessUnits
//! ```
//! All of it is pure: bytes and times in, values out. Whether the packets came from a socket or
//! out of `rtspsrc` makes no difference.

mod depacketizer;
mod reorder;
mod sender_filter;
mod timeline;

pub use depacketizer::{Assembled, Depacketizer};
pub use reorder::Reorder;
pub use sender_filter::SenderFilter;
pub use timeline::Timeline;

use robocast_video::clock::MonoTime;
use rtp_types::RtpPacket;
use std::time::Duration;

/// Everything from packets to assembled access units, for one stream.
#[derive(Debug)]
pub struct Receiver {
    lock: SenderFilter,
    reorder: Reorder,
    depacketizer: Depacketizer,
    timeline: Timeline,
    /// What was received and not used.
    pub refused: Refused,
}

/// Packets that were received and not used, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Not RTP.
    pub malformed: u64,
    /// Of another sender or another payload type.
    pub foreign: u64,
    /// Came twice, or after they were given up.
    pub late: u64,
    /// Never came.
    pub lost: u64,
}

/// A picture as the network delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedUnit {
    /// What was assembled.
    pub assembled: Assembled,
    /// When to show it.
    pub pts: MonoTime,
    /// When its last packet came.
    pub arrived: MonoTime,
    /// Whether the sender is another one than before: nothing of the old stream holds any more.
    pub new_sender: bool,
}

/// The clock of RTP video (RFC 6184, 8.2.1).
const CLOCK_RATE: u32 = 90_000;

impl Receiver {
    /// A receiver that waits `jitter` for a missing packet, and takes only `payload_type` if given.
    #[must_use]
    pub fn new(jitter: Duration, payload_type: Option<u8>) -> Self {
        Self {
            lock: SenderFilter::new(payload_type),
            reorder: Reorder::new(jitter),
            depacketizer: Depacketizer::default(),
            timeline: Timeline::new(CLOCK_RATE),
            refused: Refused::default(),
        }
    }

    /// Takes a datagram; calls `done` for each picture that is complete now.
    pub fn datagram(&mut self, bytes: &[u8], arrived: MonoTime, mut done: impl FnMut(ReceivedUnit)) {
        let Ok(packet) = RtpPacket::parse(bytes) else {
            self.refused.malformed += 1;
            return;
        };
        let mut new_sender = false;
        match self.lock.admit(packet.ssrc(), packet.payload_type(), packet.sequence_number(), arrived) {
            sender_filter::Admitted::Same => {}
            sender_filter::Admitted::New => {
                new_sender = true;
                self.reorder.reset();
                self.depacketizer.reset();
                self.timeline.reset();
            }
            sender_filter::Admitted::Foreign => {
                self.refused.foreign += 1;
                return;
            }
        }
        let held = reorder::Packet {
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            marker: packet.marker_bit(),
            payload: packet.payload().to_vec(),
            arrived,
        };
        if !self.reorder.insert(held) {
            self.refused.late += 1;
        }
        self.release(arrived, new_sender, &mut done);
    }

    /// Time has passed: gives up packets that were waited for long enough.
    pub fn expire(&mut self, now: MonoTime, mut done: impl FnMut(ReceivedUnit)) {
        self.release(now, false, &mut done);
    }

    /// When [`Receiver::expire`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.reorder.deadline()
    }

    fn release(&mut self, now: MonoTime, mut new_sender: bool, done: &mut impl FnMut(ReceivedUnit)) {
        while let Some((packet, lost)) = self.reorder.release(now) {
            self.refused.lost += lost;
            let (timeline, lock) = (&mut self.timeline, &mut self.lock);
            let arrived = packet.arrived;
            self.depacketizer.push(&packet, lost > 0, |assembled| {
                if assembled.intact {
                    lock.productive(now);
                }
                let pts = timeline.map(assembled.timestamp, arrived);
                done(ReceivedUnit { assembled, pts, arrived, new_sender: std::mem::take(&mut new_sender) });
            });
        }
    }
}

#[cfg(test)]
mod tests;
