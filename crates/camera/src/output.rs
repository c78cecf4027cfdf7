//! Post-processing shared by all sources: drop undecodable units, derive decoding times, then publish or
//! transcode.

use crate::counters::Counters;
use crate::decode_times::DecodeTimes;
use crate::gate::{Gate, GateVerdict};
use crate::passthrough::{Passthrough, decide_passthrough};
use crate::rtp::ReceivedUnit;
use crate::transcoder_input::TranscoderInput;
use robocast_config::Stream;
use robocast_video::clock::MonoTime;
use robocast_video::h264::{AccessUnit, ParameterSets, VideoFormat};
use robocast_video::ipc::Broadcast;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// What the camera's loop must know about the pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputEvent {
    /// The pictures have this format from now on.
    Format(VideoFormat),
    /// They cannot be passed through, for this reason: they need a transcoder.
    Unfit(String),
}

/// One opening of the source. An event of an earlier one is not about the source that is open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpeningId(pub u64);

impl OpeningId {
    /// The opening after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Sends events to the camera's loop.
#[derive(Debug, Clone)]
pub struct OutputEvents {
    /// The opening that the events belong to.
    pub opening: OpeningId,
    /// To the camera's loop.
    pub sender: UnboundedSender<(OpeningId, OutputEvent)>,
}

impl OutputEvents {
    fn send(&self, event: OutputEvent) {
        let _ = self.sender.send((self.opening, event));
    }
}

/// The state that all outputs of one camera share.
#[derive(Debug, Clone)]
pub struct CameraContext {
    /// The stream's settings.
    pub stream: Arc<Stream>,
    /// Where units are sent.
    pub broadcast: Broadcast,
    /// The counters.
    pub counters: Arc<Counters>,
    /// To the camera's loop.
    pub events: OutputEvents,
    /// Where units are sent that must be transcoded.
    pub transcoder_input: TranscoderInput,
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
    /// When it arrived.
    pub arrived: MonoTime,
    /// Nothing is missing in it.
    pub intact: bool,
    /// Something before it is missing.
    pub after_loss: bool,
    /// Another sender than before.
    pub new_sender: bool,
}

impl SourceUnit {
    /// A whole unit from a source that loses nothing.
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

impl From<ReceivedUnit> for SourceUnit {
    fn from(unit: ReceivedUnit) -> Self {
        Self {
            data: unit.assembled.data,
            pts: unit.pts,
            dts: None,
            arrived: unit.arrived,
            intact: unit.assembled.intact,
            after_loss: unit.assembled.after_loss,
            new_sender: unit.new_sender,
        }
    }
}

/// Takes the units of one source to the camera's readers.
#[derive(Debug)]
pub struct SourceOutput {
    context: CameraContext,
    gate: Gate,
    times: DecodeTimes,
    passthrough: Option<Passthrough>,
    /// The units come from our own encoder: they fit, and were counted before they were encoded.
    encoded: bool,
}

impl SourceOutput {
    /// For a source that gives H.264, with the parameter sets that are known beforehand.
    #[must_use]
    pub fn coded(context: CameraContext, sets: ParameterSets) -> Self {
        Self {
            context,
            gate: Gate::with(sets),
            times: DecodeTimes::default(),
            passthrough: None,
            encoded: false,
        }
    }

    /// For units from our own encoder.
    #[must_use]
    pub fn encoded(context: CameraContext) -> Self {
        Self {
            context,
            gate: Gate::default(),
            times: DecodeTimes::default(),
            passthrough: Some(Passthrough::Pass),
            encoded: true,
        }
    }

    /// Delivers the next unit of the source.
    pub fn deliver(&mut self, unit: impl Into<SourceUnit>) {
        let unit: SourceUnit = unit.into();
        if !self.encoded {
            self.context.counters.count_in(unit.arrived);
        }
        if unit.new_sender {
            self.gate.reset();
            self.times = DecodeTimes::default();
        }
        if !unit.intact || unit.after_loss {
            self.gate.close();
        }
        if !unit.intact {
            self.context.counters.count_broken();
            return;
        }
        match self.gate.check_unit(unit.data) {
            GateVerdict::Pass { data, keyframe, changed } => {
                if changed {
                    self.examine_format();
                }
                let (dts, pts) = match unit.dts {
                    Some(dts) => (dts, unit.pts),
                    None => self.times.assign_times(unit.pts),
                };
                self.forward(AccessUnit { data, pts, dts, arrived: unit.arrived, keyframe });
            }
            GateVerdict::Drop => self.context.counters.count_broken(),
            GateVerdict::NoPicture => {}
        }
    }

    /// Looks at new parameter sets: can such pictures still be passed through?
    fn examine_format(&mut self) {
        let Some(format) = self.gate.format() else { return };
        self.times.declare_reordering(format.reorder);
        if !self.encoded {
            let decided = decide_passthrough(&format, &self.context.stream);
            if let Passthrough::Encode(reason) = &decided {
                self.context.events.send(OutputEvent::Unfit(reason.clone()));
            }
            self.passthrough = Some(decided);
        }
        self.context.events.send(OutputEvent::Format(format));
    }

