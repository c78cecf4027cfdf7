//! The camera's loop: it carries out what [`Lifecycle`] decides, and serves readers, D-Bus and signals meanwhile.

mod environment;
mod publish;
mod source_task;

use crate::arbitration::BitrateArbiter;
use crate::bitrate_control::BitrateControl;
use crate::counters::Counters;
use crate::lifecycle::{Lifecycle, LifecycleAction, LifecycleEvent, Moment};
use crate::output::{CameraContext, OpeningId, OutputEvent, OutputEvents};
use crate::source::{Attempt, OpenSource, RunningSource};
use crate::transcoder_input::TranscoderInput;
use environment::{CameraEnvironment, SourceOpener};
use robocast_bus::CameraStatus;
use robocast_bus::server::{self, CameraOrder};
use robocast_config::{Bitrate, Settings, Stream};
use robocast_daemon::backoff::Backoff;
use robocast_daemon::notify::{self, Heartbeat};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use robocast_gst::encoder::EncodingTarget;
use robocast_gst::pipeline::PipelineError;
use robocast_video::clock::MonoTime;
use robocast_video::h264::VideoFormat;
use robocast_video::ipc::{self, Broadcast, Limits, ReaderEvent, Request, Served, SourceReport};
use source_task::SourceTask;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// The buffer for readers: they may lag by a second; a group of pictures may have 8 MiB.
const KEPT: Limits = Limits { lag: Duration::from_secs(1), bytes: 8 << 20 };
/// How often the source is judged.
const TICK: Duration = Duration::from_millis(250);
/// After so many ticks the status is published.
const PUBLISH_EACH: u32 = 4;
/// The first wait between two openings, and the longest.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(800)];

/// The camera program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] robocast_config::LoadError),
    /// The settings have no such stream.
    #[error("no [[stream]] is called `{0}`")]
    NoStream(String),
    /// The camera's socket cannot be made.
    #[error("cannot serve {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// A pipeline does not stop; only a new process helps.
    #[error("the source does not stop")]
    Stuck(#[source] PipelineError),
}

/// Runs the camera of stream `name` until it is asked to stop.
///
/// # Errors
/// When it cannot start, or cannot continue in this process.
pub async fn run(name: &str, settings: &Path) -> Result<(), CameraError> {
    let (mut camera, _served) = CameraProgram::new(name, settings)?;
    notify::ready();
    let ended = camera.run_loop().await;
    notify::stopping();
    ended
}

struct CameraProgram<S> {
    name: String,
    path: PathBuf,
    settings: Settings,
    lifecycle: Lifecycle,
    arbiter: BitrateArbiter,
    opener: SourceOpener<S>,
    source: SourceTask<S>,
    context: CameraContext,
    output_events: mpsc::UnboundedReceiver<(OpeningId, OutputEvent)>,
    /// What changes the bitrate now, and the last requested value.
    control: Option<BitrateControl>,
    bitrate_set: Option<Bitrate>,
    /// The format of the pictures, once known.
    format: Option<VideoFormat>,
    readers: watch::Receiver<usize>,
    reader_events: mpsc::Receiver<ReaderEvent>,
    report: watch::Sender<SourceReport>,
    status: watch::Sender<CameraStatus>,
    orders: mpsc::Receiver<CameraOrder>,
    signals: Signals,
    time_of_day: fn() -> SystemTime,
    /// When the lifecycle's wait is over.
    wait_until: Option<Instant>,
    tick: Interval,
    ticks: u32,
    heartbeat: Heartbeat,
}

impl CameraProgram<OpenSource> {
    /// The program, and the camera's socket, which is served for as long as that is kept.
    fn new(name: &str, path: &Path) -> Result<(Self, Served), CameraError> {
        let settings = robocast_config::load(path)?.settings;
        let stream = settings.stream(name).ok_or_else(|| CameraError::NoStream(name.into()))?.clone();
        let signals = Signals::listen().map_err(CameraError::Signals)?;
        let (reader_event, reader_events) = mpsc::channel(16);
        let report = watch::Sender::new(publish::first_report(SystemTime::now()));
        let broadcast = Broadcast::new(KEPT);
        let socket = paths::camera_socket(name);
        let served = ipc::serve(&socket, broadcast.clone(), report.subscribe(), reader_event)
            .map_err(|source| CameraError::Socket { path: socket, source })?;
        let status = watch::Sender::new(CameraStatus::default());
        let (order, orders) = mpsc::channel(4);
        tokio::spawn(server::serve_camera(name.to_owned(), status.subscribe(), order));
        let environment = CameraEnvironment {
            opener: Arc::new(OpenSource::open),
            broadcast,
            readers: served.readers(),
            reader_events,
            report,
            status,
            orders,
            signals,
            time_of_day: SystemTime::now,
        };
        Ok((Self::with_environment(environment, path, settings, stream), served))
    }
}

