//! What the gate expects of one stream, and what it has seen of it. Pure.

use robocast_bus::names::Program;
use robocast_bus::{PushStatus, SinkState, SinkStatus};

/// How many queries in a row must find more frames than the one before.
const RISES: u8 = 2;

/// A stream of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedStream {
    /// Its name.
    pub name: String,
    /// Whether it pushes without a request: it has a sink and is not on demand.
    pub pushes: bool,
}

/// The observations of a stream.
#[derive(Debug)]
pub(crate) struct StreamProgress {
    pub name: String,
    /// Whether it pushes without a request.
    pub pushes: bool,
    camera: bool,
    push: bool,
    /// The last status of its push program.
    status: Option<PushStatus>,
    /// How often in a row each sink's frames rose, in the order of the settings.
    rises: Vec<u8>,
}

impl StreamProgress {
    pub fn new(expected: ExpectedStream) -> Self {
        let ExpectedStream { name, pushes } = expected;
        Self { name, pushes, camera: false, push: false, status: None, rises: Vec::new() }
    }

    /// A program appeared on the bus. Returns whether the push program must be queried.
    pub fn on_program_appeared(&mut self, program: Program) -> bool {
        match program {
            Program::Camera => self.camera = true,
            Program::Push => self.push = true,
        }
        program == Program::Push && self.can_report()
    }

    /// A program left the bus.
    pub fn on_program_vanished(&mut self, program: Program) -> bool {
        match program {
            Program::Camera => self.camera = false,
            Program::Push => {
                self.push = false;
                self.status = None;
                self.rises.clear();
            }
        }
        false
    }

    /// Whether its push program can be queried.
    pub fn can_report(&self) -> bool {
        self.push && self.pushes
    }

    /// Whether something is sent. Counters have no signal, so they are queried once a second meanwhile.
    pub fn sends(&self) -> bool {
        self.can_report() && self.status.as_ref().is_some_and(|last| last.live || last.slate)
    }

    /// Takes a status of its push program. Never asks for a query.
    pub fn on_push_status(&mut self, status: PushStatus) -> bool {
        if !self.push {
            return false;
        }
        let before = self.status.take().filter(|last| last.sinks.len() == status.sinks.len());
        self.rises.resize(status.sinks.len(), 0);
        let before = before.iter().flat_map(|last| &last.sinks).map(Some).chain(std::iter::repeat(None));
        for ((sink, before), rises) in status.sinks.iter().zip(before).zip(&mut self.rises) {
            let rose = before.is_some_and(|before| sink.frames_out > before.frames_out);
            // Frames that no server has taken only went into a buffer.
            *rises = if rose && sink.state == SinkState::Publishing { rises.saturating_add(1) } else { 0 };
        }
        self.status = Some(status);
        false
    }

    /// Whether both of its programs are on the bus.
    pub fn complete(&self) -> bool {
        self.camera && self.push
    }

    /// Whether frames reach a server.
    pub fn flows(&self) -> bool {
        self.pushes && self.rises.iter().any(|rises| *rises >= RISES)
    }

    /// What it lacks, one line each; about its frames only when `frames` are what is missing.
    pub fn lacking(&self, frames: bool) -> Vec<String> {
        let name = &self.name;
        let mut lines = Vec::new();
        for (there, program) in [(self.camera, "camera"), (self.push, "push")] {
            if !there {
                lines.push(format!("stream {name}: its {program} program is not on the bus"));
            }
        }
        if !(frames && self.can_report()) {
            return lines;
        }
        match &self.status {
            None => lines.push(format!("stream {name}: its push program does not answer")),
            Some(status) if !status.live && !status.slate => {
                lines.push(format!("stream {name}: neither video of the robot nor a slate goes out"));
            }
            Some(status) => lines.extend(
                status
                    .sinks
                    .iter()
                    .map(|sink| format!("stream {name}: no frames flow to {}", describe_sink(sink))),
            ),
        }
        lines
    }
}

fn describe_sink(sink: &SinkStatus) -> String {
    let word = match sink.state {
        SinkState::Idle => "not asked to push",
        SinkState::Connecting => "connecting",
        SinkState::Publishing => "the server takes the stream, but too few frames went out",
        SinkState::Waiting => "cannot be reached",
        SinkState::Refused => "refused",
        SinkState::Failed => "cannot work as it is set",
    };
    let text = if sink.text.is_empty() { String::new() } else { format!(": {}", sink.text) };
    format!("{} ({word}{text})", sink.url)
}
