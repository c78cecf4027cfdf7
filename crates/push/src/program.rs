//! The push program's loop.

use crate::camera_link::{CameraDoor, CameraLink};
use crate::sink::{KernelNetwork, Network, Sink, SinkContext};
use crate::slate::SlateStore;
use crate::slate_switch::{Showing, SlateSwitch};
use robocast_bus::client;
use robocast_bus::server::{self, PushOrder};
use robocast_bus::{PushStatus, SinkState, SourceState};
use robocast_config::{Settings, Size, Start, Stream};
use robocast_daemon::notify::{self, Heartbeat};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use robocast_dial::{Resolver, Roots};
use robocast_video::DEFAULT_SIZE;
use robocast_video::clock::MonoTime;
use robocast_video::h264::{AccessUnit, ParameterSets};
use robocast_video::ipc::{Broadcast, CameraMessage, Limits, Request};
use robocast_video::slate::{FPS, SlateFrame};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// The units kept for sinks: a slow one may lag three seconds before it skips to a newer keyframe.
const KEPT: Limits = Limits { lag: Duration::from_secs(3), bytes: 8 << 20 };
/// The slate is made after the robot's video has run for this long, so that it does not delay the start.
const SLATE_AFTER: Duration = Duration::from_secs(2);

/// The push program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] robocast_config::LoadError),
    /// The settings have no such stream.
    #[error("no [[stream]] is called `{0}`")]
    NoStream(String),
    /// Cannot listen to signals.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
}

/// Runs the push side of stream `name` until a signal ends it.
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

struct Push<D: CameraDoor> {
    path: PathBuf,
    settings: Settings,
    stream: Stream,
    camera: CameraLink<D>,
    switch: SlateSwitch,
    broadcast: Broadcast,
    /// The state that the sinks share.
    context: SinkContext,
    /// The sinks by URL as written, in the order of the settings.
    sinks: Vec<(String, Sink)>,
    /// Sinks that were removed from the settings and are ending.
    leaving: JoinSet<()>,
    started: bool,
    slate: SlateStore,
    sets: ParameterSets,
    live_since: Option<MonoTime>,
    /// Whether the camera reports that frames arrive.
    sending: bool,
    /// The status for D-Bus.
    status: watch::Sender<PushStatus>,
    orders: mpsc::Receiver<PushOrder>,
    signals: Signals,
    heartbeat: Heartbeat,
}

/// Everything that the loop is connected to; in its tests all of this is in memory.
struct Surroundings<D> {
    camera: D,
    network: Arc<dyn Network>,
    /// The interface of the chosen uplink; empty if there is none.
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
        tokio::spawn(server::serve_push(name.to_owned(), status.subscribe(), order));
        let resolver = if server::enabled() { Resolver::with_system_bus() } else { Resolver::without_bus() };
        let chosen = watch::Sender::new(String::new());
        let surroundings = Surroundings {
            camera: paths::camera_socket(name),
            network: Arc::new(KernelNetwork { resolver }),
            chosen: chosen.subscribe(),
            status,
            orders,
            signals,
        };
        tokio::spawn(client::follow_chosen(chosen));
        let push = Self::with(surroundings, path, settings, stream);
        // A client that asks during the first second also gets a correct status.
        push.publish_status();
        Ok(push)
    }
}

