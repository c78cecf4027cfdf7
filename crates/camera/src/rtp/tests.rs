//! Packets made from known access units, then lost, reordered, doubled and damaged.

use super::*;
use proptest::prelude::*;
use robocast_video::h264::{NalKind, nals, push_nal};
use rtp_types::RtpPacketBuilder;

const SSRC: u32 = 7;
const JITTER: Duration = Duration::from_millis(40);

/// A way to put a NAL unit into payloads.
#[derive(Debug, Clone, Copy)]
enum Packing {
    Single,
    Fragments(usize),
    Aggregate,
}

/// An access unit: its NAL units, the first slice beginning the picture.
fn access_unit() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let slice = (any::<bool>(), prop::collection::vec(1u8..=255, 2..300)).prop_map(|(idr, mut body)| {
        body.insert(0, if idr { 0x65 } else { 0x41 });
        body[1] |= 0x80;
        body
    });
    (
        prop::option::of(prop::collection::vec(1u8..=255, 1..20)),
        slice,
        prop::collection::vec(prop::collection::vec(1u8..=127, 2..100), 0..3),
    )
        .prop_map(|(sei, first, more)| {
            let mut nals = Vec::new();
            nals.extend(sei.map(|mut body| {
                body.insert(0, 6);
                body
            }));
            let kind = first[0];
            nals.push(first);
            nals.extend(more.into_iter().map(|mut body| {
                body.insert(0, kind);
                body
            }));
            nals
        })
}

fn packing() -> impl Strategy<Value = Packing> {
    prop_oneof![Just(Packing::Single), (1usize..60).prop_map(Packing::Fragments), Just(Packing::Aggregate)]
}

fn payloads(nals: &[Vec<u8>], packing: Packing) -> Vec<Vec<u8>> {
    match packing {
        Packing::Single => nals.to_vec(),
        Packing::Aggregate => {
            let mut payload = vec![24];
            for nal in nals {
                payload.extend(u16::try_from(nal.len()).unwrap().to_be_bytes());
                payload.extend(nal);
            }
            vec![payload]
        }
        Packing::Fragments(size) => nals.iter().flat_map(|nal| fragments(nal, size)).collect(),
    }
}

fn fragments(nal: &[u8], size: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = nal[1..].chunks(size).collect();
    if pieces.len() < 2 {
        return vec![nal.to_vec()];
    }
    let last = pieces.len() - 1;
    pieces
        .iter()
        .enumerate()
        .map(|(n, piece)| {
            let flags = if n == 0 {
                0x80
            } else if n == last {
                0x40
            } else {
                0
            };
            let mut payload = vec![nal[0] & 0x60 | 28, flags | nal[0] & 0x1f];
            payload.extend(*piece);
            payload
        })
        .collect()
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    RtpPacketBuilder::<&[u8], &[u8]>::new()
        .ssrc(ssrc)
        .payload_type(96)
        .sequence_number(sequence)
        .timestamp(timestamp)
        .marker_bit(marker)
        .payload(payload)
        .write_vec()
        .unwrap()
}

/// The packets of a stream of access units, 40 ms apart.
fn packets(units: &[(Vec<Vec<u8>>, Packing)], first: u16) -> Vec<Vec<u8>> {
    let mut sequence = first;
    let mut out = Vec::new();
    for (n, (nals, packing)) in units.iter().enumerate() {
        let parts = payloads(nals, *packing);
        for (k, payload) in parts.iter().enumerate() {
            out.push(packet(SSRC, sequence, n as u32 * 3600, k + 1 == parts.len(), payload));
            sequence = sequence.wrapping_add(1);
        }
    }
    out
}

fn annexb(nals: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    nals.iter().for_each(|nal| push_nal(&mut out, nal));
    out
}

fn slices(annexb: &[u8]) -> Vec<Vec<u8>> {
    nals(annexb).filter(|nal| NalKind::of(nal).is_slice()).map(<[u8]>::to_vec).collect()
}

fn at(ms: usize) -> MonoTime {
    MonoTime(1_000_000_000 + ms as u64 * 1_000_000)
}

