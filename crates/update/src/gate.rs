//! When a slot is good. Pure: events in, effects out; no clock, no bus.
//!
//! A slot that was good before is good again at once: the boot loader counts a try off at every boot, and power cycles
//! must not use them up. A new slot must show that it does the box's work.

use crate::stream::{ExpectedStream, StreamProgress};
use robocast_bus::PushStatus;
use robocast_bus::names::Program;

/// What a slot must show before it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing: it was good before.
    Nothing,
    /// There is nothing to stream: the box's networks are up, so that it can be provisioned and reached.
    Network,
    /// Every program is on the bus, and frames of one stream reach a server.
    Streams(Vec<ExpectedStream>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum GateEvent {
    /// A program of a stream appeared on the bus.
    Appeared(Program, String),
    /// A program of a stream left the bus.
    Vanished(Program, String),
    /// A push program signalled a change.
    Changed(String),
    /// A push program's answer to a query.
    Reported(String, PushStatus),
    /// Whether the networks are up.
    Network(bool),
    /// A second has passed.
    Tick,
    /// RAUC has marked the slot.
    Marked,
    /// RAUC has not, for this reason.
    NotMarked(String),
    /// The time is up.
    TimeUp,
}

/// The next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateEffect {
    /// Query the status of a stream's push program.
    QueryPush(String),
    /// Have RAUC mark the slot good.
    MarkGood,
    /// Write down that this slot was good.
    Remember,
    /// The gate has decided.
    End(SlotVerdict),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotVerdict {
    /// The slot is marked good.
    Good,
    /// It is not: this was lacking, one line each.
    Lacking(Vec<String>),
}

/// The gate.
#[derive(Debug)]
pub struct SlotGate {
    needs: Condition,
    state: GateState,
}

#[derive(Debug)]
enum Condition {
    Nothing,
    Network { up: bool },
    Streams(Vec<StreamProgress>),
}

#[derive(Debug, PartialEq, Eq)]
enum GateState {
    Waiting,
    Marking,
    /// RAUC did not mark it: it may be busy, and is asked again at the next tick.
    NotMarked(String),
    Ended,
}

impl SlotGate {
    /// A gate, and its first action.
    #[must_use]
    pub fn new(requirement: Requirement) -> (Self, Vec<GateEffect>) {
        let needs = match requirement {
            Requirement::Nothing => Condition::Nothing,
            Requirement::Network => Condition::Network { up: false },
            Requirement::Streams(streams) => {
                Condition::Streams(streams.into_iter().map(StreamProgress::new).collect())
            }
        };
        let mut gate = Self { needs, state: GateState::Waiting };
        let effects = gate.decide();
        (gate, effects)
    }

    /// Handles an event; returns the next action.
    #[must_use]
    pub fn on(&mut self, event: GateEvent) -> Vec<GateEffect> {
        match event {
            _ if self.state == GateState::Ended => Vec::new(),
            GateEvent::Marked => {
                self.state = GateState::Ended;
                let remember = (!matches!(self.needs, Condition::Nothing)).then_some(GateEffect::Remember);
                remember.into_iter().chain([GateEffect::End(SlotVerdict::Good)]).collect()
            }
            GateEvent::NotMarked(why) => {
                self.state = GateState::NotMarked(why);
                Vec::new()
            }
            GateEvent::TimeUp => {
                let lacking = self.lacking();
                self.state = GateState::Ended;
                vec![GateEffect::End(SlotVerdict::Lacking(lacking))]
            }
            GateEvent::Tick if matches!(self.state, GateState::NotMarked(_)) => {
                // The slot may have lost since then what it was to be marked good for.
                self.state = GateState::Waiting;
                self.decide()
            }
            GateEvent::Tick => {
                let queried = self.streams().iter().filter(|stream| stream.sends());
                queried.map(|stream| GateEffect::QueryPush(stream.name.clone())).collect()
            }
            GateEvent::Network(now) => {
                if let Condition::Network { up } = &mut self.needs {
                    *up = now;
                }
                self.decide()
            }
            GateEvent::Appeared(program, name) => {
                self.on_stream_event(&name, |stream| stream.on_program_appeared(program))
            }
            GateEvent::Vanished(program, name) => {
                self.on_stream_event(&name, |stream| stream.on_program_vanished(program))
            }
            GateEvent::Changed(name) => self.on_stream_event(&name, |stream| stream.can_report()),
            GateEvent::Reported(name, status) => {
                self.on_stream_event(&name, |stream| stream.on_push_status(status))
            }
        }
    }

    /// Whether the networks have to be watched.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        matches!(self.needs, Condition::Network { .. })
    }

    fn streams(&mut self) -> &mut [StreamProgress] {
        match &mut self.needs {
            Condition::Streams(streams) => streams,
            Condition::Nothing | Condition::Network { .. } => &mut [],
        }
    }

    /// Hands an event to the stream `name`, which returns whether its push program must be queried.
    fn on_stream_event(
        &mut self,
        name: &str,
        event: impl FnOnce(&mut StreamProgress) -> bool,
    ) -> Vec<GateEffect> {
        let queried = self.streams().iter_mut().find(|stream| stream.name == name).is_some_and(event);
        queried.then(|| GateEffect::QueryPush(name.to_owned())).into_iter().chain(self.decide()).collect()
    }

    fn decide(&mut self) -> Vec<GateEffect> {
        if self.state != GateState::Waiting || !self.is_fulfilled() {
            return Vec::new();
        }
        self.state = GateState::Marking;
        vec![GateEffect::MarkGood]
    }

    fn is_fulfilled(&self) -> bool {
        match &self.needs {
            Condition::Nothing => true,
            Condition::Network { up } => *up,
            Condition::Streams(streams) => {
                // Where no stream pushes without a request, there are no frames to wait for.
                let idle = !streams.iter().any(|stream| stream.pushes);
                streams.iter().all(StreamProgress::complete)
                    && (idle || streams.iter().any(StreamProgress::flows))
            }
        }
    }

    /// What is missing, one line each.
    fn lacking(&self) -> Vec<String> {
        if let GateState::NotMarked(why) = &self.state {
            return vec![format!("RAUC does not mark the slot: {why}")];
        }
        match &self.needs {
            Condition::Nothing => vec!["RAUC does not answer".into()],
            Condition::Network { .. } => vec!["robocast-network.target is not active".into()],
            Condition::Streams(streams) => {
                let frames = !streams.iter().any(StreamProgress::flows);
                streams.iter().flat_map(|stream| stream.lacking(frames)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
