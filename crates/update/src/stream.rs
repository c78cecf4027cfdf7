//! What is known of one stream while the gate waits: pure.

use crate::gate::Expected;
use robocast_bus::names::Program;
use robocast_bus::{PushStatus, SinkState, SinkStatus};

/// So many looks in a row must find more frames than the one before.
const RISES: u8 = 2;

/// A stream of the settings, and what was seen of it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub name: String,
    /// Whether it pushes by itself.
    pub pushes: bool,
    camera: bool,
    push: bool,
    /// What its push program last said.
    said: Option<PushStatus>,
    /// How often in a row each sink's frames rose, in the order of the settings.
    rises: Vec<u8>,
}

impl Stream {
    pub fn new(expected: Expected) -> Self {
        let Expected { name, pushes } = expected;
        Self { name, pushes, camera: false, push: false, said: None, rises: Vec::new() }
    }

    /// A program came to the bus; whether the push program is to be looked at.
    pub fn came(&mut self, program: Program) -> bool {
        match program {
            Program::Camera => self.camera = true,
            Program::Push => self.push = true,
        }
        program == Program::Push && self.tells()
    }

    /// A program left the bus.
    pub fn left(&mut self, program: Program) -> bool {
        match program {
            Program::Camera => self.camera = false,
            Program::Push => {
                self.push = false;
                self.said = None;
                self.rises.clear();
            }
        }
        false
    }

    /// Whether its push program has something to tell.
    pub fn tells(&self) -> bool {
        self.push && self.pushes
    }

    /// Whether something goes out. Counters have no signal: they are looked at once a second while it does.
    pub fn sends(&self) -> bool {
        self.tells() && self.said.as_ref().is_some_and(|said| said.live || said.slate)
    }

    /// Takes in what its push program says.
    pub fn heard(&mut self, status: PushStatus) -> bool {
        if !self.push {
            return false;
        }
        let before = self.said.take().filter(|said| said.sinks.len() == status.sinks.len());
        self.rises.resize(status.sinks.len(), 0);
        let before = before.iter().flat_map(|said| &said.sinks).map(Some).chain(std::iter::repeat(None));
        for ((sink, before), rises) in status.sinks.iter().zip(before).zip(&mut self.rises) {
            let rose = before.is_some_and(|before| sink.frames_out > before.frames_out);
            // Frames that no server took were counted into a buffer only.
            *rises = if rose && sink.state == SinkState::Publishing { rises.saturating_add(1) } else { 0 };
        }
        self.said = Some(status);
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

    /// What it lacks, one line each; of its frames only when `frames` are what is lacking.
    pub fn lacking(&self, frames: bool) -> Vec<String> {
        let name = &self.name;
        let mut lines = Vec::new();
        for (there, program) in [(self.camera, "camera"), (self.push, "push")] {
            if !there {
                lines.push(format!("stream {name}: its {program} program is not on the bus"));
            }
        }
        if !(frames && self.tells()) {
            return lines;
        }
        match &self.said {
            None => lines.push(format!("stream {name}: its push program does not answer")),
            Some(said) if !said.live && !said.slate => {
                lines.push(format!("stream {name}: neither video of the robot nor a slate goes out"));
            }
            Some(said) => lines.extend(
                said.sinks.iter().map(|sink| format!("stream {name}: no frames flow to {}", trouble(sink))),
            ),
        }
        lines
    }
}

fn trouble(sink: &SinkStatus) -> String {
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
