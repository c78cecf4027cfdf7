//! The push program's loop.

use crate::sink::{Network, Sink, SinkContext, Sockets};
use crate::slate;
use crate::slate_switch::{Showing, SlateSwitch};
use crate::tls::Tls;
use robocast_bus::client;
use robocast_bus::server::{self, PushOrder};
use robocast_bus::{PushStatus, SinkState, SourceState};
use robocast_config::{Settings, Size, Start, Stream};
use robocast_daemon::backoff::Backoff;
use robocast_daemon::notify::{self, Heartbeat};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use robocast_video::clock::MonoTime;
use robocast_video::h264::{AccessUnit, ParameterSets};
use robocast_video::ipc::{Broadcast, CameraMessage, Limits, Reader, Request};
use robocast_video::slate::{FPS, SlateFrame};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// What sinks may still want: a slow one may lag three seconds before it is cut to a newer keyframe.
const KEPT: Limits = Limits { lag: Duration::from_secs(3), bytes: 8 << 20 };
/// A slate is made once the robot's video runs, so as not to hold up its start.
const SLATE_AFTER: Duration = Duration::from_secs(2);
/// The size of a slate before any picture was seen.
const USUAL: Size = Size { width: 1280, height: 720 };

/// The push program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] robocast_config::LoadError),
    /// The settings have no such stream.
    #[error("no [[stream]] is called `{0}`")]
    NoStream(String),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
}

/// Runs the push side of stream `name` until it is told to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(name: &str, settings: &Path) -> Result<(), PushError> {
    let mut push = Push::new(name, settings)?;
    notify::ready();
    push.work().await;
    notify::stopping();
    push.end().await;
    Ok(())
}

struct Push<D: Door> {
    path: PathBuf,
    settings: Settings,
    stream: Stream,
    hop: CameraLink<D>,
    mixer: SlateSwitch,
    feed: Broadcast,
    /// What the sinks share.
    common: SinkContext,
    /// By the URL as written, in the order of the settings.
    sinks: Vec<(String, Sink)>,
    tls: Tls,
    started: bool,
    slate: SlateStore,
    sets: ParameterSets,
    live_since: Option<MonoTime>,
    /// The camera says that frames arrive.
    sending: bool,
    /// For D-Bus.
    status: watch::Sender<PushStatus>,
    orders: mpsc::Receiver<PushOrder>,
    signals: Signals,
    heartbeat: Heartbeat,
}

/// What the loop has to do with: its tests have it all in memory.
struct Around<D> {
    camera: D,
    network: Arc<dyn Network>,
    /// The interface of the uplink that was chosen; empty: none.
    chosen: watch::Receiver<String>,
    status: watch::Sender<PushStatus>,
    orders: mpsc::Receiver<PushOrder>,
    signals: Signals,
}

impl Push<PathBuf> {
    fn new(name: &str, path: &Path) -> Result<Self, PushError> {
        let settings = robocast_config::load(path)?.settings;
        let stream = settings.stream(name).ok_or_else(|| PushError::NoStream(name.into()))?.clone();
        let signals = Signals::listen().map_err(PushError::Signals)?;
        let status = watch::Sender::new(PushStatus::default());
        let (order, orders) = mpsc::channel(4);
        if server::enabled() {
            let (stream, seen) = (name.to_owned(), status.subscribe());
            tokio::spawn(async move {
                if let Err(error) = server::push(&stream, seen, order).await {
                    tracing::info!(stream, "not on the system bus: {}", journal::chain(&error));
                }
            });
        }
        let chosen = watch::Sender::new(String::new());
        let around = Around {
            camera: paths::camera_socket(name),
            network: Arc::new(Sockets),
            chosen: chosen.subscribe(),
            status,
            orders,
            signals,
        };
        tokio::spawn(client::follow_chosen(chosen));
        Ok(Self::amid(around, path, settings, stream))
    }
}

impl<D: Door> Push<D> {
    fn amid(around: Around<D>, path: &Path, settings: Settings, stream: Stream) -> Self {
        let Around { camera, network, chosen, status, orders, signals } = around;
        let now = MonoTime::now();
        let feed = Broadcast::new(KEPT);
        let common = SinkContext {
            stream: stream.name.clone(),
            feed: feed.clone(),
            origin: now,
            chosen,
            urgent: Arc::new(Notify::new()),
            network,
        };
        let mut push = Self {
            path: path.to_owned(),
            hop: CameraLink::new(camera),
            mixer: SlateSwitch::new(now),
            feed,
            common,
            sinks: Vec::new(),
            tls: Tls::new(settings.tls.ca.clone()),
            started: stream.start == Start::Always,
            slate: SlateStore::default(),
            sets: ParameterSets::default(),
            live_since: None,
            sending: false,
            status,
            orders,
            signals,
            heartbeat: Heartbeat::from_env(),
            settings,
            stream,
        };
        push.arrange_sinks();
        push
    }

