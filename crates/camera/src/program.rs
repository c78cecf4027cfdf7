//! The camera's loop.

mod around;
mod judge;
mod tell;

use crate::counters::Counters;
use crate::encoder_control::BitrateControl;
use crate::output::{CameraContext, OutputEvent};
use crate::source::{Attempt, Ended, OpenError, Patience, Source};
use crate::transcoder::Transcoder;
use crate::transcoder_input::TranscoderInput;
use around::{Around, Opener, Video};
use robocast_bus::server::{self, CameraOrder};
use robocast_bus::{CameraStatus, SourceState};
use robocast_config::{Bitrate, Settings, Stream};
use robocast_daemon::backoff::Backoff;
use robocast_daemon::notify::{self, Heartbeat};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use robocast_gst::encoder::{Encoder, Target};
use robocast_gst::pipeline::{PipelineError, PipelineEvent};
use robocast_video::clock::MonoTime;
use robocast_video::h264::VideoFormat;
use robocast_video::ipc::{self, Broadcast, Limits, Request, Served, SourceReport};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// What the hop keeps: readers may lag by a second; a group of pictures may have 8 MiB.
const KEPT: Limits = Limits { lag: Duration::from_secs(1), bytes: 8 << 20 };
/// How often the source is looked at, and each how many looks the supervisor is told.
const LOOK_EACH: Duration = Duration::from_millis(250);
const TELL_EACH: u32 = 4;
/// A driver that takes longer to open its device hangs: a busy board may need many seconds.
const OPENING: Duration = Duration::from_secs(60);
/// A camera that said no is asked again after this; or at once, when the settings change.
const REFUSED_FOR: Duration = Duration::from_secs(15);

