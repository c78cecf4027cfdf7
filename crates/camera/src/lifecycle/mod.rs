//! The life of a camera's source: when it is opened, closed and reopened, and when it rests. Pure: events in, actions
//! out. The program's loop carries the actions out and reports their results.
//!
//! ```text
//!             +--------------------- settings changed, source ended or silent ------------------+
//!             v                                                                                 |
//!   start -> Backoff --wait over--> Opening --opened--> Running --nobody reads--> Resting --a reader--> Backoff
//!             ^  ^                     |                   |
//!             |  +------ failed -------+                   +-- the camera said no --> Refused --wait over--+
//!             +--------------------------------------------------------------------------------------------+
//! ```

use crate::liveness::{Liveness, Patience, Silence, judge_liveness};
use robocast_bus::SourceState;
use robocast_config::Start;
use robocast_daemon::backoff::Backoff;
use robocast_video::clock::MonoTime;
use std::time::Duration;

/// A driver that takes longer to open its device hangs: a busy board may need many seconds.
const OPENING_LIMIT: Duration = Duration::from_secs(60);
/// A camera that refused is asked again after this time; or at once, when the settings change.
const REFUSED_FOR: Duration = Duration::from_secs(15);
/// A camera on demand rests after this long without a reader.
const REST_AFTER: Duration = Duration::from_secs(10);

/// The known state at the time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: MonoTime,
    /// Frames from the source since the program started.
    pub frames_in: u64,
    /// When the last of them arrived.
    pub last_frame: Option<MonoTime>,
}

/// Why a source could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFailure {
    /// For people.
    pub why: String,
    /// Waiting may help. Otherwise somebody must act.
    pub may_pass: bool,
}

/// Why an open source could not continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEnd {
    /// For people.
    pub why: String,
    /// The camera refused: if it is asked again soon, it might lock us out.
    pub refused: bool,
}

impl SourceEnd {
    /// An end after which reopening the source may well help.
    #[must_use]
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), refused: false }
    }

    /// The camera wants another user name or password.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), refused: true }
    }
}

/// What happens to a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// Time passed; an open source has this patience.
    Tick(Option<Patience>),
    /// The last [`LifecycleAction::Wait`] is over.
    WaitOver,
    /// The result of [`LifecycleAction::Open`].
    Opened(Result<(), OpenFailure>),
    /// The open source cannot continue.
    SourceEnded(SourceEnd),
    /// Its H.264 cannot be passed through, for this reason.
    Unfit(String),
    /// The result of [`LifecycleAction::StartTranscoder`].
    TranscoderStarted(Result<(), String>),
    /// The transcoder failed, for this reason.
    TranscoderFailed(String),
    /// This many readers are connected.
    Readers(usize),
    /// The settings of the stream changed.
    SettingsChanged {
        /// Its source, for people.
        source: String,
        /// When it runs.
        start: Start,
    },
    /// The program is to end.
    Shutdown,
}

/// The camera's next action, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifecycleAction {
    /// Open the source.
    Open {
        /// How many openings in a row gave no frame.
        fruitless: u32,
    },
    /// Opening takes too long: do nothing but wait for it. The watchdog does the rest.
    AwaitOpening,
    /// Stop the transcoder, close the source.
    Close,
    /// Start a transcoder, in place of the previous one.
    StartTranscoder {
        /// How many encoders failed since the source was opened.
        failed: usize,
    },
    /// Count that the source is opened again.
    CountReopening,
    /// Forget the units that are kept for readers.
    ForgetUnits,
    /// The state of the source changed, or why it is so.
    Report(StateReport),
    /// Send [`LifecycleEvent::WaitOver`] after this time, and only then.
    Wait(Duration),
    /// End the program.
    Finish,
}

/// How the source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReport {
    /// Its state.
    pub state: SourceState,
    /// For people: the problem.
    pub text: String,
    /// Since when it is in this state. A source is lost since its last frame.
    pub since: MonoTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LifecycleState {
    /// Waits before it opens the source.
    Backoff,
    /// The source is being opened.
    Opening {
        /// The settings changed meanwhile: close it again.
        outdated: bool,
    },
    /// The source is open.
    Running { opened: MonoTime, transcoding: Transcoding, failed_encoders: usize },
    /// There are no readers.
    Resting,
    /// The camera refused: waits before it asks again.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transcoding {
    /// The source's units, or those of the source's encoder, are sent without a transcoder.
    No,
    /// Through a transcoder.
    Yes,
    /// They need one, and none starts.
    Impossible,
}

/// The state machine.
#[derive(Debug)]
pub struct Lifecycle {
    state: LifecycleState,
    backoff: Backoff,
    /// The source, for people.
    source: String,
    start: Start,
    readers: usize,
    /// When the last reader left, if none is there.
    unread_since: Option<MonoTime>,
    /// How many openings in a row gave no frame.
    fruitless: u32,
    /// Frames before the source was opened last.
    frames_before: u64,
    started: MonoTime,
    report: StateReport,
}