impl<S: RunningSource> CameraProgram<S> {
    fn with_environment(
        environment: CameraEnvironment<S>,
        path: &Path,
        settings: Settings,
        stream: Stream,
    ) -> Self {
        let (sender, output_events) = mpsc::unbounded_channel();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let backoff = Backoff::new(BACKOFF[0], BACKOFF[1]);
        Self {
            name: stream.name.clone(),
            path: path.to_owned(),
            lifecycle: Lifecycle::new(stream.source.to_string(), stream.start, backoff, MonoTime::now()),
            arbiter: BitrateArbiter::new(stream.bitrate),
            opener: environment.opener,
            source: SourceTask::Closed,
            context: CameraContext {
                stream: Arc::new(stream),
                broadcast: environment.broadcast,
                counters: Arc::new(Counters::default()),
                events: OutputEvents { opening: OpeningId::default(), sender },
                transcoder_input: TranscoderInput::default(),
            },
            settings,
            output_events,
            control: None,
            bitrate_set: None,
            format: None,
            readers: environment.readers,
            reader_events: environment.reader_events,
            report: environment.report,
            status: environment.status,
            orders: environment.orders,
            signals: environment.signals,
            time_of_day: environment.time_of_day,
            wait_until: None,
            tick,
            ticks: 0,
            heartbeat: Heartbeat::from_env(),
        }
    }

    async fn run_loop(&mut self) -> Result<(), CameraError> {
        let first = self.lifecycle.begin();
        if self.carry_out(first).await? {
            return Ok(());
        }
        loop {
            let mut publish = false;
            let event = tokio::select! {
                event = self.source.next_event() => Some(event),
                signal = self.signals.next() => self.on_signal(signal),
                Some(event) = self.reader_events.recv() => {
                    self.on_reader_event(event);
                    None
                }
                Some(CameraOrder::TargetBitrate(bps)) = self.orders.recv() => {
                    self.arbiter.set_ceiling(Bitrate::from_bps(bps));
                    None
                }
                Some((opening, event)) = self.output_events.recv() => self.on_output_event(opening, event),
                Ok(()) = self.readers.changed() => {
                    Some(LifecycleEvent::Readers(*self.readers.borrow_and_update()))
                }
                () = sleep_until(self.wait_until) => {
                    self.wait_until = None;
                    Some(LifecycleEvent::WaitOver)
                }
                _ = self.tick.tick() => {
                    self.heartbeat.beat();
                    self.ticks = self.ticks.wrapping_add(1);
                    publish = self.ticks.is_multiple_of(PUBLISH_EACH);
                    Some(LifecycleEvent::Tick(self.source.patience()))
                }
            };
            if let Some(LifecycleEvent::TranscoderFailed(why)) = &event {
                tracing::warn!(stream = self.name, why, "the encoder failed; trying the next");
            }
            if let Some(event) = event {
                let actions = self.lifecycle.handle_event(self.moment(), event);
                if self.carry_out(actions).await? {
                    return Ok(());
                }
            }
            self.apply_bitrate();
            publish |= self.publish_report();
            if publish {
                self.publish_status();
            }
        }
    }

    fn moment(&self) -> Moment {
        let counters = &self.context.counters;
        Moment {
            now: MonoTime::now(),
            frames_in: counters.frames_in.load(Relaxed),
            last_frame: counters.last_frame(),
        }
    }

