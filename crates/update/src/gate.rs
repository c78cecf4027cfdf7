//! When a slot is good. Pure: events in, effects out; no clock, no bus.
//!
//! A slot that was good before is good again at once: the boot loader counts a try off at every boot, and power that is
//! switched off and on must not use them up. A new slot has to show that it does the box's work.

use crate::stream::Stream;
use robocast_bus::PushStatus;
use robocast_bus::names::Program;

/// What makes this slot good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It was good before.
    Earlier,
    /// There is nothing to stream: the box's networks stand, so that it can be provisioned and reached.
    Network,
    /// Every program is on the bus, and frames of one stream reach a server.
    Streams(Vec<Expected>),
}

/// A stream of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// Whether it pushes by itself: it has a sink and is not on demand.
    pub pushes: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A program of a stream came to the bus.
    Came(Program, String),
    /// ... or left it.
    Left(Program, String),
    /// A push program says that something changed in it.
    Changed(String),
    /// What a push program said when it was looked at.
    Said(String, PushStatus),
    /// Whether the networks stand.
    Network(bool),
    /// A second went by.
    Tick,
    /// RAUC has marked the slot.
    Marked,
    /// RAUC has not, for this reason.
    NotMarked(String),
    /// The time is up.
    TimeUp,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the push program of a stream how it is.
    Look(String),
    /// Have RAUC mark the slot good.
    MarkGood,
    /// Write down that this slot was good.
    Remember,
    /// It is over.
    End(Verdict),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The slot is marked good.
    Good,
    /// It is not, since this was lacking; one line each.
    Lacking(Vec<String>),
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    needs: Needs,
    state: State,
}

#[derive(Debug)]
enum Needs {
    Nothing,
    Network { up: bool },
    Streams(Vec<Stream>),
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Marking,
    /// RAUC did not mark it: it may be busy, and is asked again.
    NotMarked(String),
    Ended,
}

impl Gate {
    /// A gate, and what is to be done first.
    #[must_use]
    pub fn new(proof: Proof) -> (Self, Vec<Effect>) {
        let needs = match proof {
            Proof::Earlier => Needs::Nothing,
            Proof::Network => Needs::Network { up: false },
            Proof::Streams(streams) => Needs::Streams(streams.into_iter().map(Stream::new).collect()),
        };
        let mut gate = Self { needs, state: State::Waiting };
        let effects = gate.decide();
        (gate, effects)
    }

    /// Takes an event in; says what is to be done.
    #[must_use]
    pub fn on(&mut self, event: Event) -> Vec<Effect> {
        match event {
            _ if self.state == State::Ended => Vec::new(),
            Event::Marked => {
                self.state = State::Ended;
                let remember = (!matches!(self.needs, Needs::Nothing)).then_some(Effect::Remember);
                remember.into_iter().chain([Effect::End(Verdict::Good)]).collect()
            }
            Event::NotMarked(why) => {
                self.state = State::NotMarked(why);
                Vec::new()
            }
            Event::TimeUp => {
                let lacking = self.lacking();
                self.state = State::Ended;
                vec![Effect::End(Verdict::Lacking(lacking))]
            }
            Event::Tick if matches!(self.state, State::NotMarked(_)) => {
                // What it was to be marked for may have passed since.
                self.state = State::Waiting;
                self.decide()
            }
            Event::Tick => {
                let looked_at = self.streams().iter().filter(|stream| stream.sends());
                looked_at.map(|stream| Effect::Look(stream.name.clone())).collect()
            }
            Event::Network(now) => {
                if let Needs::Network { up } = &mut self.needs {
                    *up = now;
                }
                self.decide()
            }
            Event::Came(program, name) => self.one(&name, |stream| stream.came(program)),
            Event::Left(program, name) => self.one(&name, |stream| stream.left(program)),
            Event::Changed(name) => self.one(&name, |stream| stream.tells()),
            Event::Said(name, status) => self.one(&name, |stream| stream.heard(status)),
        }
    }

