//! A source in memory, and the loop around it.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::bitrate_control::RobotRequest;
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use crate::source::{OpenError, SourceContext};
use robocast_daemon::atomic;
use std::sync::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Between two judgements of the source.
pub const LOOK: Duration = TICK;

/// A source's behaviour when it is opened.
#[derive(Debug, Clone, Copy, Default)]
pub enum Mood {
    /// A socket: packets arrive unrequested.
    #[default]
    Socket,
    /// A camera whose pictures this process encodes.
    Encoding,
    /// It is not there.
    Away,
    /// Nothing will ever open it.
    Unsupported,
    /// It opens, and then wants another password.
    Refuses,
    /// It opens, and then does not close.
    Clings,
    /// A robot with its own encoder that accepts a bitrate.
    Robot,
}

/// One time that the source was opened.
#[derive(Debug, Clone)]
pub struct Opening {
    pub at: Duration,
    pub fruitless: u32,
    pub bitrate: u64,
    pub source: String,
}

#[derive(Default)]
pub struct World {
    pub mood: Mood,
    pub openings: Vec<Opening>,
    pub closings: Vec<Duration>,
    /// Opening waits for a message from here.
    pub held: Option<std::sync::mpsc::Receiver<()>>,
    /// Notified when one waits.
    pub waits: Arc<Notify>,
    /// Into the source that is open.
    pub context: Option<CameraContext>,
    pub end: Option<mpsc::UnboundedSender<SourceEnd>>,
    /// The requests to the robot.
    pub asked: Vec<RobotRequest>,
}

pub struct InMemory {
    world: Arc<Mutex<World>>,
    began: Instant,
    mood: Mood,
    fruitless: u32,
    ended: mpsc::UnboundedReceiver<SourceEnd>,
    robot: (mpsc::Sender<RobotRequest>, mpsc::Receiver<RobotRequest>),
}

impl RunningSource for InMemory {
    fn patience(&self) -> Patience {
        match self.mood {
            Mood::Encoding => Patience::encoding(self.fruitless),
            _ => Patience::PACKETS,
        }
    }

    fn control(&self) -> Option<BitrateControl> {
        matches!(self.mood, Mood::Robot).then(|| BitrateControl::Robot(self.robot.0.clone()))
    }

    async fn run(&mut self) -> SourceEnd {
        if let Mood::Refuses = self.mood {
            return SourceEnd::refused("another password");
        }
        loop {
            tokio::select! {
                end = self.ended.recv() => return end.unwrap(),
                Some(request) = self.robot.1.recv() => self.world.lock().unwrap().asked.push(request),
            }
        }
    }

    async fn close(self) -> Result<(), PipelineError> {
        self.world.lock().unwrap().closings.push(self.began.elapsed());
        if let Mood::Clings = self.mood { Err(PipelineError::Stuck) } else { Ok(()) }
    }
}

fn opened(
    world: &Arc<Mutex<World>>,
    began: Instant,
    context: SourceContext<'_>,
) -> Result<InMemory, OpenError> {
    let attempt = context.attempt;
    let (held, waits) = {
        let mut world = world.lock().unwrap();
        world.openings.push(Opening {
            at: began.elapsed(),
            fruitless: attempt.fruitless,
            bitrate: attempt.target.bitrate.bps(),
            source: context.stream.source.to_string(),
        });
        (world.held.take(), world.waits.clone())
    };
    if let Some(held) = held {
        waits.notify_one();
        held.recv().unwrap();
    }
    let (end, ended) = mpsc::unbounded_channel();
    let mut state = world.lock().unwrap();
    state.context = Some(context.output.clone());
    state.end = Some(end);
    match state.mood {
        Mood::Away => Err(OpenError::Device("/dev/video0 is not there".into())),
        Mood::Unsupported => Err(OpenError::Unsupported("spot:")),
        mood => Ok(InMemory {
            world: world.clone(),
            began,
            mood,
            fruitless: attempt.fruitless,
            ended,
            robot: mpsc::channel(4),
        }),
    }
}

/// The program's loop at work.
pub struct Rig {
    pub world: Arc<Mutex<World>>,
    pub began: Instant,
    pub signals: mpsc::Sender<SignalEvent>,
    pub orders: mpsc::Sender<CameraOrder>,
    pub reader_events: mpsc::Sender<ReaderEvent>,
    pub readers: watch::Sender<usize>,
    pub broadcast: Broadcast,
    pub status: watch::Receiver<CameraStatus>,
    pub report: watch::Receiver<SourceReport>,
    /// What was published to readers, and when.
    pub states: Arc<Mutex<Vec<(Duration, SourceReport)>>>,
    pub task: JoinHandle<Result<(), CameraError>>,
    pub folder: tempfile::TempDir,
}

