//! A source in memory, and the loop around it.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use super::*;
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

/// Between two looks at the source.
pub const LOOK: Duration = LOOK_EACH;

/// What a source does when it is opened.
#[derive(Debug, Clone, Copy, Default)]
pub enum Mood {
    /// A socket: packets come by themselves.
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
}

/// One time that the source was opened.
#[derive(Debug, Clone)]
pub struct Opening {
    pub at: Duration,
    pub number: u32,
    pub bitrate: u64,
    pub source: String,
}

#[derive(Default)]
pub struct World {
    pub mood: Mood,
    pub openings: Vec<Opening>,
    pub closings: Vec<Duration>,
    /// Opening waits for a word from here.
    pub held: Option<std::sync::mpsc::Receiver<()>>,
    /// Told when one waits.
    pub waits: Arc<Notify>,
    /// Into the source that is open.
    pub shared: Option<CameraContext>,
    pub end: Option<mpsc::UnboundedSender<Ended>>,
}

pub struct InMemory {
    world: Arc<Mutex<World>>,
    began: Instant,
    mood: Mood,
    number: u32,
    ended: mpsc::UnboundedReceiver<Ended>,
}

impl Video for InMemory {
    fn patience(&self) -> Patience {
        match self.mood {
            Mood::Encoding => Patience::encoding(self.number),
            _ => Patience::PACKETS,
        }
    }

    async fn run(&mut self) -> Ended {
        if let Mood::Refuses = self.mood {
            return Ended { why: "another password".into(), refused: true };
        }
        self.ended.recv().await.unwrap()
    }

    async fn close(self) -> Result<(), PipelineError> {
        self.world.lock().unwrap().closings.push(self.began.elapsed());
        if let Mood::Clings = self.mood { Err(PipelineError::Stuck) } else { Ok(()) }
    }
}

fn opened(
    world: &Arc<Mutex<World>>,
    began: Instant,
    shared: &CameraContext,
    attempt: Attempt,
) -> Result<InMemory, OpenError> {
    let (held, waits) = {
        let mut world = world.lock().unwrap();
        world.openings.push(Opening {
            at: began.elapsed(),
            number: attempt.number,
            bitrate: attempt.target.bitrate.bps(),
            source: shared.stream.source.to_string(),
        });
        (world.held.take(), world.waits.clone())
    };
    if let Some(held) = held {
        waits.notify_one();
        held.recv().unwrap();
    }
    let (end, ended) = mpsc::unbounded_channel();
    let mut state = world.lock().unwrap();
    state.shared = Some(shared.clone());
    state.end = Some(end);
    match state.mood {
        Mood::Away => Err(OpenError::Device("/dev/video0 is not there".into())),
        Mood::Unsupported => Err(OpenError::Unsupported("spot:")),
        mood => Ok(InMemory { world: world.clone(), began, mood, number: attempt.number, ended }),
    }
}

/// The program's loop at work.
pub struct Rig {
    pub world: Arc<Mutex<World>>,
    pub began: Instant,
    pub wishes: mpsc::Sender<SignalEvent>,
    pub orders: mpsc::Sender<CameraOrder>,
    pub requests: mpsc::Sender<Request>,
    pub readers: watch::Sender<usize>,
    pub feed: Broadcast,
    pub status: watch::Receiver<CameraStatus>,
    /// The states that the source was in, and since when.
    pub states: Arc<Mutex<Vec<(Duration, SourceReport)>>>,
    pub task: JoinHandle<Result<(), CameraError>>,
    pub folder: tempfile::TempDir,
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
        let (wishes, signals) = Signals::told();
        let (orders, order) = mpsc::channel(4);
        let (requests, request) = mpsc::channel(16);
        let (readers, status) = (watch::Sender::new(0), watch::Sender::default());
        let report = watch::Sender::new(SourceReport { state: SourceState::Starting, text: String::new() });
        let (seen, mut reports) = (status.subscribe(), report.subscribe());
        let feed = Broadcast::new(KEPT);
        let behind = world.clone();
        let around = Around {
            opener: Arc::new(move |_: &Settings, shared: &CameraContext, attempt| {
                opened(&behind, began, shared, attempt)
            }),
            feed: feed.clone(),
            readers: readers.subscribe(),
            requests: request,
            report,
            status,
            orders: order,
            signals,
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
        let mut camera = Camera::amid(around, &path, settings, stream);
        let task = tokio::spawn(async move { camera.work().await });
        Self { world, began, wishes, orders, requests, readers, feed, status: seen, states, task, folder }
    }

    pub fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn mood(&self, mood: Mood) {
        self.world().mood = mood;
    }

    /// The source is being opened when this returns, until it is given a word.
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

    /// Frames come for so long, one each `gap`; the first at once. When the last came.
    pub async fn frames(&self, time: Duration, gap: Duration) -> Duration {
        let mut last = Duration::ZERO;
        for _ in 0..time.as_millis() / gap.as_millis() {
            last = self.began.elapsed();
            self.world().shared.as_ref().unwrap().counters.came(MonoTime::now());
            tokio::time::sleep(gap).await;
        }
        last
    }

    /// The source itself says that it cannot go on.
    pub fn end(&self, why: &str) {
        self.world().end.as_ref().unwrap().send(Ended::because(why.into())).unwrap();
    }

    /// Other settings: the loop knows when this returns.
    pub async fn reread(&self, text: &str) {
        atomic::write(&self.folder.path().join("settings.toml"), text.as_bytes(), 0o600).unwrap();
        self.wishes.send(SignalEvent::Reload).await.unwrap();
        // There is room for one wish: the second has it when the first was taken.
        let _ = self.wishes.reserve().await.unwrap();
        tokio::task::yield_now().await;
    }

    pub fn openings(&self) -> Vec<Opening> {
        self.world().openings.clone()
    }

    pub fn closings(&self) -> Vec<Duration> {
        self.world().closings.clone()
    }

    /// The states since the last call, and when each came.
    pub fn states(&self) -> Vec<(Duration, SourceState)> {
        let states = std::mem::take(&mut *self.states.lock().unwrap());
        let mut seen: Vec<(Duration, SourceState)> = states.iter().map(|(at, r)| (*at, r.state)).collect();
        seen.dedup_by_key(|(_, state)| *state);
        seen
    }

    pub fn state(&self) -> SourceState {
        self.status.borrow().source_state
    }
}