    /// Whether the networks have to be watched.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        matches!(self.needs, Needs::Network { .. })
    }

    fn streams(&mut self) -> &mut [Stream] {
        match &mut self.needs {
            Needs::Streams(streams) => streams,
            Needs::Nothing | Needs::Network { .. } => &mut [],
        }
    }

    /// Tells the stream of a name; it says whether its push program is to be looked at.
    fn one(&mut self, name: &str, what: impl FnOnce(&mut Stream) -> bool) -> Vec<Effect> {
        let looked_at = self.streams().iter_mut().find(|stream| stream.name == name).is_some_and(what);
        looked_at.then(|| Effect::Look(name.to_owned())).into_iter().chain(self.decide()).collect()
    }

    fn decide(&mut self) -> Vec<Effect> {
        if self.state != State::Waiting || !self.proven() {
            return Vec::new();
        }
        self.state = State::Marking;
        vec![Effect::MarkGood]
    }

    fn proven(&self) -> bool {
        match &self.needs {
            Needs::Nothing => true,
            Needs::Network { up } => *up,
            Needs::Streams(streams) => {
                // Where no stream pushes by itself, frames cannot be waited for.
                let idle = !streams.iter().any(|stream| stream.pushes);
                streams.iter().all(Stream::complete) && (idle || streams.iter().any(Stream::flows))
            }
        }
    }

    /// What is lacking, one line each.
    fn lacking(&self) -> Vec<String> {
        if let State::NotMarked(why) = &self.state {
            return vec![format!("RAUC does not mark the slot: {why}")];
        }
        match &self.needs {
            Needs::Nothing => vec!["RAUC gives no answer".into()],
            Needs::Network { .. } => vec!["robocast-network.target is not active".into()],
            Needs::Streams(streams) => {
                let frames = !streams.iter().any(Stream::flows);
                streams.iter().flat_map(|stream| stream.lacking(frames)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Program::{Camera, Push};
    use robocast_bus::{SinkState, SinkStatus};

    fn streams(streams: &[(&str, bool)]) -> (Gate, Vec<Effect>) {
        let expected =
            streams.iter().map(|(name, pushes)| Expected { name: (*name).into(), pushes: *pushes });
        Gate::new(Proof::Streams(expected.collect()))
    }

    fn came(program: Program, name: &str) -> Event {
        Event::Came(program, name.into())
    }

    fn left(program: Program, name: &str) -> Event {
        Event::Left(program, name.into())
    }

    /// A push program that sends, with these frames on its sinks, all of them taken by the server.
    fn said(name: &str, frames: &[u64]) -> Event {
        sinks(name, frames, SinkState::Publishing)
    }

    fn sinks(name: &str, frames: &[u64], state: SinkState) -> Event {
        let sink = |frames_out: &u64| SinkStatus {
            url: "rtmp://h/live/***".into(),
            text: "no route".into(),
            state,
            frames_out: *frames_out,
            ..SinkStatus::default()
        };
        let sinks = frames.iter().map(sink).collect();
        Event::Said(name.into(), PushStatus { slate: true, started: true, sinks, ..PushStatus::default() })
    }

    fn look(name: &str) -> Effect {
        Effect::Look(name.into())
    }

    fn good() -> Vec<Effect> {
        vec![Effect::Remember, Effect::End(Verdict::Good)]
    }

    fn lacking(gate: &mut Gate) -> String {
        match &gate.on(Event::TimeUp)[..] {
            [Effect::End(Verdict::Lacking(lines))] => lines.join("\n"),
            other => panic!("{other:?}"),
        }
    }

    /// Feeds events; the number of the event after which the slot was to be marked, if any.
    fn marked_after(gate: &mut Gate, events: &[Event]) -> Option<usize> {
        events.iter().position(|event| gate.on(event.clone()).contains(&Effect::MarkGood))
    }

    #[test]
    fn a_slot_that_was_good_before_is_marked_at_once_and_not_written_down_again() {
        let (mut gate, effects) = Gate::new(Proof::Earlier);
        assert_eq!(effects, [Effect::MarkGood]);
        assert_eq!(gate.on(Event::Marked), [Effect::End(Verdict::Good)]);
        assert_eq!(gate.on(Event::TimeUp), []);
    }

    #[test]
    fn a_box_with_nothing_to_stream_is_good_once_its_networks_stand() {
        let (mut gate, effects) = Gate::new(Proof::Network);
        assert!(effects.is_empty() && gate.needs_network());
        assert_eq!(gate.on(Event::Network(false)), []);
        assert_eq!(gate.on(Event::Tick), []);
        assert_eq!(gate.on(Event::Network(true)), [Effect::MarkGood]);
        assert_eq!(gate.on(Event::Network(true)), [], "once is enough");
        assert_eq!(gate.on(Event::Marked), good());
        let (mut gate, _) = Gate::new(Proof::Network);
        assert!(lacking(&mut gate).contains("robocast-network.target"));
    }

    #[test]
    fn a_new_slot_is_good_when_all_programs_are_there_and_frames_rise_twice() {
        let programs = [came(Camera, "a"), came(Push, "a"), came(Camera, "b"), came(Push, "b")];
        let table: [(&str, &[Event], Option<usize>); 12] = [
            ("rising twice", &[said("a", &[1]), said("a", &[2]), said("a", &[3])], Some(2)),
            ("of another stream", &[said("b", &[0]), said("b", &[9]), said("b", &[10])], Some(2)),
            ("on the second sink", &[said("a", &[0, 1]), said("a", &[0, 2]), said("a", &[0, 3])], Some(2)),
            ("once", &[said("a", &[1]), said("a", &[2])], None),
            ("first look", &[said("a", &[500])], None),
            ("with a pause", &[said("a", &[1]), said("a", &[2]), said("a", &[2]), said("a", &[3])], None),
            ("each sink once", &[said("a", &[1, 1]), said("a", &[2, 1]), said("a", &[2, 2])], None),
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
                    said("a", &[1]),
                    said("a", &[2]),
                    left(Push, "a"),
                    came(Push, "a"),
                    said("a", &[3]),
                    said("a", &[4]),
                ],
                None,
            ),
            (
                "with other sinks",
                &[said("a", &[1]), said("a", &[2]), said("a", &[3, 3]), said("a", &[4, 4])],
                None,
            ),
            (
                "in answers of one that has left",
                &[left(Push, "a"), said("a", &[1]), said("a", &[2]), said("a", &[3]), came(Push, "a")],
                None,
            ),
            ("of a stranger", &[said("x", &[1]), said("x", &[2]), said("x", &[3])], None),
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
        for missing in [came(Camera, "a"), came(Push, "b"), came(Camera, "b")] {
            let (mut gate, _) = streams(&[("a", true), ("b", true)]);
            let all = [came(Camera, "a"), came(Push, "a"), came(Camera, "b"), came(Push, "b")];
            let others: Vec<_> = all.into_iter().filter(|event| *event != missing).collect();
            assert_eq!(marked_after(&mut gate, &others), None);
            let flow = [said("a", &[1]), said("a", &[2]), said("a", &[3]), said("a", &[4])];
            assert_eq!(marked_after(&mut gate, &flow), None, "{missing:?}");
            assert_eq!(marked_after(&mut gate, &[missing]), Some(0));
        }
    }

    #[test]
    fn frames_that_flowed_before_a_restart_do_not_count_after_it() {
        let (mut gate, _) = streams(&[("a", true)]);
        let flow = [came(Push, "a"), said("a", &[1]), said("a", &[2]), said("a", &[3])];
        assert_eq!(marked_after(&mut gate, &flow), None, "there is no camera yet");
        let restart = [left(Push, "a"), came(Push, "a"), came(Camera, "a"), said("a", &[0])];
        assert_eq!(marked_after(&mut gate, &restart), None);
        assert_eq!(marked_after(&mut gate, &[said("a", &[1]), said("a", &[2])]), Some(1));
    }

    #[test]
    fn streams_that_do_not_push_by_themselves_need_their_programs_only() {
        let (mut gate, _) = streams(&[("demand", false)]);
        assert_eq!(gate.on(came(Push, "demand")), []);
        assert_eq!(gate.on(came(Camera, "demand")), [Effect::MarkGood]);
        // ... and do not stand in for one that does.
        let (mut gate, _) = streams(&[("demand", false), ("a", true)]);
        let programs = [came(Camera, "a"), came(Push, "a"), came(Camera, "demand"), came(Push, "demand")];
        assert_eq!(marked_after(&mut gate, &programs), None);
        let flow = [said("demand", &[1]), said("demand", &[2]), said("demand", &[3])];
        assert_eq!(marked_after(&mut gate, &flow), None);
    }

    #[test]
    fn a_push_program_is_looked_at_when_it_comes_when_it_changes_and_each_second_while_it_sends() {
        let (mut gate, _) = streams(&[("a", true), ("demand", false)]);
        assert_eq!(gate.on(Event::Changed("a".into())), [], "it is not there yet");
        assert_eq!(gate.on(came(Camera, "a")), []);
        assert_eq!(gate.on(came(Push, "a")), [look("a")]);
        assert_eq!(gate.on(Event::Tick), []);
        assert_eq!(gate.on(Event::Said("a".into(), PushStatus::default())), []);
        assert_eq!(gate.on(Event::Tick), [], "nothing goes out: there is nothing to count");
        assert_eq!(gate.on(Event::Changed("a".into())), [look("a")]);
        assert_eq!(gate.on(said("a", &[1])), []);
        assert_eq!(gate.on(Event::Tick), [look("a")]);
        assert_eq!(gate.on(left(Push, "a")), []);
        assert_eq!(gate.on(said("a", &[2])), [], "an answer that was on its way");
        assert_eq!(gate.on(Event::Tick), []);
    }

    #[test]
    fn a_rauc_that_is_busy_is_asked_again_each_second() {
        let (mut gate, _) = Gate::new(Proof::Network);
        assert_eq!(gate.on(Event::Network(true)), [Effect::MarkGood]);
        assert_eq!(gate.on(Event::NotMarked("already processing a different method".into())), []);
        assert_eq!(gate.on(Event::Tick), [Effect::MarkGood]);
        assert_eq!(gate.on(Event::NotMarked("busy".into())), []);
        assert_eq!(lacking(&mut gate), "RAUC does not mark the slot: busy");
    }

    #[test]
    fn when_the_time_is_up_it_is_said_which_stream_lacked_what() {
        let two = [("a", true), ("b", true)];
        let there = [came(Camera, "a"), came(Push, "a"), came(Camera, "b"), came(Push, "b")];
        let table: [(&[Event], &[&str]); 4] = [
            (
                &[came(Camera, "a")],
                &[
                    "stream a: its push program is not on the bus",
                    "stream b: its camera program is not on the bus",
                    "stream b: its push program is not on the bus",
                ],
            ),
            (
                &[&there[..], &[Event::Said("a".into(), PushStatus::default())]].concat(),
                &[
                    "stream a: neither video of the robot nor a slate goes out",
                    "stream b: its push program does not answer",
                ],
            ),
            (
                &[&there[..], &[sinks("a", &[0], SinkState::Waiting), said("b", &[1])]].concat(),
                &[
                    "stream a: no frames flow to rtmp://h/live/*** (cannot be reached: no route)",
                    "stream b: no frames flow to rtmp://h/live/*** (the server takes the stream, but too few frames \
                     went out: no route)",
                ],
            ),
            (
                &[&there[..3], &[said("a", &[1]), said("a", &[2]), said("a", &[3])]].concat(),
                &["stream b: its push program is not on the bus"],
            ),
        ];
        for (events, lines) in table {
            let (mut gate, _) = streams(&two);
            assert_eq!(marked_after(&mut gate, events), None);
            assert_eq!(lacking(&mut gate), lines.join("\n"));
            assert_eq!(gate.on(came(Push, "a")), [], "it is over");
        }
    }
}