impl<D: CameraDoor> Push<D> {
    fn with(surroundings: Surroundings<D>, path: &Path, settings: Settings, stream: Stream) -> Self {
        let Surroundings { camera, network, chosen, status, orders, signals } = surroundings;
        let now = MonoTime::now();
        let broadcast = Broadcast::new(KEPT);
        let context = SinkContext {
            stream: stream.name.clone(),
            broadcast: broadcast.clone(),
            origin: now,
            chosen,
            urgent: Arc::new(Notify::new()),
            network,
            roots: Roots::new(settings.tls.ca.clone()),
        };
        let mut push = Self {
            path: path.to_owned(),
            camera: CameraLink::new(camera),
            switch: SlateSwitch::new(now),
            broadcast,
            context,
            sinks: Vec::new(),
            leaving: JoinSet::new(),
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
        push.arrange_sinks(false);
        push
    }

    async fn work(&mut self) {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / FPS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0u32;
        loop {
            tokio::select! {
                message = self.camera.next(), if self.started => self.on_camera_message(message).await,
                event = self.signals.next() => match event {
                    SignalEvent::Shutdown => return,
                    SignalEvent::Reload => self.reload(),
                },
                () = self.context.urgent.notified() => self.publish_status(),
                Some(order) = self.orders.recv() => self.start(order == PushOrder::Start),
                Some(_) = self.leaving.join_next() => {}
                _ = tick.tick() => {
                    self.heartbeat.beat();
                    self.update_slate();
                    round += 1;
                    if round.is_multiple_of(FPS) {
                        self.publish_status();
                    }
                }
            }
        }
    }

    /// Starts or stops pushing. A camera that nobody reads may rest.
    fn start(&mut self, started: bool) {
        self.started = started;
        if !started {
            self.camera.leave();
            self.broadcast.clear();
        }
        for (_, sink) in &self.sinks {
            sink.want(started);
        }
    }

    async fn end(&mut self) {
        for (_, sink) in std::mem::take(&mut self.sinks) {
            self.leaving.spawn(sink.stop());
        }
        while self.leaving.join_next().await.is_some() {}
    }

    async fn on_camera_message(&mut self, message: CameraMessage) {
        match message {
            CameraMessage::Unit(unit) => {
                let now = MonoTime::now();
                if unit.keyframe {
                    self.sets.observe_all(&unit.data);
                }
                let showed = self.switch.showing();
                match self.switch.robot(unit, now) {
                    Some(unit) => {
                        if showed != Showing::Robot {
                            self.live_since = Some(now);
                            if showed == Showing::Slate {
                                tracing::info!(stream = self.stream.name, "the robot is back");
                            }
                        }
                        self.broadcast.push(unit);
                    }
                    // A keyframe is needed: the camera may send one on request.
                    None => self.camera.ask(Request::Keyframe).await,
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

    /// Makes the slate when there is time, and sends it while the robot is away.
    fn update_slate(&mut self) {
        if !self.stream.slate || self.stream.push.is_empty() || !self.started {
            return;
        }
        let now = MonoTime::now();
        let away = self.switch.away(now, self.sending);
        let settled = self.live_since.is_some_and(|since| now.since(since) > SLATE_AFTER);
        if away || settled {
            let picture = self.sets.format().map(|p| Size { width: p.width, height: p.height });
            let size = picture.or(self.stream.size).unwrap_or(DEFAULT_SIZE);
            let text = format!("{} {}: waiting for the robot", self.settings.device.name, self.stream.name);
            self.slate.prepare(size, text, self.stream.keyframe_interval, &self.stream.name);
        }
        let Some(frames) = self.slate.frames().filter(|_| away) else { return };
        if self.switch.showing() != Showing::Slate {
            tracing::info!(stream = self.stream.name, "the robot is away: sending the slate");
        }
        let SlateFrame { data, keyframe } = frames[self.switch.slate_frame(frames.len())].clone();
        let mut unit = AccessUnit { data, pts: now, dts: now, arrived: now, keyframe };
        self.switch.make_monotonic(&mut unit);
        self.broadcast.push(unit);
    }

    /// Starts the sinks that are new in the settings, ends those that were removed, and leaves the others unchanged. With
    /// `restart`, every sink starts again once its session has ended.
    fn arrange_sinks(&mut self, restart: bool) {
        let mut before = std::mem::take(&mut self.sinks);
        for url in &self.stream.push {
            let written = url.as_written().expose();
            let known = before.iter().position(|(other, _)| other == written);
            let sink = match known.map(|at| before.swap_remove(at).1) {
                Some(sink) if !restart => sink,
                before => Sink::start(&self.context, url, self.started, before),
            };
            self.sinks.push((written.clone(), sink));
        }
        for (_, gone) in before {
            self.leaving.spawn(gone.stop());
        }
    }

    /// Reads the settings again. Invalid settings change nothing.
    fn reload(&mut self) {
        let name = self.stream.name.clone();
        let settings = match robocast_config::load(&self.path) {
            Ok(checked) => checked.settings,
            Err(error) => {
                tracing::error!(stream = name, "settings not taken over: {}", journal::chain(&error));
                return;
            }
        };
        let Some(stream) = settings.stream(&name).cloned() else {
            tracing::warn!(stream = name, "the settings no longer have this stream; it continues unchanged");
            return;
        };
        if settings.push_part(&name) != self.settings.push_part(&name) {
            tracing::info!(stream = name, "settings taken over");
        }
        let new_roots = settings.tls != self.settings.tls;
        if new_roots {
            self.context.roots = Roots::new(settings.tls.ca.clone());
        }
        if stream.start != self.stream.start {
            self.start(stream.start == Start::Always);
        }
        self.slate.forget_if(stream.keyframe_interval != self.stream.keyframe_interval);
        self.stream = stream;
        self.settings = settings;
        self.arrange_sinks(new_roots);
    }

    fn publish_status(&self) {
        let mut latencies: Vec<f64> =
            self.sinks.iter().flat_map(|(_, sink)| sink.reporter.take_latencies()).collect();
        latencies.sort_by(f64::total_cmp);
        let status = PushStatus {
            live: self.switch.showing() == Showing::Robot && !self.switch.away(MonoTime::now(), self.sending),
            slate: self.switch.showing() == Showing::Slate,
            started: self.started,
            latency_ms: latencies.get(latencies.len() / 2).map(|ms| (ms * 100.0).round() / 100.0),
            sinks: self.sinks.iter().map(|(_, sink)| sink.reporter.status()).collect(),
            evidence: self.sinks.iter().flat_map(|(_, sink)| sink.reporter.evidence()).collect(),
        };
        self.status.send_if_modified(|last| {
            *last != status && {
                last.clone_from(&status);
                true
            }
        });
        let publishing = status.sinks.iter().filter(|sink| sink.state == SinkState::Publishing).count();
        let line = format!("{publishing} of {} sinks publishing", status.sinks.len());
        notify::status(&line);
    }
}

#[cfg(test)]
mod tests;
