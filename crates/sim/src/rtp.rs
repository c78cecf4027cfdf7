//! H.264 over RTP (RFC 3550, RFC 6184 packetization mode 1): single NAL unit packets and FU-A fragments.

use std::time::Duration;

use crate::access_unit::AccessUnit;
use crate::random::Random;

/// The largest packet, including the RTP header, as `rtph264pay` and most cameras send it.
pub const MTU: usize = 1400;
pub const HEADER: usize = 12;
pub const CLOCK_RATE: u32 = 90_000;

const FU_A: u8 = 28;
const STAP_A: u8 = 24;

/// The random numbers of one RTP session of a robot; a reboot draws new ones.
#[derive(Clone, Debug)]
pub struct Session {
    pub ssrc: u32,
    sequence: u16,
    timestamp_base: u32,
}

impl Session {
    pub fn draw(random: &mut Random) -> Self {
        let (a, b) = (random.bits(), random.bits());
        Self { ssrc: a as u32, sequence: (a >> 32) as u16, timestamp_base: b as u32 }
    }
}

/// Cuts access units into RTP packets with running sequence numbers.
#[derive(Clone, Debug)]
pub struct Packetizer {
    session: Session,
    payload_type: u8,
    mtu: usize,
}

impl Packetizer {
    /// # Panics
    /// When `mtu` leaves no room for a fragment.
    pub fn new(session: Session, payload_type: u8, mtu: usize) -> Self {
        assert!(mtu > HEADER + 2, "an MTU of {mtu} holds no fragment");
        Self { session, payload_type, mtu }
    }

    pub fn ssrc(&self) -> u32 {
        self.session.ssrc
    }

    pub fn begin(&mut self, session: Session) {
        self.session = session;
    }

    /// Appends the packets of one access unit shown at `at`; the last one carries the marker.
    pub fn packetize(&mut self, unit: &AccessUnit, at: Duration, packets: &mut Vec<Vec<u8>>) {
        let timestamp = self.timestamp(at);
        let first = packets.len();
        for nal in unit.nals() {
            self.packetize_nal(nal, timestamp, packets);
        }
        if packets.len() > first
            && let Some(last) = packets.last_mut()
        {
            last[1] |= 0x80;
        }
    }

    fn packetize_nal(&mut self, nal: &[u8], timestamp: u32, packets: &mut Vec<Vec<u8>>) {
        let room = self.mtu - HEADER;
        let Some((&header, body)) = nal.split_first() else { return };
        if nal.len() <= room {
            let mut packet = self.header(timestamp, nal.len());
            packet.extend_from_slice(nal);
            packets.push(packet);
            return;
        }
        let parts = body.chunks(room - 2).count();
        for (index, part) in body.chunks(room - 2).enumerate() {
            let start = if index == 0 { 0x80 } else { 0 };
            let end = if index + 1 == parts { 0x40 } else { 0 };
            let mut packet = self.header(timestamp, part.len() + 2);
            packet.push((header & 0xe0) | FU_A);
            packet.push(start | end | (header & 0x1f));
            packet.extend_from_slice(part);
            packets.push(packet);
        }
    }

    fn timestamp(&self, at: Duration) -> u32 {
        let ticks = (at.as_nanos() * u128::from(CLOCK_RATE) + 500_000_000) / 1_000_000_000;
        self.session.timestamp_base.wrapping_add(ticks as u32)
    }

    fn header(&mut self, timestamp: u32, payload: usize) -> Vec<u8> {
        let sequence = self.session.sequence;
        self.session.sequence = sequence.wrapping_add(1);
        header(self.payload_type, sequence, timestamp, self.session.ssrc, payload)
    }
}

/// An RTP header without marker, with room reserved for the payload.
pub fn header(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: usize) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + payload);
    packet.extend_from_slice(&[0x80, payload_type & 0x7f]);
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet
}

/// The fields of a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

