//! Damages RTP packets like a bad network or a hostile robot.

use crate::random::Random;
use crate::rtp::{self, HEADER};

/// The faults in force. Percentages are of packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    pub drop: f64,
    pub drop_next: u32,
    pub reorder: f64,
    pub duplicate: f64,
    pub corrupt: f64,
    /// Inserts packets of another SSRC with garbage instead of H.264.
    pub foreign: bool,
    /// All packets carry another payload type.
    pub wrong_payload: bool,
}

impl Faults {
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// How far corruption may reach: a server that parses its own RTP headers needs them whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Packet,
    Payload,
}

/// Applies faults packet by packet; the same seed and the same packets give the same result.
#[derive(Debug)]
pub struct Injector {
    pub faults: Faults,
    pub dropped: u64,
    reach: Reach,
    random: Random,
    held: Vec<Held>,
    foreign_ssrc: u32,
    foreign_sequence: u16,
}

#[derive(Debug)]
struct Held {
    packets_to_go: usize,
    packet: Vec<u8>,
}

impl Injector {
    pub fn new(seed: u64, reach: Reach) -> Self {
        let mut random = Random::new(seed);
        let bits = random.bits();
        Self {
            faults: Faults::default(),
            dropped: 0,
            reach,
            random,
            held: Vec::new(),
            foreign_ssrc: bits as u32,
            foreign_sequence: (bits >> 32) as u16,
        }
    }

    /// Appends the packets that replace one packet: none, one or several.
    pub fn pass(&mut self, mut packet: Vec<u8>, out: &mut Vec<Vec<u8>>) {
        let foreign = self.faults.foreign && self.random.below(4) == 0;
        let garbage = foreign.then(|| self.garbage(&packet));
        if self.faults.drop_next > 0 {
            self.faults.drop_next -= 1;
            self.dropped += 1;
        } else if self.random.happens(self.faults.drop) {
            self.dropped += 1;
        } else {
            if self.faults.wrong_payload
                && let Some(second) = packet.get_mut(1)
            {
                *second = (*second & 0x80) | (second.wrapping_add(1) & 0x7f);
            }
            if self.random.happens(self.faults.corrupt) {
                self.corrupt(&mut packet);
            }
            let copy = self.random.happens(self.faults.duplicate).then(|| packet.clone());
            if self.random.happens(self.faults.reorder) {
                let packets_to_go = 1 + self.random.below(3);
                self.held.push(Held { packets_to_go: packets_to_go + 1, packet });
            } else {
                out.push(packet);
            }
            out.extend(copy);
        }
        out.extend(garbage);
        for held in &mut self.held {
            held.packets_to_go -= 1;
        }
        out.extend(self.held.extract_if(.., |held| held.packets_to_go == 0).map(|held| held.packet));
    }

    fn corrupt(&mut self, packet: &mut Vec<u8>) {
        if packet.len() <= HEADER + 1 {
            return;
        }
        match self.random.below(3) {
            0 => {
                for _ in 0..=self.random.below(8) {
                    let at = HEADER + self.random.below(packet.len() - HEADER);
                    packet[at] ^= 1 << self.random.below(8);
                }
            }
            1 => {
                let least = if self.reach == Reach::Packet { 0 } else { HEADER + 1 };
                packet.truncate(least + self.random.below(packet.len() - least));
            }
            _ => {
                let hostile = HOSTILE[self.random.below(HOSTILE.len())];
                let end = packet.len().min(HEADER + hostile.len());
                packet[HEADER..end].copy_from_slice(&hostile[..end - HEADER]);
                if self.random.below(2) == 0 {
                    packet.truncate(end);
                }
            }
        }
    }

    fn garbage(&mut self, like: &[u8]) -> Vec<u8> {
        let payload_type = like.get(1).map_or(96, |second| second & 0x7f);
        let timestamp = like.get(4..8).map_or(0, |t| u32::from_be_bytes([t[0], t[1], t[2], t[3]]));
        let length = 20 + self.random.below(1200);
        let mut packet =
            rtp::header(payload_type, self.foreign_sequence, timestamp, self.foreign_ssrc, length);
        self.foreign_sequence = self.foreign_sequence.wrapping_add(1);
        packet.resize(HEADER + length, 0);
        self.random.fill(&mut packet[HEADER..]);
        packet[HEADER] = [0x67, 0x68, 0x65, 0x41, 0x7c][self.random.below(5)];
        if self.random.below(4) == 0 {
            packet[1] |= 0x80;
        }
        packet
    }
}