impl Lifecycle {
    /// A camera that starts now. [`Lifecycle::begin`] returns the first action.
    #[must_use]
    pub fn new(source: String, start: Start, backoff: Backoff, now: MonoTime) -> Self {
        Self {
            state: LifecycleState::Backoff,
            backoff,
            source,
            start,
            readers: 0,
            unread_since: Some(now),
            fruitless: 0,
            frames_before: 0,
            started: now,
            report: StateReport { state: SourceState::Starting, text: String::new(), since: now },
        }
    }

    /// The first actions.
    pub fn begin(&mut self) -> Vec<LifecycleAction> {
        vec![self.back_off()]
    }

    /// The state of the source.
    #[must_use]
    pub fn report(&self) -> &StateReport {
        &self.report
    }

    /// Returns the actions after `event`.
    pub fn handle_event(&mut self, moment: Moment, event: LifecycleEvent) -> Vec<LifecycleAction> {
        let mut actions = Vec::new();
        match event {
            LifecycleEvent::Tick(patience) => self.on_tick(moment, patience, &mut actions),
            LifecycleEvent::WaitOver => self.on_wait_over(moment, &mut actions),
            LifecycleEvent::Opened(opened) => self.on_opened(moment, opened, &mut actions),
            LifecycleEvent::SourceEnded(end) => self.on_source_ended(moment, end, &mut actions),
            LifecycleEvent::Unfit(_)
            | LifecycleEvent::TranscoderFailed(_)
            | LifecycleEvent::TranscoderStarted(_) => {
                self.on_transcoding(moment, event, &mut actions);
            }
            LifecycleEvent::Readers(count) => self.on_readers(moment, count, &mut actions),
            LifecycleEvent::SettingsChanged { source, start } => {
                self.source = source;
                self.on_settings_changed(moment, start, &mut actions);
            }
            LifecycleEvent::Shutdown => {
                if let LifecycleState::Running { .. } = self.state {
                    actions.push(LifecycleAction::Close);
                }
                actions.push(LifecycleAction::Finish);
            }
        }
        actions
    }

    fn on_tick(&mut self, moment: Moment, patience: Option<Patience>, actions: &mut Vec<LifecycleAction>) {
        if let (LifecycleState::Running { opened, transcoding, .. }, Some(patience)) = (self.state, patience)
        {
            let silence = Silence {
                since_open: moment.now.since(opened),
                since_frame: moment.last_frame.map(|last| moment.now.since(last)),
            };
            let liveness = judge_liveness(silence, patience);
            match liveness {
                // Frames arrive, but none is sent.
                Liveness::Live if transcoding == Transcoding::Impossible => {}
                Liveness::Live => self.report_state(moment, SourceState::Live, String::new(), actions),
                Liveness::TooEarly => {}
                Liveness::Lost | Liveness::TimedOut => {
                    let text = format!("no frames from {}", self.source);
                    self.report_state(moment, SourceState::Lost, text, actions);
                }
            }
            if liveness == Liveness::TimedOut {
                self.leave_source(moment, actions);
                actions.push(LifecycleAction::CountReopening);
                actions.push(self.back_off());
                return;
            }
        }
        let unread = self.unread_since.is_some_and(|since| moment.now.since(since) >= REST_AFTER);
        if unread && self.start == Start::OnDemand {
            match self.state {
                LifecycleState::Resting | LifecycleState::Opening { .. } => return,
                LifecycleState::Running { .. } => self.leave_source(moment, actions),
                LifecycleState::Backoff | LifecycleState::Refused => {}
            }
            self.state = LifecycleState::Resting;
            actions.push(LifecycleAction::ForgetUnits);
            self.report_state(moment, SourceState::Resting, String::new(), actions);
        }
    }

    fn on_wait_over(&mut self, moment: Moment, actions: &mut Vec<LifecycleAction>) {
        match self.state {
            LifecycleState::Backoff => self.open(moment, actions),
            LifecycleState::Refused => actions.push(self.back_off()),
            LifecycleState::Opening { .. } => actions.push(LifecycleAction::AwaitOpening),
            LifecycleState::Running { .. } | LifecycleState::Resting => {}
        }
    }