    /// Carries out actions, and those that follow from them. True at the end of the program.
    async fn carry_out(&mut self, actions: Vec<LifecycleAction>) -> Result<bool, CameraError> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            let event = match action {
                LifecycleAction::Open { fruitless } => {
                    self.open_source(fruitless);
                    None
                }
                // A driver that hangs: without a heartbeat, the watchdog ends the program.
                LifecycleAction::AwaitOpening => Some(self.source.next_event().await),
                LifecycleAction::Close => {
                    (self.control, self.bitrate_set) = (None, None);
                    self.source.close().await.map_err(CameraError::Stuck)?;
                    None
                }
                LifecycleAction::StartTranscoder { failed } => {
                    (self.control, self.bitrate_set) = (None, None);
                    let target = self.encoding_target();
                    let started = self.source.start_transcoder(&self.context, failed, target).await;
                    Some(LifecycleEvent::TranscoderStarted(started.map_err(CameraError::Stuck)?))
                }
                LifecycleAction::CountReopening => {
                    self.context.counters.rebuilds.fetch_add(1, Relaxed);
                    None
                }
                LifecycleAction::ForgetUnits => {
                    self.context.broadcast.clear();
                    None
                }
                LifecycleAction::Report(report) => {
                    self.log_state(&report);
                    if self.publish_report() {
                        self.publish_status();
                    }
                    None
                }
                LifecycleAction::Wait(time) => {
                    self.wait_until = Some(Instant::now() + time);
                    None
                }
                LifecycleAction::Finish => return Ok(true),
            };
            if let Some(event) = event {
                actions.extend(self.lifecycle.handle_event(self.moment(), event));
            }
        }
        Ok(false)
    }

    fn open_source(&mut self, fruitless: u32) {
        // Events from the outputs of earlier openings are not about this one.
        self.context.events.opening = self.context.events.opening.next();
        let attempt = Attempt { fruitless, target: self.encoding_target() };
        self.source = SourceTask::open(&self.opener, &self.settings, &self.context, attempt);
        tracing::debug!(stream = self.name, source = %self.context.stream.source, "opening the source");
    }

    fn encoding_target(&self) -> EncodingTarget {
        let stream = &self.context.stream;
        EncodingTarget {
            bitrate: self.arbiter.bitrate(),
            size: stream.size,
            fps: stream.fps,
            keyframe_interval: stream.keyframe_interval,
        }
    }

    /// Applies the bitrate in force to the current encoder.
    fn apply_bitrate(&mut self) {
        let control = self.source.control();
        if let Some(control) = &control {
            let (wanted, set) = (self.arbiter.bitrate(), self.bitrate_set.or(control.initial_bitrate()));
            if set != Some(wanted) && control.set_bitrate(wanted) {
                tracing::debug!(stream = self.name, bitrate = %wanted, "bitrate set");
                self.bitrate_set = Some(wanted);
            }
        }
        self.control = control;
    }

    fn on_reader_event(&mut self, event: ReaderEvent) {
        match event {
            ReaderEvent::Asked(reader, Request::Bitrate(wish)) => self.arbiter.set_wish(reader, wish),
            ReaderEvent::Asked(_, Request::Keyframe) => {
                if let Some(control) = self.source.control() {
                    control.force_keyframe();
                }
            }
            ReaderEvent::Left(reader) => self.arbiter.forget_reader(reader),
        }
    }

    fn on_output_event(&mut self, opening: OpeningId, event: OutputEvent) -> Option<LifecycleEvent> {
        if opening != self.context.events.opening {
            return None;
        }
        match event {
            OutputEvent::Format(format) => {
                self.format = Some(format);
                None
            }
            OutputEvent::Unfit(reason) => {
                tracing::info!(stream = self.name, reason, "the source's H.264 needs a transcoder");
                Some(LifecycleEvent::Unfit(reason))
            }
        }
    }

    fn on_signal(&mut self, signal: SignalEvent) -> Option<LifecycleEvent> {
        match signal {
            SignalEvent::Shutdown => Some(LifecycleEvent::Shutdown),
            SignalEvent::Reload => self.reload_settings(),
        }
    }

    /// Reads the settings again. Returns an event when those of this camera changed.
    fn reload_settings(&mut self) -> Option<LifecycleEvent> {
        let settings = match robocast_config::load(&self.path) {
            Ok(checked) => checked.settings,
            Err(error) => {
                tracing::error!(stream = self.name, "settings not applied: {}", journal::chain(&error));
                return None;
            }
        };
        let Some(stream) = settings.stream(&self.name).cloned() else {
            tracing::warn!(
                stream = self.name,
                "the settings no longer have this stream; it continues unchanged"
            );
            return None;
        };
        // Only the camera's part: reopening the source would cost every sink its video.
        let changed = settings.camera_part(&self.name) != self.settings.camera_part(&self.name);
        let event =
            LifecycleEvent::SettingsChanged { source: stream.source.to_string(), start: stream.start };
        if changed {
            tracing::info!(stream = self.name, "settings applied");
            self.arbiter.set_range(stream.bitrate);
        }
        self.context.stream = Arc::new(stream);
        self.settings = settings;
        changed.then_some(event)
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
