//! RTP payloads into access units (RFC 6184): single NAL units, STAP-A and FU-A. An access unit of
//! which anything is missing or malformed is marked; no hostile payload can do more than that.

use super::reorder::HeldPacket;
use robocast_video::h264::{NalKind, push_nal, starts_picture};

/// An access unit larger than this comes from a sender that is broken or hostile.
const LARGEST: usize = 8 << 20;

/// An access unit assembled from its packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledUnit {
    /// Annex B.
    pub data: Vec<u8>,
    /// The RTP timestamp of its packets.
    pub timestamp: u32,
    /// Nothing is missing in it, and every NAL unit is one.
    pub intact: bool,
    /// Packets were lost before it: units that it refers to may be missing.
    pub after_loss: bool,
}

/// The state between packets.
#[derive(Debug, Default)]
pub struct Depacketizer {
    data: Vec<u8>,
    timestamp: Option<u32>,
    /// Where in `data` the NAL unit begins whose fragments are being joined.
    fragment: Option<usize>,
    broken: bool,
    after_loss: bool,
    /// False until the first packet: everything sent before it counts as lost.
    joined: bool,
}

impl Depacketizer {
    /// Another sender begins.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the next packet in order; `lost` means that packets before it are missing. Calls `done` with each complete
    /// access unit.
    pub fn push(&mut self, packet: &HeldPacket, lost: bool, mut done: impl FnMut(AssembledUnit)) {
        let joins = !std::mem::replace(&mut self.joined, true);
        let (really_lost, lost) = (lost, lost || joins);
        if lost {
            // The tail of the unit being assembled may be among the lost packets.
            self.broken |= self.timestamp.is_some();
            self.fragment = None;
        }
        if self.timestamp.is_some_and(|timestamp| timestamp != packet.timestamp) {
            // Its last packet had no marker.
            self.finish(&mut done);
        }
        let begins = self.timestamp.is_none();
        self.timestamp = Some(packet.timestamp);
        if lost {
            self.after_loss = true;
            // The first packet shows whether the head of this unit was lost.
            self.broken |= !begins || !begins_unit(&packet.payload, really_lost);
        }
        self.add_payload(&packet.payload);
        if packet.marker {
            self.finish(&mut done);
        }
    }

    fn finish(&mut self, done: &mut impl FnMut(AssembledUnit)) {
        let Some(timestamp) = self.timestamp.take() else { return };
        let intact = !self.broken && self.fragment.is_none();
        self.fragment = None;
        self.broken = false;
        let data = std::mem::take(&mut self.data);
        let after_loss = std::mem::take(&mut self.after_loss);
        if !data.is_empty() || !intact || after_loss {
            done(AssembledUnit { data, timestamp, intact, after_loss });
        }
    }

    fn add_payload(&mut self, payload: &[u8]) {
        if self.data.len() + payload.len() > LARGEST {
            self.data.clear();
            self.broken = true;
            return;
        }
        let Some(&first) = payload.first() else { return };
        if first & 0x80 != 0 {
            self.broken = true;
            return;
        }
        match first & 0x1f {
            1..=23 => self.add_nal(payload),
            24 => self.add_aggregate(&payload[1..]),
            28 => self.add_fragment(first, &payload[1..]),
            // Interleaved modes (25 to 27, 29) must be negotiated, and never are.
            _ => self.broken = true,
        }
    }

    fn add_nal(&mut self, nal: &[u8]) {
        // A fragmented unit that was never ended.
        self.broken |= self.fragment.take().is_some();
        if NalKind::of(nal) == NalKind::Invalid || (NalKind::of(nal).is_slice() && nal.len() < 2) {
            self.broken = true;
            return;
        }
        push_nal(&mut self.data, nal);
    }

    /// STAP-A (5.7.1): NAL units, each behind its length.
    fn add_aggregate(&mut self, mut rest: &[u8]) {
        while let [high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some((nal, next)) = behind.split_at_checked(length) else {
                self.broken = true;
                return;
            };
            self.add_nal(nal);
            rest = next;
        }
        self.broken |= !rest.is_empty();
    }

    /// FU-A (5.8): a piece of a NAL unit.
    fn add_fragment(&mut self, indicator: u8, rest: &[u8]) {
        let [header, piece @ ..] = rest else {
            self.broken = true;
            return;
        };
        let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
        let first = indicator & 0x60 | header & 0x1f;
        match (start, self.fragment) {
            (true, open) => {
                self.broken |= open.is_some();
                if NalKind::of(&[first]) == NalKind::Invalid {
                    self.fragment = None;
                    self.broken = true;
                    return;
                }
                self.fragment = Some(self.data.len() + 4);
                push_nal(&mut self.data, &[first]);
            }
            (false, Some(at)) if self.data.get(at) == Some(&first) => {}
            (false, _) => {
                self.broken = true;
                return;
            }
        }
        self.data.extend_from_slice(piece);
        if end {
            self.fragment = None;
        }
    }
}

/// Whether a payload can be the first of an access unit. After a loss an IDR slice cannot: parameter sets, even
/// changed ones, may have preceded it.
fn begins_unit(payload: &[u8], after_loss: bool) -> bool {
    let (first_nal, whole) = match payload {
        [first, _, _, nal @ ..] if first & 0x1f == 24 => (nal.to_vec(), true),
        [first, header, piece @ ..] if first & 0x1f == 28 => {
            let mut nal = vec![header & 0x1f];
            nal.extend(piece.first());
            (nal, header & 0x80 != 0)
        }
        other => (other.iter().take(2).copied().collect(), true),
    };
    whole
        && match NalKind::of(&first_nal) {
            NalKind::IdrSlice => starts_picture(&first_nal) && !after_loss,
            NalKind::Slice => starts_picture(&first_nal),
            NalKind::Delimiter | NalKind::Sps | NalKind::Pps | NalKind::Sei => true,
            _ => false,
        }
}