/// Payload openings that a careless depayloader trips over (RFC 6184, 5.4 to 5.8).
const HOSTILE: &[&[u8]] = &[
    &[0x00],                               // type 0: undefined
    &[0x1e],                               // type 30: undefined
    &[0x1f, 0xff],                         // type 31: undefined
    &[0x7c],                               // FU-A without its header
    &[0x7c, 0xc5],                         // FU-A that starts and ends at once
    &[0x7c, 0x45],                         // FU-A end without a start
    &[0x7c, 0x9c],                         // FU-A that carries a FU-A
    &[0x7d, 0x85, 0x00],                   // FU-B: not allowed in mode 1
    &[0x78],                               // STAP-A with nothing in it
    &[0x78, 0xff, 0xff, 0x65],             // STAP-A longer than the packet
    &[0x78, 0x00, 0x00, 0x00, 0x00],       // STAP-A of empty NAL units
    &[0x78, 0x00, 0x02, 0x78, 0x00, 0x00], // STAP-A inside a STAP-A
    &[0x79, 0x00, 0x00, 0x00, 0x01, 0x65], // STAP-B: not allowed in mode 1
    &[0x7a, 0x00, 0x00],                   // MTAP16
    &[0x67, 0xff, 0xff, 0xff, 0xff, 0xff], // parameter set full of ones
    &[0x67, 0x42, 0x00, 0x1f, 0x00, 0x00], // parameter set of an absurd size
    &[0xe5],                               // forbidden_zero_bit set
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Received;

    fn packets(count: u16) -> Vec<Vec<u8>> {
        (0..count)
            .map(|sequence| {
                let mut packet = rtp::header(96, sequence, 9000, 1, 100);
                packet.extend([0x41; 100]);
                packet
            })
            .collect()
    }

    fn run(seed: u64, faults: Faults, reach: Reach) -> (Vec<Vec<u8>>, u64) {
        let mut injector = Injector::new(seed, reach);
        injector.faults = faults;
        let mut out = Vec::new();
        for packet in packets(2000) {
            injector.pass(packet, &mut out);
        }
        (out, injector.dropped)
    }

    fn all() -> Faults {
        Faults {
            drop: 5.0,
            drop_next: 3,
            reorder: 5.0,
            duplicate: 5.0,
            corrupt: 5.0,
            foreign: true,
            wrong_payload: true,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        assert_eq!(run(1, all(), Reach::Packet), run(1, all(), Reach::Packet));
        assert_ne!(run(1, all(), Reach::Packet).0, run(2, all(), Reach::Packet).0);
    }

    #[test]
    fn without_faults_packets_pass_unchanged() {
        assert_eq!(run(1, Faults::default(), Reach::Packet), (packets(2000), 0));
    }

    #[test]
    fn dropped_packets_are_counted_and_missing() {
        let (out, dropped) = run(3, Faults { drop: 10.0, drop_next: 5, ..Faults::default() }, Reach::Packet);
        assert_eq!(out.len() as u64 + dropped, 2000);
        assert!((150..260).contains(&dropped), "{dropped}");
        assert_eq!(Received::parse(&out[0]).unwrap().sequence.min(5), 5);
    }

    #[test]
    fn reordered_packets_arrive_late_and_none_is_lost() {
        let (out, _) = run(3, Faults { reorder: 10.0, ..Faults::default() }, Reach::Packet);
        let mut sequences: Vec<_> =
            out.iter().map(|packet| Received::parse(packet).unwrap().sequence).collect();
        assert!(!sequences.is_sorted());
        assert!(out.len() >= 1997, "at most the last ones are still held");
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(sequences.len(), out.len());
    }

    #[test]
    fn duplicates_are_the_same_packet_again() {
        let (out, _) = run(3, Faults { duplicate: 10.0, ..Faults::default() }, Reach::Packet);
        let again = out.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(out.len(), 2000 + again);
        assert!((140..260).contains(&again), "{again}");
    }

    #[test]
    fn foreign_packets_have_their_own_source_and_sequence() {
        let (out, _) = run(3, Faults { foreign: true, ..Faults::default() }, Reach::Packet);
        let foreign: Vec<_> =
            out.iter().map(|p| Received::parse(p).unwrap()).filter(|p| p.ssrc != 1).collect();
        assert_eq!(out.len(), 2000 + foreign.len());
        assert!((400..600).contains(&foreign.len()));
        assert!(foreign.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    }

    #[test]
    fn a_wrong_payload_type_keeps_the_marker() {
        let mut injector = Injector::new(1, Reach::Packet);
        injector.faults.wrong_payload = true;
        let mut out = Vec::new();
        injector.pass(vec![0x80, 0x80 | 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x41], &mut out);
        let received = Received::parse(&out[0]).unwrap();
        assert_eq!((received.payload_type, received.marker), (97, true));
    }

    #[test]
    fn corruption_within_the_payload_leaves_the_header_whole() {
        let (out, _) = run(3, Faults { corrupt: 100.0, ..Faults::default() }, Reach::Payload);
        for (packet, sent) in out.iter().zip(packets(2000)) {
            assert_eq!(packet[..HEADER], sent[..HEADER]);
            assert!(packet.len() > HEADER);
        }
        let changed = out.iter().zip(packets(2000)).filter(|(packet, sent)| *packet != sent).count();
        assert!(changed > 1900, "{changed}");
        let (out, _) = run(3, Faults { corrupt: 100.0, ..Faults::default() }, Reach::Packet);
        assert!(out.iter().any(|packet| packet.len() < HEADER));
    }
}