    async fn work(&mut self) {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / FPS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0u32;
        loop {
            tokio::select! {
                message = self.hop.next(), if self.started => self.heard(message).await,
                wish = self.signals.next() => match wish {
                    SignalEvent::Shutdown => return,
                    SignalEvent::Reload => self.reread().await,
                },
                () = self.common.urgent.notified() => self.tell(),
                Some(order) = self.orders.recv() => self.start(order == PushOrder::Start),
                _ = tick.tick() => {
                    self.heartbeat.beat();
                    self.update_slate();
                    round += 1;
                    if round.is_multiple_of(FPS) {
                        self.tell();
                    }
                }
            }
        }
    }

    /// Starts or stops pushing. A camera that nobody reads any more may rest.
    fn start(&mut self, started: bool) {
        self.started = started;
        if !started {
            self.hop.leave();
            self.feed.clear();
        }
        for (_, sink) in &self.sinks {
            sink.want(started);
        }
    }

    async fn end(&mut self) {
        let sinks = std::mem::take(&mut self.sinks);
        let mut stopping = tokio::task::JoinSet::new();
        for (_, sink) in sinks {
            stopping.spawn(sink.stop());
        }
        while stopping.join_next().await.is_some() {}
    }

    async fn heard(&mut self, message: CameraMessage) {
        match message {
            CameraMessage::Unit(unit) => {
                let now = MonoTime::now();
                if unit.keyframe {
                    self.sets.observe_all(&unit.data);
                }
                let showed = self.mixer.showing();
                match self.mixer.robot(unit, now) {
                    Some(unit) => {
                        if showed != Showing::Robot {
                            self.live_since = Some(now);
                            if showed == Showing::Slate {
                                tracing::info!(stream = self.stream.name, "the robot is back");
                            }
                        }
                        self.feed.push(unit);
                    }
                    // Waiting for a keyframe: one may be had for the asking.
                    None => self.hop.ask(Request::Keyframe).await,
                }
            }
            CameraMessage::Report(report) => {
                self.sending = report.state == SourceState::Live;
                if report.state == SourceState::Lost {
                    tracing::debug!(stream = self.stream.name, "{}", report.text);
                }
            }
        }
    }

    /// Makes the slate when there is time for it, and shows it when the robot is away.
    fn update_slate(&mut self) {
        if !self.stream.slate || self.stream.push.is_empty() || !self.started {
            return;
        }
        let now = MonoTime::now();
        let away = self.mixer.away(now, self.sending);
        let settled = self.live_since.is_some_and(|since| now.since(since) > SLATE_AFTER);
        if away || settled {
            let picture = self.sets.format().map(|p| Size { width: p.width, height: p.height });
            let size = picture.or(self.stream.size).unwrap_or(USUAL);
            let text = format!("{} {}: waiting for the robot", self.settings.device.name, self.stream.name);
            self.slate.prepare(size, text, self.stream.keyframe_interval, &self.stream.name);
        }
        let Some(frames) = self.slate.frames().filter(|_| away) else { return };
        if self.mixer.showing() != Showing::Slate {
            tracing::info!(stream = self.stream.name, "the robot is away: the slate goes on");
        }
        let SlateFrame { data, keyframe } = frames[self.mixer.slate_frame(frames.len())].clone();
        let mut unit = AccessUnit { data, pts: now, dts: now, arrived: now, keyframe };
        self.mixer.make_monotonic(&mut unit);
        self.feed.push(unit);
    }

    /// Starts the sinks that are new in the settings, ends those that are gone, leaves the others alone.
    fn arrange_sinks(&mut self) -> Vec<Sink> {
        let mut before = std::mem::take(&mut self.sinks);
        for url in &self.stream.push {
            let written = url.as_written().expose();
            let known = before.iter().position(|(other, _)| other == written);
            let sink = match known {
                Some(at) => before.swap_remove(at).1,
                None => Sink::start(&self.common, url, self.tls.clone(), self.started),
            };
            self.sinks.push((written.clone(), sink));
        }
        before.into_iter().map(|(_, sink)| sink).collect()
    }

    async fn reread(&mut self) {
        let name = self.stream.name.clone();
        let settings = match robocast_config::load(&self.path) {
            Ok(checked) => checked.settings,
            Err(error) => {
                tracing::error!(stream = name, "settings not taken over: {}", journal::chain(&error));
                return;
            }
        };
        let Some(stream) = settings.stream(&name).cloned() else {
            tracing::warn!(stream = name, "the settings no longer have this stream; it goes on as it was");
            return;
        };
        let new_roots = settings.tls != self.settings.tls;
        if new_roots {
            self.tls = Tls::new(settings.tls.ca.clone());
            self.end().await;
        }
        if stream.start != self.stream.start {
            self.start(stream.start == Start::Always);
        }
        if stream != self.stream || new_roots {
            tracing::info!(stream = name, "settings taken over");
        }
        self.slate.forget_if(stream.keyframe_interval != self.stream.keyframe_interval);
        self.stream = stream;
        self.settings = settings;
        for gone in self.arrange_sinks() {
            gone.stop().await;
        }
    }

