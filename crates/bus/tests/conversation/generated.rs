//! Statuses with every field set to anything that it may hold.

use proptest::prelude::*;
use robocast_bus::{
    CameraStatus, Evidence, NetStatus, PushStatus, RobotSideStatus, SinkState, SinkStatus, SourceState,
    UplinkState, UplinkStatus,
};

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,20}"
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

pub fn camera() -> impl Strategy<Value = CameraStatus> {
    let states = (one_of(SourceState::ALL), text(), any::<Option<u64>>(), text());
    let counters = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let packets = any::<[u64; 4]>();
    let sizes = (any::<u32>(), any::<u32>(), any::<u64>(), 0..usize::try_from(u32::MAX).unwrap());
    (states, counters, sizes, packets).prop_map(|(states, counters, sizes, packets)| CameraStatus {
        source_state: states.0,
        text: states.1,
        since: states.2,
        frames_in: counters.0,
        frames_out: counters.1,
        bytes_out: counters.2,
        keyframes: counters.3,
        broken: counters.4,
        rebuilds: counters.5,
        width: sizes.0,
        height: sizes.1,
        encoder: states.3,
        target_bps: sizes.2,
        readers: sizes.3,
        packets_lost: packets[0],
        packets_late: packets[1],
        packets_malformed: packets[2],
        packets_foreign: packets[3],
    })
}

fn sink() -> impl Strategy<Value = SinkStatus> {
    let names = (text(), one_of(SinkState::ALL), text(), text(), any::<bool>());
    (names, any::<[u64; 6]>()).prop_map(|((url, state, text, uplink, mptcp), counters)| SinkStatus {
        url,
        state,
        text,
        frames_out: counters[0],
        bytes_out: counters[1],
        bitrate_bps: counters[2],
        keyframes: counters[3],
        skipped: counters[4],
        reconnects: counters[5],
        uplink,
        mptcp,
    })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let flags = (any::<bool>(), any::<bool>(), any::<u32>(), any::<u32>());
    (text(), text(), flags).prop_map(|(url, interface, (mptcp, stalled, stalled_ms, rtt_ms))| Evidence {
        url,
        interface,
        mptcp,
        stalled,
        stalled_ms,
        rtt_ms,
    })
}

pub fn push() -> impl Strategy<Value = PushStatus> {
    let latency = proptest::option::of(0.0..1e9f64);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let lists = (proptest::collection::vec(sink(), 0..4), proptest::collection::vec(evidence(), 0..4));
    (flags, latency, lists).prop_map(|((live, slate, started), latency_ms, (sinks, evidence))| PushStatus {
        live,
        slate,
        started,
        latency_ms,
        sinks,
        evidence,
    })
}

fn uplink() -> impl Strategy<Value = UplinkStatus> {
    let texts = (text(), text(), text(), text());
    let rest = (one_of(UplinkState::ALL), any::<bool>(), any::<bool>());
    (texts, rest).prop_map(|((name, interface, address, text), (state, chosen, metered))| UplinkStatus {
        name,
        interface,
        state,
        chosen,
        metered,
        address,
        text,
    })
}

fn robot() -> impl Strategy<Value = RobotSideStatus> {
    (text(), any::<bool>(), any::<bool>(), text(), text()).prop_map(
        |(interface, present, carrier, address, text)| RobotSideStatus {
            interface,
            present,
            carrier,
            address,
            text,
        },
    )
}

pub fn net() -> impl Strategy<Value = NetStatus> {
    let texts = (text(), text(), text());
    let lists = (proptest::collection::vec(uplink(), 0..4), proptest::collection::vec(text(), 0..4));
    let flags = (any::<bool>(), any::<bool>(), any::<u32>(), any::<bool>());
    (texts, lists, robot(), flags).prop_map(|((chosen, why, text), (uplinks, plan), robot, flags)| {
        NetStatus {
            chosen,
            why,
            uplinks,
            robot,
            plan,
            proven: flags.0,
            uplinks_proven: flags.1,
            reads: flags.2,
            former: flags.3,
            text,
        }
    })
}
