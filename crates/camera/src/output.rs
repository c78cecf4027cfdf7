//! The way out of every source: gate, decoding times, and then either straight onto the hop or
//! through the encoder first.

use crate::counters::Counters;
use crate::decode_times::DecodeTimes;
use crate::encoder_control::BitrateControl;
use crate::gate::{Gate, GateVerdict};
use crate::passthrough::{Passthrough, fit};
use crate::transcoder_input::TranscoderInput;
use robocast_config::Stream;
use robocast_video::clock::MonoTime;
use robocast_video::h264::{AccessUnit, ParameterSets, VideoFormat};
use robocast_video::ipc::Broadcast;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// What the camera's loop must know of the pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputEvent {
    /// The pictures look like this from now on.
    Format(VideoFormat),
    /// They cannot go on as they are: an encoder is needed.
    Unfit(String),
}

/// What every output of one camera shares.
#[derive(Debug, Clone)]
pub struct CameraContext {
    /// The stream's settings.
    pub stream: Arc<Stream>,
    /// Where units go.
    pub feed: Broadcast,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// To the camera's loop.
    pub notices: UnboundedSender<OutputEvent>,
    /// The encoder for H.264 that does not fit, while there is one.
    pub recode: TranscoderInput,
    /// The encoder at work, whichever it is.
    pub steer: BitrateControl,
}

/// An access unit as a source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUnit {
    /// Annex B.
    pub data: Vec<u8>,
    /// When to show it.
    pub pts: MonoTime,
    /// When to decode it, if the source knows.
    pub dts: Option<MonoTime>,
    /// When it came.
    pub arrived: MonoTime,
    /// Nothing is missing in it.
    pub intact: bool,
    /// Something before it is missing.
    pub after_loss: bool,
    /// Another sender than before.
    pub new_sender: bool,
}

impl SourceUnit {
    /// A whole unit that came over a way on which nothing is lost.
    #[must_use]
    pub fn whole(unit: &AccessUnit) -> Self {
        Self {
            data: unit.data.to_vec(),
            pts: unit.pts,
            dts: Some(unit.dts),
            arrived: unit.arrived,
            intact: true,
            after_loss: false,
            new_sender: false,
        }
    }
}

/// The way out of one source.
#[derive(Debug)]
pub struct SourceOutput {
    shared: CameraContext,
    gate: Gate,
    times: DecodeTimes,
    fit: Option<Passthrough>,
    /// The units come out of our own encoder: they fit, and were counted when they came in.
    encoded: bool,
}

impl SourceOutput {
    /// For a source that gives H.264, with the parameter sets that are known beforehand.
    #[must_use]
    pub fn coded(shared: CameraContext, sets: ParameterSets) -> Self {
        Self { shared, gate: Gate::with(sets), times: DecodeTimes::default(), fit: None, encoded: false }
    }

    /// For units out of our own encoder.
    #[must_use]
    pub fn encoded(shared: CameraContext) -> Self {
        Self {
            shared,
            gate: Gate::default(),
            times: DecodeTimes::default(),
            fit: Some(Passthrough::Pass),
            encoded: true,
        }
    }

    /// Takes the next unit of the source.
    pub fn take(&mut self, arrival: SourceUnit) {
        if !self.encoded {
            self.shared.counters.came(arrival.arrived);
        }
        if arrival.new_sender {
            self.gate.reset();
            self.times = DecodeTimes::default();
        }
        if !arrival.intact || arrival.after_loss {
            self.gate.close();
        }
        if !arrival.intact {
            self.shared.counters.broke();
            return;
        }
        match self.gate.judge(arrival.data) {
            GateVerdict::Pass { data, keyframe, changed } => {
                if changed {
                    self.examine();
                }
                let (dts, pts) = match arrival.dts {
                    Some(dts) => (dts, arrival.pts),
                    None => self.times.next(arrival.pts),
                };
                self.forward(AccessUnit { data, pts, dts, arrived: arrival.arrived, keyframe });
            }
            GateVerdict::Drop => self.shared.counters.broke(),
            GateVerdict::NoPicture => {}
        }
    }

    /// New parameter sets: do pictures like these still fit?
    fn examine(&mut self) {
        let Some(picture) = self.gate.format() else { return };
        self.times.declare(picture.reorder);
        if !self.encoded {
            let decided = fit(&picture, &self.shared.stream);
            if let Passthrough::Encode(reason) = &decided {
                let _ = self.shared.notices.send(OutputEvent::Unfit(reason.clone()));
            }
            self.fit = Some(decided);
        }
        let _ = self.shared.notices.send(OutputEvent::Format(picture));
    }

    fn forward(&mut self, unit: AccessUnit) {
        if let Some(Passthrough::Encode(_)) = self.fit {
            self.shared.recode.push(&unit);
            return;
        }
        self.shared.counters.went(unit.data.len(), unit.keyframe);
        self.shared.feed.push(unit);
    }
}
