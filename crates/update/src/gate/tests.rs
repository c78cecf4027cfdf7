use super::*;
use Program::{Camera, Push};
use robocast_bus::{SinkState, SinkStatus};

fn streams(streams: &[(&str, bool)]) -> (SlotGate, Vec<GateEffect>) {
    let expected =
        streams.iter().map(|(name, pushes)| ExpectedStream { name: (*name).into(), pushes: *pushes });
    SlotGate::new(Requirement::Streams(expected.collect()))
}

fn appeared(program: Program, name: &str) -> GateEvent {
    GateEvent::Appeared(program, name.into())
}

fn vanished(program: Program, name: &str) -> GateEvent {
    GateEvent::Vanished(program, name.into())
}

/// A push program that sends, with these frames on its sinks, all of them taken by the server.
fn reported(name: &str, frames: &[u64]) -> GateEvent {
    sinks(name, frames, SinkState::Publishing)
}

fn sinks(name: &str, frames: &[u64], state: SinkState) -> GateEvent {
    let sink = |frames_out: &u64| SinkStatus {
        url: "rtmp://h/live/***".into(),
        text: "no route".into(),
        state,
        frames_out: *frames_out,
        ..SinkStatus::default()
    };
    let sinks = frames.iter().map(sink).collect();
    GateEvent::Reported(
        name.into(),
        PushStatus { slate: true, started: true, sinks, ..PushStatus::default() },
    )
}

fn query(name: &str) -> GateEffect {
    GateEffect::QueryPush(name.into())
}

fn good() -> Vec<GateEffect> {
    vec![GateEffect::Remember, GateEffect::End(SlotVerdict::Good)]
}

fn lacking(gate: &mut SlotGate) -> String {
    match &gate.on(GateEvent::TimeUp)[..] {
        [GateEffect::End(SlotVerdict::Lacking(lines))] => lines.join("\n"),
        other => panic!("{other:?}"),
    }
}

/// Feeds events; returns the number of the event after which the slot was to be marked, if any.
fn marked_after(gate: &mut SlotGate, events: &[GateEvent]) -> Option<usize> {
    events.iter().position(|event| gate.on(event.clone()).contains(&GateEffect::MarkGood))
}

#[test]
fn a_slot_that_was_good_before_is_marked_at_once_and_not_written_down_again() {
    let (mut gate, effects) = SlotGate::new(Requirement::Nothing);
    assert_eq!(effects, [GateEffect::MarkGood]);
    assert_eq!(gate.on(GateEvent::Marked), [GateEffect::End(SlotVerdict::Good)]);
    assert_eq!(gate.on(GateEvent::TimeUp), []);
}

#[test]
fn a_box_with_nothing_to_stream_is_good_once_its_networks_are_up() {
    let (mut gate, effects) = SlotGate::new(Requirement::Network);
    assert!(effects.is_empty() && gate.needs_network());
    assert_eq!(gate.on(GateEvent::Network(false)), []);
    assert_eq!(gate.on(GateEvent::Tick), []);
    assert_eq!(gate.on(GateEvent::Network(true)), [GateEffect::MarkGood]);
    assert_eq!(gate.on(GateEvent::Network(true)), [], "once is enough");
    assert_eq!(gate.on(GateEvent::Marked), good());
    let (mut gate, _) = SlotGate::new(Requirement::Network);
    assert!(lacking(&mut gate).contains("robocast-network.target"));
}