impl<'a> Received<'a> {
    /// None unless it is an RTP packet of the simple form that [`Packetizer`] sends.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let (header, payload) = packet.split_at_checked(HEADER)?;
        let word =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        (header[0] == 0x80).then(|| Self {
            payload_type: header[1] & 0x7f,
            marker: header[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: word(4),
            ssrc: word(8),
            payload,
        })
    }
}

/// Reassembles NAL units, for checks that a stream arrived bit for bit. Expects packets in order.
#[derive(Debug, Default)]
pub struct Depacketizer {
    fragments: Option<Vec<u8>>,
}

impl Depacketizer {
    /// The NAL units that this payload completes.
    pub fn push(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        match payload {
            [] => Vec::new(),
            [indicator, rest @ ..] if indicator & 0x1f == FU_A => {
                let [fu, body @ ..] = rest else { return Vec::new() };
                if fu & 0x80 != 0 {
                    self.fragments = Some(vec![(indicator & 0xe0) | (fu & 0x1f)]);
                }
                let Some(fragments) = &mut self.fragments else { return Vec::new() };
                fragments.extend_from_slice(body);
                if fu & 0x40 != 0 { self.fragments.take().into_iter().collect() } else { Vec::new() }
            }
            [indicator, rest @ ..] if indicator & 0x1f == STAP_A => {
                let (mut nals, mut rest) = (Vec::new(), rest);
                while let [high, low, tail @ ..] = rest {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let Some((nal, tail)) = tail.split_at_checked(length) else { break };
                    nals.push(nal.to_vec());
                    rest = tail;
                }
                nals
            }
            nal => vec![nal.to_vec()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packetizer(mtu: usize) -> Packetizer {
        Packetizer::new(
            Session { ssrc: 0xdead_beef, sequence: 65_530, timestamp_base: u32::MAX - 10 },
            96,
            mtu,
        )
    }

    fn unit(nals: &[Vec<u8>]) -> AccessUnit {
        let mut stream = Vec::new();
        for nal in nals {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(nal);
        }
        AccessUnit::from_annex_b(&stream)
    }

    proptest! {
        #[test]
        fn reassembled_fragments_give_the_same_nal_units(
            bodies in prop::collection::vec(prop::collection::vec(1u8..=255, 0..5000), 1..5),
            mtu in 40usize..1500,
        ) {
            let nals: Vec<Vec<u8>> = bodies.into_iter()
                .map(|body| [&[0x65u8][..], &body].concat())
                .collect();
            let mut packets = Vec::new();
            packetizer(mtu).packetize(&unit(&nals), Duration::ZERO, &mut packets);
            let mut depacketizer = Depacketizer::default();
            let mut arrived = Vec::new();
            for packet in &packets {
                prop_assert!(packet.len() <= mtu);
                arrived.extend(depacketizer.push(Received::parse(packet).unwrap().payload));
            }
            prop_assert_eq!(arrived, nals);
        }

        #[test]
        fn any_bytes_may_be_depacketized(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut depacketizer = Depacketizer::default();
            for payload in &payloads {
                depacketizer.push(payload);
            }
        }
    }

    #[test]
    fn sequence_numbers_and_timestamps_wrap_around() {
        let mut packetizer = packetizer(100);
        let (nal, mut packets) = (vec![0x41; 1000], Vec::new());
        packetizer.packetize(&unit(std::slice::from_ref(&nal)), Duration::ZERO, &mut packets);
        packetizer.packetize(&unit(&[nal]), Duration::from_millis(40), &mut packets);
        let received: Vec<_> = packets.iter().map(|packet| Received::parse(packet).unwrap()).collect();
        assert!(received.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
        let timestamps = (received[0].timestamp, received.last().unwrap().timestamp);
        assert_eq!(timestamps.1.wrapping_sub(timestamps.0), 3600);
        assert_eq!(received.iter().filter(|packet| packet.marker).count(), 2);
        assert!(received.last().unwrap().marker);
    }
}