/// The camera program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] robocast_config::LoadError),
    /// The settings have no such stream.
    #[error("no [[stream]] is called `{0}`")]
    NoStream(String),
    /// The hop's socket cannot be made.
    #[error("cannot serve {}", path.display())]
    Hop {
        /// The socket.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// A pipeline holds on to what it has; only a new process helps.
    #[error("the source does not let go")]
    Stuck(#[source] PipelineError),
}

/// Runs the camera of stream `name` until it is told to end.
///
/// # Errors
/// When it cannot start, or cannot go on in this process.
pub async fn run(name: &str, settings: &Path) -> Result<(), CameraError> {
    let (mut camera, _served) = Camera::new(name, settings)?;
    notify::ready();
    let ended = camera.work().await;
    notify::stopping();
    ended
}

struct Camera<S> {
    name: String,
    path: PathBuf,
    settings: Settings,
    opener: Opener<S>,
    shared: CameraContext,
    notices: mpsc::UnboundedReceiver<OutputEvent>,
    requests: mpsc::Receiver<Request>,
    report: watch::Sender<SourceReport>,
    /// How many read.
    readers: watch::Receiver<usize>,
    /// For D-Bus.
    status: watch::Sender<CameraStatus>,
    orders: mpsc::Receiver<CameraOrder>,
    signals: Signals,
    tick: Interval,
    heartbeat: Heartbeat,
    target: Target,
    picture: Option<VideoFormat>,
    /// Turns of the clock so far.
    round: u32,
    /// When the program started.
    started: MonoTime,
    /// When the source was opened.
    opened: MonoTime,
    /// When the last reader left, if none is there.
    unread_since: Option<MonoTime>,
}

/// What made the loop turn.
enum Turn<T> {
    /// The work at hand is done.
    Done(T),
    /// The source must be closed and opened again, for this reason.
    Reopen(Ended),
    /// The pictures need an encoder, for this reason.
    Unfit(String),
    /// The settings changed: open it as they say now.
    Changed,
    /// Nobody reads: rest.
    Rest,
    /// The end.
    End,
}

fn target_of(stream: &Stream) -> Target {
    Target {
        bitrate: stream.bitrate.max,
        size: stream.size,
        fps: stream.fps,
        keyframe_interval: stream.keyframe_interval,
    }
}

impl Camera<Source> {
    /// The camera, and the hop's socket, which is served for as long as that is kept.
    fn new(name: &str, path: &Path) -> Result<(Self, Served), CameraError> {
        let settings = robocast_config::load(path)?.settings;
        let stream = settings.stream(name).ok_or_else(|| CameraError::NoStream(name.into()))?.clone();
        let signals = Signals::listen().map_err(CameraError::Signals)?;
        let (ask, requests) = mpsc::channel(16);
        let report = watch::Sender::new(SourceReport { state: SourceState::Starting, text: String::new() });
        let feed = Broadcast::new(KEPT);
        let socket = paths::camera_socket(name);
        let served = ipc::serve(&socket, feed.clone(), report.subscribe(), ask)
            .map_err(|source| CameraError::Hop { path: socket, source })?;
        let status = watch::Sender::new(CameraStatus::default());
        let (order, orders) = mpsc::channel(4);
        tokio::spawn(server::serve_camera(name.to_owned(), status.subscribe(), order));
        let around = Around {
            opener: Arc::new(|settings, shared, attempt| {
                Source::open(settings, &shared.stream, shared, attempt)
            }),
            feed,
            readers: served.readers(),
            requests,
            report,
            status,
            orders,
            signals,
        };
        Ok((Self::amid(around, path, settings, stream), served))
    }
}

impl<S: Video> Camera<S> {
    fn amid(around: Around<S>, path: &Path, settings: Settings, stream: Stream) -> Self {
        let Around { opener, feed, readers, requests, report, status, orders, signals } = around;
        let (tell, notices) = mpsc::unbounded_channel();
        let mut tick = tokio::time::interval(LOOK_EACH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            name: stream.name.clone(),
            path: path.to_owned(),
            opener,
            target: target_of(&stream),
            shared: CameraContext {
                stream: Arc::new(stream),
                feed,
                counters: Arc::new(Counters::default()),
                notices: tell,
                recode: TranscoderInput::default(),
                steer: BitrateControl::default(),
            },
            settings,
            notices,
            requests,
            report,
            readers,
            status,
            orders,
            signals,
            tick,
            heartbeat: Heartbeat::from_env(),
            picture: None,
            round: 0,
            started: MonoTime::now(),
            opened: MonoTime::now(),
            unread_since: Some(MonoTime::now()),
        }
    }

    async fn work(&mut self) -> Result<(), CameraError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(800));
        let mut fruitless = 0;
        loop {
            match self.meanwhile(tokio::time::sleep(backoff.next_wait())).await {
                Turn::End => return Ok(()),
                Turn::Rest => {
                    if !self.rest().await {
                        return Ok(());
                    }
                    backoff.reset();
                    continue;
                }
                _ => {}
            }
            let before = self.shared.counters.frames_in.load(Relaxed);
            let source = match self.open(fruitless).await? {
                Turn::Done(Ok(source)) => source,
                Turn::Done(Err(error)) => {
                    self.away(!error.may_pass(), journal::chain(&error));
                    fruitless += 1;
                    continue;
                }
                Turn::End => return Ok(()),
                _ => continue,
            };
            let turn = self.attend(source).await?;
            if self.shared.counters.frames_in.load(Relaxed) > before {
                backoff.reset();
                fruitless = 0;
            } else {
                fruitless += 1;
            }
            match turn {
                Turn::End => return Ok(()),
                Turn::Rest => {
                    if !self.rest().await {
                        return Ok(());
                    }
                }
                Turn::Reopen(Ended { why, refused: false }) => {
                    self.shared.counters.rebuilds.fetch_add(1, Relaxed);
                    self.away(false, why);
                }
                Turn::Reopen(Ended { why, refused: true }) => {
                    self.away(true, why);
                    match self.meanwhile(tokio::time::sleep(REFUSED_FOR)).await {
                        Turn::End => return Ok(()),
                        Turn::Rest if !self.rest().await => return Ok(()),
                        _ => {}
                    }
                }
                Turn::Changed | Turn::Done(()) | Turn::Unfit(_) => {}
            }
        }
    }

    /// Opens the source, the `number`th time in a row; the end or other settings may come first.
    async fn open(&mut self, number: u32) -> Result<Turn<Result<S, OpenError>>, CameraError> {
        let (settings, shared, opener) = (self.settings.clone(), self.shared.clone(), self.opener.clone());
        let attempt = Attempt { number, target: self.target };
        // Devices and GStreamer may block: not on the loop's thread.
        let mut opening = tokio::task::spawn_blocking(move || opener(&settings, &shared, attempt));
        let enough = Instant::now() + OPENING;
        let mut changed = false;
        let opened = loop {
            match tokio::time::timeout_at(enough, self.meanwhile(&mut opening)).await {
                Ok(Turn::Done(opened)) => break opened,
                Ok(Turn::End) => return Ok(Turn::End),
                // Two at one device would be in each other's way: the first is waited for.
                Ok(Turn::Changed) => changed = true,
                Ok(Turn::Rest | Turn::Reopen(_) | Turn::Unfit(_)) => {}
                // A driver that hangs: without a beat, the watchdog's work.
                Err(_) => break opening.await,
            }
        };
        let opened = opened.unwrap_or_else(|panic| Err(OpenError::Device(panic.to_string())));
        if changed {
            if let Ok(source) = opened {
                source.close().await.map_err(CameraError::Stuck)?;
            }
            self.shared.steer.set(None);
            return Ok(Turn::Changed);
        }
        self.opened = MonoTime::now();
        if opened.is_ok() {
            tracing::debug!(stream = self.name, source = %self.shared.stream.source, "source opened");
        }
        Ok(Turn::Done(opened))
    }

    /// Stays with an open source until something must change.
    async fn attend(&mut self, mut source: S) -> Result<Turn<()>, CameraError> {
        let mut recoder: Option<Transcoder> = None;
        let mut encoders = 0;
        let turn = loop {
            let patience = source.patience();
            let turn = {
                let running = async {
                    tokio::select! {
                        ended = source.run() => (true, ended),
                        why = broken(recoder.as_mut()) => (false, Ended::because(why)),
                    }
                };
                self.watch(running, patience).await
            };
            match turn {
                Turn::Done((true, ended)) => break Turn::Reopen(ended),
                Turn::Done((false, Ended { why, .. })) => {
                    tracing::warn!(stream = self.name, why, "the encoder failed; trying the next");
                    encoders += 1;
                    close_recoder(recoder.take()).await?;
                    recoder = self.recode(encoders);
                }
                Turn::Unfit(reason) if recoder.is_none() => {
                    tracing::info!(stream = self.name, reason, "the source's H.264 is encoded anew");
                    recoder = self.recode(encoders);
                }
                Turn::Unfit(_) => {}
                Turn::Reopen(ended) => break Turn::Reopen(ended),
                Turn::Changed => break Turn::Changed,
                Turn::Rest => break Turn::Rest,
                Turn::End => break Turn::End,
            }
        };
        close_recoder(recoder).await?;
        source.close().await.map_err(CameraError::Stuck)?;
        self.shared.steer.set(None);
        Ok(turn)
    }

    fn recode(&mut self, number: usize) -> Option<Transcoder> {
        let started = robocast_gst::pipeline::init().map_err(|e| journal::chain(&e)).and_then(|()| {
            let encoders = Encoder::available().map_err(|e| journal::chain(&e))?;
            let encoder = encoders[number % encoders.len()];
            Transcoder::start(&self.shared, encoder, self.target).map_err(|e| journal::chain(&e))
        });
        started.inspect_err(|why| self.away(true, why.clone())).ok()
    }

    /// Rests until somebody reads or the settings change; false at the end.
    async fn rest(&mut self) -> bool {
        self.shared.feed.clear();
        self.say(SourceState::Resting, String::new());
        let mut readers = self.readers.clone();
        loop {
            let woken = async {
                let _ = readers.wait_for(|&count| count > 0).await;
            };
            match self.meanwhile(woken).await {
                Turn::Done(()) | Turn::Changed => {
                    self.say(SourceState::Starting, String::new());
                    return true;
                }
                Turn::End => return false,
                _ => {}
            }
        }
    }

    /// Does `work` while an open source is judged: frames must advance.
    async fn watch<T>(&mut self, work: impl Future<Output = T>, patience: Patience) -> Turn<T> {
        self.turn(work, Some(patience)).await
    }

    /// Does `work` while the loop's other duties go on.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Turn<T> {
        self.turn(work, None).await
    }

    async fn turn<T>(&mut self, work: impl Future<Output = T>, patience: Option<Patience>) -> Turn<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Turn::Done(done),
                wish = self.signals.next() => match wish {
                    SignalEvent::Shutdown => return Turn::End,
                    SignalEvent::Reload if self.reread() => return Turn::Changed,
                    SignalEvent::Reload => {}
                },
                Some(request) = self.requests.recv() => self.obey(request),
                Some(CameraOrder::TargetBitrate(bps)) = self.orders.recv() => {
                    self.obey(Request::Bitrate(Bitrate::from_bps(bps)));
                }
                Some(notice) = self.notices.recv() => match notice {
                    OutputEvent::Format(picture) => self.picture = Some(picture),
                    OutputEvent::Unfit(reason) => return Turn::Unfit(reason),
                },
                _ = self.tick.tick() => {
                    self.heartbeat.beat();
                    let stalled = patience.and_then(|patience| self.judge(patience));
                    self.round = self.round.wrapping_add(1);
                    if self.round.is_multiple_of(TELL_EACH) || stalled.is_some() {
                        self.tell();
                    }
                    if let Some(why) = stalled {
                        return Turn::Reopen(Ended::because(why));
                    }
                    if self.unread() {
                        return Turn::Rest;
                    }
                }
            }
        }
    }

    fn obey(&mut self, request: Request) {
        match request {
            Request::Bitrate(wanted) => {
                let range = self.shared.stream.bitrate;
                self.target.bitrate = wanted.clamp(range.min, range.max);
                let encoding = self.shared.steer.set_bitrate(self.target.bitrate);
                tracing::debug!(stream = self.name, bitrate = %self.target.bitrate, encoding, "bitrate asked for");
            }
            Request::Keyframe => self.shared.steer.force_keyframe(),
        }
    }

    /// Reads the settings again; true when this stream is another now.
    fn reread(&mut self) -> bool {
        let settings = match robocast_config::load(&self.path) {
            Ok(checked) => checked.settings,
            Err(error) => {
                tracing::error!(stream = self.name, "settings not taken over: {}", journal::chain(&error));
                return false;
            }
        };
        let Some(stream) = settings.stream(&self.name).cloned() else {
            tracing::warn!(
                stream = self.name,
                "the settings no longer have this stream; it goes on as it was"
            );
            return false;
        };
        // Where it is pushed to is not the camera's: opening the source anew would cost every sink its video.
        let pushed_as_now = Stream {
            push: self.shared.stream.push.clone(),
            slate: self.shared.stream.slate,
            ..stream.clone()
        };
        let around = (&settings.robot, &settings.tls);
        if pushed_as_now == *self.shared.stream && around == (&self.settings.robot, &self.settings.tls) {
            self.shared.stream = Arc::new(stream);
            self.settings = settings;
            return false;
        }
        tracing::info!(stream = self.name, "settings taken over");
        self.target = target_of(&stream);
        self.shared.stream = Arc::new(stream);
        self.settings = settings;
        true
    }
}

/// Why the recoder failed; never without one.
async fn broken(recoder: Option<&mut Transcoder>) -> String {
    match recoder {
        None => std::future::pending().await,
        Some(recoder) => match recoder.next_event().await {
            PipelineEvent::Failed { element, message, .. } => format!("{element}: {message}"),
            PipelineEvent::Ended | PipelineEvent::SegmentDone => "the encoder ended".into(),
        },
    }
}

async fn close_recoder(recoder: Option<Transcoder>) -> Result<(), CameraError> {
    match recoder {
        Some(recoder) => recoder.stop(Duration::from_secs(5)).await.map_err(CameraError::Stuck),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