#[test]
fn a_new_slot_is_good_when_all_programs_are_there_and_frames_rise_twice() {
    let programs = [appeared(Camera, "a"), appeared(Push, "a"), appeared(Camera, "b"), appeared(Push, "b")];
    let table: [(&str, &[GateEvent], Option<usize>); 12] = [
        ("rising twice", &[reported("a", &[1]), reported("a", &[2]), reported("a", &[3])], Some(2)),
        ("of another stream", &[reported("b", &[0]), reported("b", &[9]), reported("b", &[10])], Some(2)),
        (
            "on the second sink",
            &[reported("a", &[0, 1]), reported("a", &[0, 2]), reported("a", &[0, 3])],
            Some(2),
        ),
        ("once", &[reported("a", &[1]), reported("a", &[2])], None),
        ("first query", &[reported("a", &[500])], None),
        (
            "with a pause",
            &[reported("a", &[1]), reported("a", &[2]), reported("a", &[2]), reported("a", &[3])],
            None,
        ),
        ("each sink once", &[reported("a", &[1, 1]), reported("a", &[2, 1]), reported("a", &[2, 2])], None),
        (
            "into a buffer that no server reads",
            &[
                sinks("a", &[1], SinkState::Waiting),
                sinks("a", &[2], SinkState::Waiting),
                sinks("a", &[3], SinkState::Waiting),
            ],
            None,
        ),
        (
            "over a restart of push",
            &[
                reported("a", &[1]),
                reported("a", &[2]),
                vanished(Push, "a"),
                appeared(Push, "a"),
                reported("a", &[3]),
                reported("a", &[4]),
            ],
            None,
        ),
        (
            "with other sinks",
            &[reported("a", &[1]), reported("a", &[2]), reported("a", &[3, 3]), reported("a", &[4, 4])],
            None,
        ),
        (
            "in answers of one that has left",
            &[
                vanished(Push, "a"),
                reported("a", &[1]),
                reported("a", &[2]),
                reported("a", &[3]),
                appeared(Push, "a"),
            ],
            None,
        ),
        ("of a stranger", &[reported("x", &[1]), reported("x", &[2]), reported("x", &[3])], None),
    ];
    for (what, events, after) in table {
        let (mut gate, effects) = streams(&[("a", true), ("b", true)]);
        assert!(effects.is_empty());
        assert_eq!(marked_after(&mut gate, &programs), None);
        assert_eq!(marked_after(&mut gate, events), after, "{what}");
    }
}

#[test]
fn frames_of_one_stream_do_not_stand_in_for_a_program_that_is_missing() {
    for missing in [appeared(Camera, "a"), appeared(Push, "b"), appeared(Camera, "b")] {
        let (mut gate, _) = streams(&[("a", true), ("b", true)]);
        let all = [appeared(Camera, "a"), appeared(Push, "a"), appeared(Camera, "b"), appeared(Push, "b")];
        let others: Vec<_> = all.into_iter().filter(|event| *event != missing).collect();
        assert_eq!(marked_after(&mut gate, &others), None);
        let flow = [reported("a", &[1]), reported("a", &[2]), reported("a", &[3]), reported("a", &[4])];
        assert_eq!(marked_after(&mut gate, &flow), None, "{missing:?}");
        assert_eq!(marked_after(&mut gate, &[missing]), Some(0));
    }
}

#[test]
fn frames_that_flowed_before_a_restart_do_not_count_after_it() {
    let (mut gate, _) = streams(&[("a", true)]);
    let flow = [appeared(Push, "a"), reported("a", &[1]), reported("a", &[2]), reported("a", &[3])];
    assert_eq!(marked_after(&mut gate, &flow), None, "there is no camera yet");
    let restart = [vanished(Push, "a"), appeared(Push, "a"), appeared(Camera, "a"), reported("a", &[0])];
    assert_eq!(marked_after(&mut gate, &restart), None);
    assert_eq!(marked_after(&mut gate, &[reported("a", &[1]), reported("a", &[2])]), Some(1));
}