/// Everything a receiver makes of `packets`, one a millisecond, and of the silence after them.
fn receive(receiver: &mut Receiver, packets: &[Vec<u8>]) -> Vec<ReceivedUnit> {
    let mut out = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        receiver.receive_datagram(packet, at(n), |unit| out.push(unit));
    }
    receiver.expire(at(packets.len() + 1000), |unit| out.push(unit));
    out
}

fn units() -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, Packing)>> {
    prop::collection::vec((access_unit(), packing()), 1..12)
}

proptest! {
    #[test]
    fn without_loss_every_access_unit_comes_out_whole_and_in_order(units in units(), first: u16) {
        let out = receive(&mut Receiver::new(JITTER, Some(96)), &packets(&units, first));
        prop_assert_eq!(out.len(), units.len());
        for (n, (unit, (nals, _))) in out.iter().zip(&units).enumerate() {
            prop_assert!(unit.assembled.intact, "{:?}", unit);
            prop_assert_eq!(unit.assembled.after_loss, n == 0);
            prop_assert_eq!(&unit.assembled.data, &annexb(nals));
        }
    }

    #[test]
    fn packets_a_little_out_of_order_are_reordered(units in units(), first: u16, swaps in prop::collection::vec((0usize..500, 1usize..8), 0..20)) {
        let mut sent = packets(&units, first);
        // The first stays first: where a stream begins is where it is joined.
        for (at, by) in swaps {
            let (a, b) = (1 + at % sent.len().max(2), 1 + (at + by) % sent.len().max(2));
            if a.abs_diff(b) < 8 && a < sent.len() && b < sent.len() { sent.swap(a, b); }
        }
        let out = receive(&mut Receiver::new(Duration::from_millis(600), None), &sent);
        let data: Vec<_> = out.iter().filter(|p| p.assembled.intact).map(|p| p.assembled.data.clone()).collect();
        prop_assert_eq!(data, units.iter().map(|(nals, _)| annexb(nals)).collect::<Vec<_>>());
    }

    /// A unit that claims to be whole is as it was sent; a gap or damage shows.
    #[test]
    fn a_broken_access_unit_never_passes_for_a_whole_one(units in units(), first: u16, lost in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let sent = packets(&units, first);
        let lost: std::collections::BTreeSet<usize> = lost.iter().map(|index| index.index(sent.len())).collect();
        let kept: Vec<_> = sent.iter().enumerate().filter(|(n, _)| !lost.contains(n)).map(|(_, p)| p.clone()).collect();
        let out = receive(&mut Receiver::new(JITTER, Some(96)), &kept);
        let originals: Vec<_> = units.iter().map(|(nals, _)| annexb(nals)).collect();
        let (mut next, mut shown) = (0, false);
        for unit in &out {
            shown |= unit.assembled.after_loss || !unit.assembled.intact;
            if !unit.assembled.intact { continue; }
            let number = (unit.assembled.timestamp / 3600) as usize;
            // Units lost at the end of the previous one leave this one whole, but the loss is reported.
            prop_assert_eq!(slices(&unit.assembled.data), slices(&originals[number]));
            prop_assert!(number == next || shown, "a gap before {} does not show", number);
            (next, shown) = (number + 1, false);
        }
    }

    #[test]
    fn hostile_datagrams_never_panic_and_do_not_displace_the_robot(
        units in units(),
        hostile in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..80), 0u8..4), 0..40)
    ) {
        let mut sent = packets(&units, 100);
        for (at, bytes, kind) in hostile {
            let bytes = match kind {
                0 => bytes,
                1 => packet(99, 5, 1, true, &bytes),
                2 => { let mut p = packet(99, 6, 1, false, &bytes); p[1] = p[1] & 0x80 | 13; p }
                _ => { let mut p = packet(SSRC, 5, 1, true, &bytes); p[1] = p[1] & 0x80 | 13; p }
            };
            // Never before the robot's own first packet: the first sender is followed.
            let at = 1 + at.index(sent.len());
            sent.insert(at, bytes);
        }
        let out = receive(&mut Receiver::new(JITTER, Some(96)), &sent);
        let data: Vec<_> = out.iter().filter(|p| p.assembled.intact).map(|p| p.assembled.data.clone()).collect();
        prop_assert_eq!(data, units.iter().map(|(nals, _)| annexb(nals)).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_payloads_never_panic(units in units(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..30)) {
        let mut sent = packets(&units, 65_530);
        for (which, place, value, cut) in damage {
            let which = which.index(sent.len());
            let packet = &mut sent[which];
            let place = place.index(packet.len());
            if cut { packet.truncate(place); } else { packet[place] = value; }
            if packet.is_empty() { packet.push(0); }
        }
        for unit in receive(&mut Receiver::new(JITTER, None), &sent) {
            prop_assert!(nals(&unit.assembled.data).count() <= 400);
        }
    }
}

#[test]
fn a_robot_that_restarts_under_another_number_is_followed_after_a_silence() {
    let unit = vec![(vec![vec![0x65, 0x88, 1]], Packing::Single); 3];
    let mut receiver = Receiver::new(JITTER, Some(96));
    assert_eq!(receive(&mut receiver, &packets(&unit, 1)).len(), 3);
    let again: Vec<_> =
        (0..4u16).map(|n| packet(8, 500 + n, u32::from(n) * 3600, true, &[0x65, 0x88, 1])).collect();
    let mut out = Vec::new();
    for (n, packet) in again.iter().enumerate() {
        receiver.receive_datagram(packet, at(5000 + n), |unit| out.push(unit));
    }
    assert_eq!(out.len(), 3, "two in a row make a sender");
    assert!(out[0].new_sender && !out[1].new_sender);
    assert_eq!(receiver.take_counts().foreign, 1);
}

#[test]
fn a_stranger_is_refused_while_the_robot_speaks() {
    let mut receiver = Receiver::new(JITTER, None);
    let mut out = 0;
    for n in 0..50u16 {
        receiver.receive_datagram(
            &packet(SSRC, n, u32::from(n) * 3600, true, &[0x65, 0x88, 1]),
            at(n.into()),
            |_| out += 1,
        );
        receiver.receive_datagram(
            &packet(99, n, u32::from(n) * 3600, true, &[0x65, 0x88, 2]),
            at(n.into()),
            |_| {
                out += 100;
            },
        );
    }
    assert_eq!((out, receiver.take_counts().foreign), (50, 50));
}

#[test]
fn presentation_times_follow_the_robots_clock_and_not_the_networks_jitter() {
    let mut timeline = Timeline::new(CLOCK_RATE);
    let mut last = None;
    for n in 0..500u32 {
        let jitter = u64::from(n * 7919 % 15) * 1_000_000;
        let stamp = timeline.map_timestamp(
            n.wrapping_mul(3600).wrapping_add(u32::MAX - 9000),
            MonoTime(1_000_000_000 + u64::from(n) * 40_000_000 + jitter),
        );
        if let Some(last) = last.replace(stamp)
            && n > 20
        {
            let step = stamp.since(last).as_micros();
            assert!((39_000..41_000).contains(&step), "{step} us at {n}");
        }
    }
}

#[test]
fn a_jump_of_the_robots_clock_is_followed_at_once() {
    let mut timeline = Timeline::new(CLOCK_RATE);
    timeline.map_timestamp(0, MonoTime(1_000_000_000));
    let stamp = timeline.map_timestamp(90_000 * 1000, MonoTime(1_040_000_000));
    assert_eq!(stamp, MonoTime(1_040_000_000));
}

#[test]
fn packets_that_are_not_used_are_counted_by_reason() {
    let mut receiver = Receiver::new(JITTER, Some(96));
    let picture = |sequence: u16| packet(SSRC, sequence, u32::from(sequence) * 3600, true, &[0x65, 0x88, 1]);
    let mut other = packet(SSRC, 3, 1, true, &[0x65, 0x88, 1]);
    other[1] = other[1] & 0x80 | 13;
    let received = receive(
        &mut receiver,
        &[
            picture(1),
            picture(2),
            picture(2),
            vec![1, 2, 3],
            other,
            packet(99, 1, 1, true, &[0x65]),
            picture(6),
        ],
    );
    assert_eq!(received.len(), 3);
    assert_eq!(receiver.take_counts(), PacketCounts { lost: 3, late: 1, malformed: 1, foreign: 2 });
    assert_eq!(receiver.take_counts(), PacketCounts::default(), "counted once");
}

fn held(sequence: u16, ms: usize) -> reorder::HeldPacket {
    reorder::HeldPacket { sequence, timestamp: 0, marker: true, payload: Vec::new(), arrived: at(ms) }
}

/// The sequence numbers that come out at `ms`, each with how many are given up before it.
fn released(reorder: &mut Reorder, ms: usize) -> Vec<(u16, u64)> {
    std::iter::from_fn(|| reorder.release(at(ms))).map(|(packet, lost)| (packet.sequence, lost)).collect()
}

#[test]
fn a_missing_packet_is_waited_for_and_given_up_at_the_deadline() {
    let mut reorder = Reorder::new(JITTER);
    assert!(reorder.insert(held(65_535, 0)));
    assert_eq!((released(&mut reorder, 0), reorder.deadline()), (vec![(65_535, 0)], None));
    // 0 is missing: the number wraps.
    assert!(reorder.insert(held(1, 10)) && reorder.insert(held(2, 20)));
    assert_eq!((released(&mut reorder, 49), reorder.deadline()), (vec![], Some(at(50))));
    assert_eq!(released(&mut reorder, 50), [(1, 1), (2, 0)]);
    assert!(!reorder.insert(held(0, 60)), "too late");
    assert!(reorder.insert(held(4, 60)) && !reorder.insert(held(4, 61)), "twice");
    assert!(reorder.insert(held(3, 62)));
    assert_eq!(released(&mut reorder, 62), [(3, 0), (4, 0)]);
}

#[test]
fn a_jump_of_the_sequence_is_a_loss_and_nothing_is_waited_for() {
    let mut reorder = Reorder::new(JITTER);
    reorder.insert(held(10, 0));
    assert_eq!(released(&mut reorder, 0), [(10, 0)]);
    reorder.insert(held(20_000, 40));
    assert_eq!(released(&mut reorder, 40), [(20_000, 1)]);
    reorder.insert(held(20_001, 80));
    assert_eq!(released(&mut reorder, 80), [(20_001, 0)]);
}

#[test]
fn another_sender_is_followed_when_the_first_is_silent_or_useless() {
    use super::sender_filter::Admission::{self, Foreign, New, Same};
    // SSRC, payload type, sequence number, ms; the outcome. A whole unit is noted with SSRC 0.
    type Step = (u32, u8, u16, usize, Option<Admission>);
    let cases: [&[Step]; 5] = [
        // One packet of a stranger is not enough, two in a row are.
        &[(1, 96, 1, 0, Some(New)), (2, 96, 7, 301, Some(Foreign)), (2, 96, 8, 302, Some(New))],
        // Not in a row.
        &[(1, 96, 1, 0, Some(New)), (2, 96, 7, 301, Some(Foreign)), (2, 96, 9, 302, Some(Foreign))],
        // The first is not silent.
        &[(1, 96, 1, 0, Some(New)), (2, 96, 7, 300, Some(Foreign)), (2, 96, 8, 300, Some(Foreign))],
        // It sends, and for more than 3 s nothing of use.
        &[
            (1, 96, 1, 0, Some(New)),
            (0, 0, 0, 100, None),
            (1, 96, 2, 3000, Some(Same)),
            (2, 96, 7, 3100, Some(Foreign)),
            (1, 96, 3, 3100, Some(Same)),
            (2, 96, 8, 3101, Some(Foreign)),
            (2, 96, 9, 3102, Some(New)),
        ],
        // Another payload type of the same sender counts as another sender; one that was not asked for counts as no
        // sender.
        &[(1, 96, 1, 0, Some(New)), (1, 97, 2, 10, Some(Foreign)), (1, 96, 3, 20, Some(Same))],
    ];
    for (number, steps) in cases.into_iter().enumerate() {
        let mut filter = SenderFilter::new(None);
        for &(ssrc, payload, sequence, ms, expected) in steps {
            match expected {
                Some(expected) => {
                    let admission = filter.admit(ssrc, payload, sequence, at(ms));
                    assert_eq!(admission, expected, "case {number} at {ms}");
                }
                None => filter.note_whole_unit(at(ms)),
            }
        }
    }
    assert_eq!(SenderFilter::new(Some(96)).admit(1, 97, 1, at(0)), Foreign);
}
