//! The way out of every source: gate, decoding times, and then either straight onto the hop or
//! through the encoder first.

use crate::counters::Counters;
use crate::decode_times::DecodeTimes;
use crate::fit::{Fit, fit};
use crate::gate::{Gate, Verdict};
use crate::recode_input::RecodeInput;
use crate::steering::Steer;
use robocast_config::Stream;
use robocast_media::clock::Stamp;
use robocast_media::h264::{AccessUnit, ParameterSets, Picture};
use robocast_media::hop::Feed;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// What the camera's loop must know of the pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The pictures look like this from now on.
    Picture(Picture),
    /// They cannot go on as they are: an encoder is needed.
    Unfit(String),
}

/// What every outlet of one camera shares.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The stream's settings.
    pub stream: Arc<Stream>,
    /// Where units go.
    pub feed: Feed,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// To the camera's loop.
    pub notices: UnboundedSender<Notice>,
    /// The encoder for H.264 that does not fit, while there is one.
    pub recode: RecodeInput,
    /// The encoder at work, whichever it is.
    pub steer: Steer,
}

/// An access unit as a source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Annex B.
    pub data: Vec<u8>,
    /// When to show it.
    pub pts: Stamp,
    /// When to decode it, if the source knows.
    pub dts: Option<Stamp>,
    /// When it came.
    pub arrived: Stamp,
    /// Nothing is missing in it.
    pub intact: bool,
    /// Something before it is missing.
    pub after_loss: bool,
    /// Another sender than before.
    pub new_sender: bool,
}

impl Arrival {
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
pub struct Outlet {
    shared: Shared,
    gate: Gate,
    times: DecodeTimes,
    fit: Option<Fit>,
    /// The units come out of our own encoder: they fit, and were counted when they came in.
    encoded: bool,
}

impl Outlet {
    /// For a source that gives H.264, with the parameter sets that are known beforehand.
    #[must_use]
    pub fn coded(shared: Shared, sets: ParameterSets) -> Self {
        Self { shared, gate: Gate::with(sets), times: DecodeTimes::default(), fit: None, encoded: false }
    }

    /// For units out of our own encoder.
    #[must_use]
    pub fn encoded(shared: Shared) -> Self {
        Self {
            shared,
            gate: Gate::default(),
            times: DecodeTimes::default(),
            fit: Some(Fit::Pass),
            encoded: true,
        }
    }

    /// Takes the next unit of the source.
    pub fn take(&mut self, arrival: Arrival) {
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
            Verdict::Pass { data, keyframe, changed } => {
                if changed {
                    self.examine();
                }
                let (dts, pts) = match arrival.dts {
                    Some(dts) => (dts, arrival.pts),
                    None => self.times.next(arrival.pts),
                };
                self.forward(AccessUnit { data, pts, dts, arrived: arrival.arrived, keyframe });
            }
            Verdict::Drop => self.shared.counters.broke(),
            Verdict::NoPicture => {}
        }
    }

    /// New parameter sets: do pictures like these still fit?
    fn examine(&mut self) {
        let Some(picture) = self.gate.picture() else { return };
        self.times.declare(picture.reorder);
        if !self.encoded {
            let decided = fit(&picture, &self.shared.stream);
            if let Fit::Encode(reason) = &decided {
                let _ = self.shared.notices.send(Notice::Unfit(reason.clone()));
            }
            self.fit = Some(decided);
        }
        let _ = self.shared.notices.send(Notice::Picture(picture));
    }

    fn forward(&mut self, unit: AccessUnit) {
        if let Some(Fit::Encode(_)) = self.fit {
            self.shared.recode.push(&unit);
            return;
        }
        self.shared.counters.went(unit.data.len(), unit.keyframe);
        self.shared.feed.push(unit);
    }
}