#[test]
fn streams_that_do_not_push_by_themselves_need_their_programs_only() {
    let (mut gate, _) = streams(&[("demand", false)]);
    assert_eq!(gate.on(appeared(Push, "demand")), []);
    assert_eq!(gate.on(appeared(Camera, "demand")), [GateEffect::MarkGood]);
    // ... and do not count for one that does.
    let (mut gate, _) = streams(&[("demand", false), ("a", true)]);
    let programs =
        [appeared(Camera, "a"), appeared(Push, "a"), appeared(Camera, "demand"), appeared(Push, "demand")];
    assert_eq!(marked_after(&mut gate, &programs), None);
    let flow = [reported("demand", &[1]), reported("demand", &[2]), reported("demand", &[3])];
    assert_eq!(marked_after(&mut gate, &flow), None);
}

#[test]
fn a_push_program_is_queried_when_it_comes_when_it_changes_and_each_second_while_it_sends() {
    let (mut gate, _) = streams(&[("a", true), ("demand", false)]);
    assert_eq!(gate.on(GateEvent::Changed("a".into())), [], "it is not there yet");
    assert_eq!(gate.on(appeared(Camera, "a")), []);
    assert_eq!(gate.on(appeared(Push, "a")), [query("a")]);
    assert_eq!(gate.on(GateEvent::Tick), []);
    assert_eq!(gate.on(GateEvent::Reported("a".into(), PushStatus::default())), []);
    assert_eq!(gate.on(GateEvent::Tick), [], "nothing goes out: there is nothing to count");
    assert_eq!(gate.on(GateEvent::Changed("a".into())), [query("a")]);
    assert_eq!(gate.on(reported("a", &[1])), []);
    assert_eq!(gate.on(GateEvent::Tick), [query("a")]);
    assert_eq!(gate.on(vanished(Push, "a")), []);
    assert_eq!(gate.on(reported("a", &[2])), [], "an answer that was on its way");
    assert_eq!(gate.on(GateEvent::Tick), []);
}

#[test]
fn a_rauc_that_is_busy_is_asked_again_each_second() {
    let (mut gate, _) = SlotGate::new(Requirement::Network);
    assert_eq!(gate.on(GateEvent::Network(true)), [GateEffect::MarkGood]);
    assert_eq!(gate.on(GateEvent::NotMarked("already processing a different method".into())), []);
    assert_eq!(gate.on(GateEvent::Tick), [GateEffect::MarkGood]);
    assert_eq!(gate.on(GateEvent::NotMarked("busy".into())), []);
    assert_eq!(lacking(&mut gate), "RAUC does not mark the slot: busy");
}

#[test]
fn when_the_time_is_up_it_is_said_which_stream_lacked_what() {
    let two = [("a", true), ("b", true)];
    let there = [appeared(Camera, "a"), appeared(Push, "a"), appeared(Camera, "b"), appeared(Push, "b")];
    let table: [(&[GateEvent], &[&str]); 4] = [
        (
            &[appeared(Camera, "a")],
            &[
                "stream a: its push program is not on the bus",
                "stream b: its camera program is not on the bus",
                "stream b: its push program is not on the bus",
            ],
        ),
        (
            &[&there[..], &[GateEvent::Reported("a".into(), PushStatus::default())]].concat(),
            &[
                "stream a: neither video of the robot nor a slate goes out",
                "stream b: its push program does not answer",
            ],
        ),
        (
            &[&there[..], &[sinks("a", &[0], SinkState::Waiting), reported("b", &[1])]].concat(),
            &[
                "stream a: no frames flow to rtmp://h/live/*** (cannot be reached: no route)",
                "stream b: no frames flow to rtmp://h/live/*** (the server takes the stream, but too few frames \
                 went out: no route)",
            ],
        ),
        (
            &[&there[..3], &[reported("a", &[1]), reported("a", &[2]), reported("a", &[3])]].concat(),
            &["stream b: its push program is not on the bus"],
        ),
    ];
    for (events, lines) in table {
        let (mut gate, _) = streams(&two);
        assert_eq!(marked_after(&mut gate, events), None);
        assert_eq!(lacking(&mut gate), lines.join("\n"));
        assert_eq!(gate.on(appeared(Push, "a")), [], "the gate has decided");
    }
}