    fn on_opened(
        &mut self,
        moment: Moment,
        opened: Result<(), OpenFailure>,
        actions: &mut Vec<LifecycleAction>,
    ) {
        let LifecycleState::Opening { outdated } = self.state else { return };
        match opened {
            Ok(()) if outdated => {
                actions.push(LifecycleAction::Close);
                actions.push(self.back_off());
            }
            Ok(()) => {
                self.state = LifecycleState::Running {
                    opened: moment.now,
                    transcoding: Transcoding::No,
                    failed_encoders: 0,
                };
            }
            Err(_) if outdated => actions.push(self.back_off()),
            Err(OpenFailure { why, may_pass }) => {
                let state = if may_pass { SourceState::Lost } else { SourceState::Failed };
                self.report_state(moment, state, why, actions);
                self.fruitless = self.fruitless.saturating_add(1);
                actions.push(self.back_off());
            }
        }
    }

    fn on_source_ended(&mut self, moment: Moment, end: SourceEnd, actions: &mut Vec<LifecycleAction>) {
        let LifecycleState::Running { .. } = self.state else { return };
        self.leave_source(moment, actions);
        if end.refused {
            self.report_state(moment, SourceState::Failed, end.why, actions);
            self.state = LifecycleState::Refused;
            actions.push(LifecycleAction::Wait(REFUSED_FOR));
        } else {
            actions.push(LifecycleAction::CountReopening);
            self.report_state(moment, SourceState::Lost, end.why, actions);
            actions.push(self.back_off());
        }
    }

    fn on_transcoding(&mut self, moment: Moment, event: LifecycleEvent, actions: &mut Vec<LifecycleAction>) {
        let LifecycleState::Running { transcoding, failed_encoders, .. } = &mut self.state else { return };
        match event {
            LifecycleEvent::Unfit(_) if *transcoding != Transcoding::Yes => {}
            LifecycleEvent::TranscoderFailed(_) => *failed_encoders += 1,
            LifecycleEvent::TranscoderStarted(Err(why)) => {
                *transcoding = Transcoding::Impossible;
                self.report_state(moment, SourceState::Failed, why, actions);
                return;
            }
            _ => return,
        }
        *transcoding = Transcoding::Yes;
        actions.push(LifecycleAction::StartTranscoder { failed: *failed_encoders });
    }

    fn on_readers(&mut self, moment: Moment, count: usize, actions: &mut Vec<LifecycleAction>) {
        self.readers = count;
        if count == 0 {
            self.unread_since.get_or_insert(moment.now);
            return;
        }
        self.unread_since = None;
        if self.state == LifecycleState::Resting {
            self.wake(moment, actions);
        }
    }

    fn on_settings_changed(&mut self, moment: Moment, start: Start, actions: &mut Vec<LifecycleAction>) {
        if std::mem::replace(&mut self.start, start) != start && self.readers == 0 {
            self.unread_since = Some(moment.now);
        }
        match &mut self.state {
            LifecycleState::Backoff => self.open(moment, actions),
            // Two openings of one device would be in each other's way: this one is waited for.
            LifecycleState::Opening { outdated } => *outdated = true,
            LifecycleState::Running { .. } => {
                self.leave_source(moment, actions);
                actions.push(self.back_off());
            }
            LifecycleState::Resting if start == Start::Always => self.wake(moment, actions),
            LifecycleState::Resting => {}
            LifecycleState::Refused => actions.push(self.back_off()),
        }
    }

    fn open(&mut self, moment: Moment, actions: &mut Vec<LifecycleAction>) {
        self.frames_before = moment.frames_in;
        self.state = LifecycleState::Opening { outdated: false };
        actions.push(LifecycleAction::Open { fruitless: self.fruitless });
        actions.push(LifecycleAction::Wait(OPENING_LIMIT));
    }

    /// Ends the rest.
    fn wake(&mut self, moment: Moment, actions: &mut Vec<LifecycleAction>) {
        self.report_state(moment, SourceState::Starting, String::new(), actions);
        self.backoff.reset();
        actions.push(self.back_off());
    }

    fn back_off(&mut self) -> LifecycleAction {
        self.state = LifecycleState::Backoff;
        LifecycleAction::Wait(self.backoff.next_wait())
    }

    /// Closes the open source, and counts whether this opening gave frames.
    fn leave_source(&mut self, moment: Moment, actions: &mut Vec<LifecycleAction>) {
        actions.push(LifecycleAction::Close);
        if moment.frames_in > self.frames_before {
            self.backoff.reset();
            self.fruitless = 0;
        } else {
            self.fruitless = self.fruitless.saturating_add(1);
        }
    }

    fn report_state(
        &mut self,
        moment: Moment,
        state: SourceState,
        text: String,
        actions: &mut Vec<LifecycleAction>,
    ) {
        if self.report.state == state && self.report.text == text {
            return;
        }
        let since = match state {
            _ if state == self.report.state => self.report.since,
            SourceState::Lost => moment.last_frame.unwrap_or(self.started),
            _ => moment.now,
        };
        self.report = StateReport { state, text, since };
        actions.push(LifecycleAction::Report(self.report.clone()));
    }
}

#[cfg(test)]
mod tests;