    fn tell(&self) {
        let mut latencies: Vec<f64> =
            self.sinks.iter().flat_map(|(_, sink)| sink.report.take_latencies()).collect();
        latencies.sort_by(f64::total_cmp);
        let status = PushStatus {
            live: self.mixer.showing() == Showing::Robot && !self.mixer.away(MonoTime::now(), self.sending),
            slate: self.mixer.showing() == Showing::Slate,
            started: self.started,
            latency_ms: latencies.get(latencies.len() / 2).map(|ms| (ms * 100.0).round() / 100.0),
            sinks: self.sinks.iter().map(|(_, sink)| sink.report.status()).collect(),
            evidence: self.sinks.iter().flat_map(|(_, sink)| sink.report.evidence()).collect(),
        };
        self.status.send_if_modified(|last| {
            *last != status && {
                last.clone_from(&status);
                true
            }
        });
        let publishing = status.sinks.iter().filter(|sink| sink.state == SinkState::Publishing).count();
        let line = format!("{publishing} of {} sinks publishing", status.sinks.len());
        if let Ok(json) = serde_json::to_string(&status) {
            notify::status(&line, &json);
        }
    }
}

/// Where a camera is found.
trait Door {
    type Reader: Messages;
    async fn connect(&self) -> io::Result<Self::Reader>;
}

/// A camera's messages, and what may be asked of it.
trait Messages {
    async fn next(&mut self) -> io::Result<CameraMessage>;
    async fn ask(&mut self, request: Request) -> io::Result<()>;
}

impl Door for PathBuf {
    type Reader = Reader;

    async fn connect(&self) -> io::Result<Reader> {
        Reader::connect(self).await
    }
}

impl Messages for Reader {
    async fn next(&mut self) -> io::Result<CameraMessage> {
        self.next().await
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        self.ask(request).await
    }
}

/// The way to the camera, made again for as long as it takes.
struct CameraLink<D: Door> {
    camera: D,
    reader: Option<D::Reader>,
    backoff: Backoff,
    next_try: Instant,
}

impl<D: Door> CameraLink<D> {
    fn new(camera: D) -> Self {
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(100));
        Self { camera, reader: None, backoff, next_try: Instant::now() }
    }

    /// The next message of the camera, whichever process that is by then. Cancel safe.
    async fn next(&mut self) -> CameraMessage {
        loop {
            if let Some(reader) = &mut self.reader {
                match reader.next().await {
                    Ok(message) => {
                        self.backoff.reset();
                        return message;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the camera's program is gone");
                        self.reader = None;
                        self.next_try = Instant::now();
                    }
                }
            }
            tokio::time::sleep_until(self.next_try).await;
            match self.camera.connect().await {
                Ok(reader) => self.reader = Some(reader),
                Err(_) => {
                    self.next_try = Instant::now() + self.backoff.next_wait().max(Duration::from_millis(5));
                }
            }
        }
    }

    /// Lets go of the camera.
    fn leave(&mut self) {
        self.reader = None;
    }

    async fn ask(&mut self, request: Request) {
        if let Some(reader) = &mut self.reader {
            let _ = reader.ask(request).await;
        }
    }
}

/// The slate that is ready, and the one being made.
struct SlateStore {
    ready: Option<(Size, Vec<SlateFrame>)>,
    /// The size being made, or the last that was asked for.
    asked: Option<Size>,
    made: mpsc::Receiver<(Size, Vec<SlateFrame>)>,
    tell: mpsc::Sender<(Size, Vec<SlateFrame>)>,
}

impl Default for SlateStore {
    fn default() -> Self {
        let (tell, made) = mpsc::channel(1);
        Self { ready: None, asked: None, made, tell }
    }
}

impl SlateStore {
    /// Has a slate of `size` made, unless it is there. One that cannot be made is not tried again.
    fn prepare(&mut self, size: Size, text: String, keyframe_interval: Duration, stream: &str) {
        if !self.wants(size) {
            return;
        }
        let (tell, stream) = (self.tell.clone(), stream.to_owned());
        tokio::spawn(async move {
            match slate::make(size, &text, keyframe_interval).await {
                Ok(frames) => drop(tell.send((size, frames)).await),
                Err(error) => tracing::warn!(stream, "no slate: {}", journal::chain(&error)),
            }
        });
    }

    /// Takes the slate that was made meanwhile. Whether one of `size` is still to be asked for.
    fn wants(&mut self, size: Size) -> bool {
        if let Ok(made) = self.made.try_recv() {
            self.ready = Some(made);
        }
        self.asked.replace(size) != Some(size)
    }

    fn frames(&self) -> Option<&[SlateFrame]> {
        self.ready.as_ref().map(|(_, frames)| frames.as_slice())
    }

    fn forget_if(&mut self, changed: bool) {
        if changed {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests;