/// A clock that a paused one moves.
fn time_of_day() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000) + Duration::from_nanos(MonoTime::now().0)
}

pub fn settings(lines: &str) -> String {
    format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"test:\"\n{lines}\n")
}

impl Rig {
    pub fn new(mood: Mood, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        atomic::write(&path, settings(lines).as_bytes(), 0o600).unwrap();
        let (began, world) = (Instant::now(), Arc::new(Mutex::new(World { mood, ..World::default() })));
        let (signal, signals) = Signals::told();
        let (orders, order) = mpsc::channel(4);
        let (reader_event, reader_events) = mpsc::channel(16);
        let (readers, status) = (watch::Sender::new(0), watch::Sender::default());
        let report = watch::Sender::new(publish::first_report(time_of_day()));
        let (seen, mut reports) = (status.subscribe(), report.subscribe());
        let last_report = report.subscribe();
        let broadcast = Broadcast::new(KEPT);
        let behind = world.clone();
        let environment = CameraEnvironment {
            opener: Arc::new(move |context: SourceContext<'_>| opened(&behind, began, context)),
            broadcast: broadcast.clone(),
            readers: readers.subscribe(),
            reader_events,
            report,
            status,
            orders: order,
            signals,
            time_of_day,
        };
        let settings = robocast_config::load(&path).unwrap().settings;
        let stream = settings.stream("front").unwrap().clone();
        let states = Arc::<Mutex<Vec<_>>>::default();
        let noted = states.clone();
        tokio::spawn(async move {
            while reports.changed().await.is_ok() {
                noted.lock().unwrap().push((began.elapsed(), reports.borrow_and_update().clone()));
            }
        });
        let mut camera = CameraProgram::with_environment(environment, &path, settings, stream);
        let task = tokio::spawn(async move { camera.run_loop().await });
        Self {
            world,
            began,
            signals: signal,
            orders,
            reader_events: reader_event,
            readers,
            broadcast,
            status: seen,
            report: last_report,
            states,
            task,
            folder,
        }
    }

    pub fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn mood(&self, mood: Mood) {
        self.world().mood = mood;
    }

    /// The source is being opened when this returns, until it gets a message.
    pub async fn opens_slowly(&self) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel();
        let waits = {
            let mut world = self.world();
            world.held = Some(held);
            world.waits.clone()
        };
        waits.notified().await;
        release
    }

    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Frames arrive for `time`, one each `gap`; the first at once. When the last arrived.
    pub async fn frames(&self, time: Duration, gap: Duration) -> Duration {
        let mut last = Duration::ZERO;
        for _ in 0..time.as_millis() / gap.as_millis() {
            last = self.began.elapsed();
            self.world().context.as_ref().unwrap().counters.count_in(MonoTime::now());
            tokio::time::sleep(gap).await;
        }
        last
    }

    /// The source itself reports that it cannot continue.
    pub fn end(&self, why: &str) {
        self.world().end.as_ref().unwrap().send(SourceEnd::because(why)).unwrap();
    }

    /// Other settings: the loop knows when this returns.
    pub async fn reread(&self, text: &str) {
        atomic::write(&self.folder.path().join("settings.toml"), text.as_bytes(), 0o600).unwrap();
        self.signals.send(SignalEvent::Reload).await.unwrap();
        // There is room for one signal: when the next one fits, the loop took this one.
        let _ = self.signals.reserve().await.unwrap();
        tokio::task::yield_now().await;
    }

    pub fn openings(&self) -> Vec<Opening> {
        self.world().openings.clone()
    }

    pub fn closings(&self) -> Vec<Duration> {
        self.world().closings.clone()
    }

    /// The states since the last call, and when each began.
    pub fn states(&self) -> Vec<(Duration, SourceState)> {
        let states = std::mem::take(&mut *self.states.lock().unwrap());
        let mut seen: Vec<(Duration, SourceState)> = states.iter().map(|(at, r)| (*at, r.state)).collect();
        seen.dedup_by_key(|(_, state)| *state);
        seen
    }

    pub fn state(&self) -> SourceState {
        self.status.borrow().source_state
    }

    /// A reader makes a request; the loop has handled it when this returns.
    pub async fn ask(&self, event: ReaderEvent) {
        self.reader_events.send(event).await.unwrap();
        self.pass(ms(1)).await;
    }

    pub async fn ask_bitrate(&self, reader: u64, bps: u64) {
        self.ask(ReaderEvent::Asked(ReaderId(reader), Request::Bitrate(Bitrate::from_bps(bps)))).await;
    }

    /// The requests to the robot since the last call.
    pub fn asked(&self) -> Vec<RobotRequest> {
        std::mem::take(&mut self.world().asked)
    }

    /// The context of the source that is open.
    pub fn context(&self) -> CameraContext {
        self.world().context.clone().unwrap()
    }
}