    fn forward(&mut self, unit: AccessUnit) {
        if let Some(Passthrough::Encode(_)) = self.passthrough {
            self.context.transcoder_input.push(&unit);
            return;
        }
        self.context.counters.count_out(unit.data.len(), unit.keyframe);
        self.context.broadcast.push(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::AssembledUnit;
    use robocast_video::h264::push_nal;
    use robocast_video::h264::samples;
    use robocast_video::ipc::{Limits, Next, Subscriber};
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;
    use tokio::sync::mpsc;

    const SPS: &[u8] = &samples::SPS;
    const PPS: &[u8] = &samples::PPS;
    const IDR: &[u8] = &samples::IDR;
    const SLICE: &[u8] = &samples::SLICE;

    struct Bench {
        context: CameraContext,
        events: mpsc::UnboundedReceiver<(OpeningId, OutputEvent)>,
        reader: Subscriber,
    }

    fn bench(more: &str) -> Bench {
        let text =
            format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"rtp://0.0.0.0:5004\"\n{more}\n");
        let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
        let (sender, events) = mpsc::unbounded_channel();
        let broadcast = Broadcast::new(Limits { lag: Duration::from_secs(5), bytes: 1 << 20 });
        let reader = broadcast.subscribe();
        let context = CameraContext {
            stream: Arc::new(settings.streams[0].clone()),
            broadcast,
            counters: Arc::new(Counters::default()),
            events: OutputEvents { opening: OpeningId(3), sender },
            transcoder_input: TranscoderInput::default(),
        };
        Bench { context, events, reader }
    }

    impl Bench {
        fn events(&mut self) -> Vec<OutputEvent> {
            std::iter::from_fn(|| self.events.try_recv().ok())
                .map(|(opening, event)| {
                    assert_eq!(opening, OpeningId(3));
                    event
                })
                .collect()
        }

        /// Presentation times of the units that readers get, in ms.
        fn published(&mut self) -> Vec<u64> {
            std::iter::from_fn(|| match self.reader.try_next() {
                Next::Unit { unit, .. } => Some(unit.pts.0 / 1_000_000),
                Next::Nothing => None,
            })
            .collect()
        }

        fn counted(&self) -> [u64; 4] {
            let c = &self.context.counters;
            [&c.frames_in, &c.frames_out, &c.keyframes, &c.broken].map(|counter| counter.load(Relaxed))
        }
    }

    fn unit(nals: &[&[u8]], ms: u64) -> ReceivedUnit {
        let mut data = Vec::new();
        nals.iter().for_each(|nal| push_nal(&mut data, nal));
        let pts = MonoTime(ms * 1_000_000);
        let assembled = AssembledUnit { data, timestamp: 0, intact: true, after_loss: false };
        ReceivedUnit { assembled, pts, arrived: pts, new_sender: false }
    }

    #[test]
    fn units_pass_from_the_first_keyframe_on_and_their_format_is_reported_once() {
        let mut bench = bench("");
        let mut output = SourceOutput::coded(bench.context.clone(), ParameterSets::default());
        output.deliver(unit(&[SLICE], 40));
        for ms in [80, 120] {
            output.deliver(unit(&[SPS, PPS, IDR], ms));
            output.deliver(unit(&[SLICE], ms + 20));
        }
        assert_eq!(bench.published(), [120, 140], "a reader starts at the latest keyframe");
        assert_eq!(bench.counted(), [5, 4, 2, 1]);
        assert_eq!(bench.context.counters.last_frame(), Some(MonoTime(140_000_000)));
        let events = bench.events();
        let [OutputEvent::Format(format)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((format.width, format.height), (1280, 720));
    }

    #[test]
    fn after_a_loss_nothing_passes_until_the_next_keyframe() {
        let mut bench = bench("");
        let mut output = SourceOutput::coded(bench.context.clone(), ParameterSets::default());
        output.deliver(unit(&[SPS, PPS, IDR], 40));
        assert_eq!(bench.published(), [40]);
        let mut torn = unit(&[SLICE], 80);
        torn.assembled.intact = false;
        output.deliver(torn);
        output.deliver(unit(&[SLICE], 120));
        assert_eq!(bench.published(), [0; 0]);
        output.deliver(unit(&[IDR], 160));
        output.deliver(unit(&[SLICE], 200));
        assert_eq!(bench.published(), [160, 200]);
        let mut after = unit(&[SLICE], 240);
        after.assembled.after_loss = true;
        output.deliver(after);
        assert_eq!(bench.published(), [0; 0]);
        assert_eq!(bench.counted(), [6, 3, 2, 3]);
    }

    #[test]
    fn the_parameter_sets_of_another_sender_are_waited_for() {
        let mut bench = bench("");
        let mut sets = ParameterSets::default();
        sets.observe(SPS);
        sets.observe(PPS);
        let mut output = SourceOutput::coded(bench.context.clone(), sets);
        output.deliver(unit(&[IDR], 40));
        assert_eq!(bench.published(), [40], "the session's description had them");
        let mut other = unit(&[IDR], 80);
        other.new_sender = true;
        output.deliver(other);
        assert_eq!(bench.published(), [0; 0], "nothing of the sender before holds");
        output.deliver(unit(&[SPS, PPS, IDR], 120));
        assert_eq!(bench.published(), [120]);
    }

    #[test]
    fn pictures_that_do_not_fit_are_reported_and_held_back() {
        let mut bench = bench("size = \"640x360\"");
        let mut output = SourceOutput::coded(bench.context.clone(), ParameterSets::default());
        output.deliver(unit(&[SPS, PPS, IDR], 40));
        assert_eq!(bench.published(), [0; 0], "no transcoder runs yet");
        assert_eq!(bench.counted(), [1, 0, 0, 0]);
        let events = bench.events();
        assert!(
            matches!(&events[..], [OutputEvent::Unfit(why), OutputEvent::Format(_)] if why.contains("1280x720")),
            "{events:?}"
        );
        // The transcoder's output is sent, and was counted before.
        let mut encoded = SourceOutput::encoded(bench.context.clone());
        encoded.deliver(unit(&[SPS, PPS, IDR], 80));
        assert_eq!(bench.published(), [80]);
        assert_eq!(bench.counted(), [1, 1, 1, 0]);
        assert!(matches!(bench.events()[..], [OutputEvent::Format(_)]));
    }
}
