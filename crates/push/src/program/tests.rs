//! Tests of the loop with a camera and servers in memory, with a paused clock.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::camera_link::CameraReader;
use crate::in_memory::{InMemory, Mood, Saw, picture};
use crate::sink::Connecting;
use robocast_daemon::atomic;
use robocast_dial::Server;
use robocast_video::ipc::SourceReport;
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A camera in memory.
#[derive(Debug, Clone, Default)]
struct InMemoryCamera(Arc<Mutex<CameraState>>);

#[derive(Debug, Default)]
struct CameraState {
    /// Whether connections are refused.
    absent: bool,
    reader: Option<mpsc::UnboundedSender<CameraMessage>>,
    tries: Vec<Instant>,
    asked: Vec<Request>,
}

struct InMemoryReader(InMemoryCamera, mpsc::UnboundedReceiver<CameraMessage>);

impl InMemoryCamera {
    /// Sends a message to every reader.
    fn say(&self, message: CameraMessage) {
        if let Some(reader) = &self.0.lock().unwrap().reader {
            let _ = reader.send(message);
        }
    }

    fn report(&self, state: SourceState) {
        self.say(CameraMessage::Report(SourceReport { state, ..SourceReport::default() }));
    }

    /// Starts or ends the camera's process.
    fn there(&self, there: bool) {
        let mut state = self.0.lock().unwrap();
        state.absent = !there;
        state.reader = None;
    }

    fn is_read(&self) -> bool {
        self.0.lock().unwrap().reader.as_ref().is_some_and(|reader| !reader.is_closed())
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }

    fn tries(&self) -> Vec<Instant> {
        self.0.lock().unwrap().tries.clone()
    }
}

impl CameraDoor for InMemoryCamera {
    type Reader = InMemoryReader;

    async fn connect(&self) -> io::Result<InMemoryReader> {
        let mut state = self.0.lock().unwrap();
        state.tries.push(Instant::now());
        if state.absent {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        state.reader = Some(sender);
        Ok(InMemoryReader(self.clone(), receiver))
    }
}

impl CameraReader for InMemoryReader {
    async fn next(&mut self) -> io::Result<CameraMessage> {
        self.1.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        self.0.0.lock().unwrap().asked.push(request);
        Ok(())
    }
}

/// One server for each host.
#[derive(Debug, Clone, Default)]
struct Servers(Arc<Mutex<HashMap<String, InMemory>>>);

impl Servers {
    fn at(&self, host: &str) -> InMemory {
        self.0.lock().unwrap().entry(host.to_owned()).or_insert_with(InMemory::new).clone()
    }
}

impl Network for Servers {
    fn connect<'a>(
        &'a self,
        server: &'a Server,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Connecting<'a> {
        Box::pin(async move { self.at(server.host()).connect(server, uplink, slow).await })
    }
}

/// A unit that was sent: its time, whether it is the slate's, whether it is a keyframe.
type Out = (MonoTime, bool, bool);

/// The running loop of the program.
struct Rig {
    camera: InMemoryCamera,
    servers: Servers,
    wishes: mpsc::Sender<SignalEvent>,
    orders: mpsc::Sender<PushOrder>,
    status: watch::Receiver<PushStatus>,
    chosen: watch::Sender<String>,
    /// The units that were sent.
    out: Arc<Mutex<Vec<Out>>>,
    task: JoinHandle<()>,
    folder: tempfile::TempDir,
    next: u32,
}

/// The settings of a stream with these lines.
fn settings(lines: &str) -> String {
    format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"test:\"\n{lines}\n")
}

fn push_to(hosts: &[&str]) -> String {
    let urls: Vec<String> = hosts.iter().map(|host| format!("\"rtmp://{host}/app/KEY\"")).collect();
    format!("push = [{}]", urls.join(", "))
}

/// The slate of these tests: two pictures.
fn slate_frames() -> Vec<SlateFrame> {
    let frame = |keyframe| SlateFrame { data: picture(keyframe, 50).data, keyframe };
    vec![frame(true), frame(false)]
}

impl Rig {
    async fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        atomic::write(&path, settings(lines).as_bytes(), 0o600).unwrap();
        let (camera, servers) = (InMemoryCamera::default(), Servers::default());
        let (wishes, signals) = Signals::told();
        let (orders, order) = mpsc::channel(4);
        let (status, chosen) = (watch::Sender::default(), watch::Sender::new("wlan0".to_owned()));
        let surroundings = Surroundings {
            camera: camera.clone(),
            network: Arc::new(servers.clone()),
            chosen: chosen.subscribe(),
            status: status.clone(),
            orders: order,
            signals,
        };
        let settings = robocast_config::load(&path).unwrap().settings;
        let stream = settings.stream("front").unwrap().clone();
        let mut push = Push::with(surroundings, &path, settings, stream);
        // The slate is given ready-made: no process is started for it.
        push.slate = SlateStore::with(DEFAULT_SIZE, slate_frames());
        let (out, mut units) = (Arc::<Mutex<Vec<Out>>>::default(), push.broadcast.subscribe());
        let goes = out.clone();
        tokio::spawn(async move {
            loop {
                let (unit, _) = units.next().await;
                goes.lock().unwrap().push((unit.arrived, unit.data.len() < 500, unit.keyframe));
            }
        });
        let task = tokio::spawn(async move {
            push.work().await;
            push.end().await;
        });
        let status = status.subscribe();
        // Messages are lost until the camera is read.
        tokio::time::sleep(ms(1)).await;
        Self { camera, servers, wishes, orders, status, chosen, out, task, folder, next: 0 }
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The robot sends for this long, 25 pictures of 1000 bytes per second; each `group`th is a keyframe.
    async fn film(&mut self, time: Duration, group: u32) {
        for _ in 0..time.as_millis() / 40 {
            self.camera.say(CameraMessage::Unit(picture(self.next.is_multiple_of(group), 1000)));
            self.next += 1;
            tokio::time::sleep(ms(40)).await;
        }
    }

    /// The units that were sent since the last call.
    fn went(&self) -> Vec<Out> {
        std::mem::take(&mut self.out.lock().unwrap())
    }

    /// Replaces the settings; the new ones are in force when this returns.
    async fn reload(&self, text: &str) {
        atomic::write(&self.folder.path().join("settings.toml"), text.as_bytes(), 0o600).unwrap();
        self.wishes.send(SignalEvent::Reload).await.unwrap();
        self.pass(s(2)).await;
    }

    fn states(&self) -> Vec<SinkState> {
        self.status.borrow().sinks.iter().map(|sink| sink.state).collect()
    }
}

fn count(server: &InMemory, wanted: &Saw) -> usize {
    server.times(|saw| saw == wanted).len()
}

#[tokio::test(start_paused = true)]
async fn the_slate_begins_a_second_after_the_robots_last_picture_and_ends_with_its_keyframe() {
    let mut rig = Rig::new(&push_to(&["a"])).await;
    rig.film(s(3), 25).await;
    let robot = rig.went();
    assert!(robot.len() == 75 && robot.iter().all(|(_, slate, _)| !slate));
    assert!(rig.status.borrow().live && !rig.status.borrow().slate);
    rig.camera.report(SourceState::Lost);
    rig.pass(s(5)).await;
    let slate = rig.went();
    assert!(slate.iter().all(|(_, slate, _)| *slate));
    let began = slate[0].0.since(robot[74].0);
    assert!(began >= s(1) && began <= ms(1200), "{began:?}");
    assert!(slate.windows(2).all(|two| two[1].0.since(two[0].0) == ms(200)), "5 per second");
    assert!(slate.iter().enumerate().all(|(at, (_, _, keyframe))| *keyframe == (at % 2 == 0)));
    assert!(rig.status.borrow().slate && !rig.status.borrow().live);
    // The robot is back in the middle of a group: a keyframe is requested, and the slate continues until it arrives.
    rig.next = 1;
    let asked = rig.camera.asked();
    rig.film(ms(960), 25).await;
    assert!(rig.camera.asked() - asked == 24 && rig.went().iter().all(|(_, slate, _)| *slate));
    rig.film(s(2), 25).await;
    let back = rig.went();
    assert!(back[0].2 && back.len() == 50 && back.iter().all(|(_, slate, _)| !slate), "{back:?}");
    assert!(rig.status.borrow().live && !rig.status.borrow().slate);
    // The server noticed nothing: one session, increasing times, and no gap of more than a second.
    let units = rig.servers.at("a").units(1);
    assert!(units.windows(2).all(|two| two[1].0 > two[0].0 && two[1].0 - two[0].0 <= 1200), "{units:?}");
    assert_eq!(rig.status.borrow().sinks[0].reconnects, 0);
    assert_eq!(rig.status.borrow().latency_ms, Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn a_robot_never_seen_gets_3_s_and_one_that_sends_without_a_keyframe_10_s() {
    for (sends, after) in [(false, s(3)), (true, s(10))] {
        let mut rig = Rig::new(&push_to(&["a"])).await;
        let began = MonoTime::now();
        rig.next = 1;
        rig.pass(ms(10)).await;
        rig.camera.report(if sends { SourceState::Live } else { SourceState::Lost });
        rig.film(s(12), 100_000).await;
        let first = rig.went()[0];
        let waited = first.0.since(began);
        assert!(first.1 && waited >= after - ms(1) && waited <= after + ms(200), "{sends} {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_slate_in_its_settings_or_without_sinks_gets_none() {
    for lines in [format!("{}\nslate = false", push_to(&["a"])), String::new()] {
        let mut rig = Rig::new(&lines).await;
        rig.film(s(3), 25).await;
        rig.went();
        rig.pass(s(30)).await;
        assert_eq!(rig.went(), []);
        assert!(!rig.status.borrow().slate && !rig.status.borrow().live);
    }
}

#[tokio::test(start_paused = true)]
async fn sinks_removed_from_the_settings_are_stopped_and_the_others_unchanged() {
    let mut rig = Rig::new(&push_to(&["a", "b"])).await;
    rig.film(s(1), 25).await;
    let [a, b, c] = ["a", "b", "c"].map(|host| rig.servers.at(host));
    assert_eq!((a.units(1).len(), b.units(1).len()), (25, 25));
    rig.reload(&settings(&push_to(&["c", "b"]))).await;
    assert_eq!((count(&a, &Saw::Leaves(1)), count(&a, &Saw::Gone(1))), (1, 1));
    rig.film(s(2), 25).await;
    assert_eq!((a.units(1).len(), a.tries("wlan0").len()), (25, 1));
    assert!(b.units(1).len() > 75 && c.units(1).len() > 50, "and the slate in between");
    assert_eq!(b.tries("wlan0").len(), 1);
    assert_eq!(rig.states(), [SinkState::Publishing; 2]);
    let urls: Vec<String> = rig.status.borrow().sinks.iter().map(|sink| sink.url.clone()).collect();
    assert!(urls[0].starts_with("rtmp://c/") && urls[1].starts_with("rtmp://b/"), "{urls:?}");
}

#[tokio::test(start_paused = true)]
async fn new_roots_restart_every_session() {
    let rig = Rig::new(&push_to(&["a"])).await;
    rig.pass(s(1)).await;
    let roots = format!("{}[tls]\nca = \"\"\"\n{PEM}\"\"\"\n", settings(&push_to(&["a"])));
    rig.reload(&roots).await;
    let a = rig.servers.at("a");
    assert_eq!((count(&a, &Saw::Leaves(1)), count(&a, &Saw::Begins(2))), (1, 1));
    rig.reload(&roots).await;
    assert_eq!(a.tries("wlan0").len(), 2, "nothing changed this time");
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

#[tokio::test(start_paused = true)]
async fn settings_that_are_invalid_or_lack_the_stream_change_nothing() {
    let mut rig = Rig::new(&push_to(&["a"])).await;
    rig.film(s(1), 25).await;
    let lacking = settings(&push_to(&["b"])).replace("front", "rear");
    for text in ["schema = 1\n[[stream", lacking.as_str()] {
        rig.reload(text).await;
        rig.film(s(1), 25).await;
        assert_eq!(rig.states(), [SinkState::Publishing]);
    }
    let a = rig.servers.at("a");
    assert_eq!((a.tries("wlan0").len(), count(&a, &Saw::Leaves(1))), (1, 0));
    assert_eq!(rig.servers.at("b").saw(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_demand_starts_and_stops_on_request() {
    let mut rig = Rig::new(&format!("{}\nstart = \"on-demand\"", push_to(&["a"]))).await;
    rig.pass(s(20)).await;
    let a = rig.servers.at("a");
    assert!(!rig.camera.is_read() && a.saw().is_empty() && rig.went().is_empty());
    assert_eq!((rig.states(), rig.status.borrow().started), (vec![SinkState::Idle], false));
    rig.orders.send(PushOrder::Start).await.unwrap();
    rig.pass(ms(10)).await;
    rig.film(s(2), 25).await;
    assert_eq!((rig.states(), rig.status.borrow().started), (vec![SinkState::Publishing], true));
    assert_eq!(a.units(1).iter().filter(|unit| unit.1).count(), 2);
    rig.orders.send(PushOrder::Stop).await.unwrap();
    rig.pass(s(20)).await;
    assert!(!rig.camera.is_read(), "so that the camera may rest");
    assert_eq!((count(&a, &Saw::Leaves(1)), rig.states()), (1, vec![SinkState::Idle]));
    // Settings with `start = "always"` start it too.
    rig.reload(&settings(&push_to(&["a"]))).await;
    assert!(rig.camera.is_read() && rig.states() == [SinkState::Publishing]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_camera_is_tried_ten_times_a_second_and_found_at_once_when_it_restarts() {
    let mut rig = Rig::new(&push_to(&["a"])).await;
    rig.film(s(1), 25).await;
    rig.camera.there(true);
    rig.pass(ms(6)).await;
    assert!(rig.camera.is_read());
    rig.film(s(1), 1).await;
    let before = rig.camera.tries().len();
    rig.camera.there(false);
    rig.pass(s(10)).await;
    let tries = rig.camera.tries().split_off(before);
    let gaps: Vec<Duration> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps.iter().all(|&gap| gap >= ms(5) && gap <= ms(101)), "{gaps:?}");
    assert!(gaps.iter().skip(6).all(|&gap| gap >= ms(50)) && gaps.len() >= 99, "{gaps:?}");
    assert!(rig.went().last().unwrap().1, "the slate is sent");
    rig.camera.there(true);
    rig.pass(ms(101)).await;
    assert!(rig.camera.is_read());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_all_sessions_end_in_parallel_and_none_delays_it_for_long() {
    let mut rig = Rig::new(&push_to(&["a", "b", "c"])).await;
    rig.film(s(1), 25).await;
    let [a, b, c] = ["a", "b", "c"].map(|host| rig.servers.at(host));
    b.read(false);
    c.read(false);
    let began = Instant::now();
    rig.wishes.send(SignalEvent::Shutdown).await.unwrap();
    rig.task.await.unwrap();
    assert!(began.elapsed() <= ms(510), "{:?}", began.elapsed());
    assert_eq!(count(&a, &Saw::Leaves(1)), 1);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_published_once_a_second_but_at_once_if_it_is_urgent() {
    let rig = Rig::new(&push_to(&["a"])).await;
    rig.servers.at("a").mood("wlan0", Mood::Mute);
    rig.servers.at("a").cut();
    rig.pass(ms(1_450)).await;
    assert_eq!((rig.states(), rig.status.borrow().evidence.len()), (vec![SinkState::Connecting], 0));
    rig.pass(ms(60)).await;
    assert_eq!(rig.status.borrow().evidence.len(), 1, "long before the next second");
    rig.chosen.send_replace("wwan0".into());
    rig.pass(ms(10)).await;
    assert_eq!(rig.status.borrow().evidence, []);
}

#[tokio::test(start_paused = true)]
async fn while_removed_sinks_end_the_others_are_fed() {
    let mut rig = Rig::new(&push_to(&["a", "b", "c"])).await;
    rig.film(s(1), 25).await;
    let [a, b, c] = ["a", "b", "c"].map(|host| rig.servers.at(host));
    // Neither server receives the end of its session.
    b.read(false);
    c.read(false);
    let fewer = settings(&push_to(&["a"]));
    atomic::write(&rig.folder.path().join("settings.toml"), fewer.as_bytes(), 0o600).unwrap();
    rig.wishes.send(SignalEvent::Reload).await.unwrap();
    let before = a.units(1).len();
    rig.film(ms(400), 25).await;
    assert!(a.units(1).len() >= before + 9, "{} of 10 pictures", a.units(1).len() - before);
    rig.pass(s(1)).await;
    assert_eq!(rig.states().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_new_roots_each_sink_ends_its_session_before_it_starts_again() {
    let mut rig = Rig::new(&push_to(&["a"])).await;
    rig.film(s(1), 25).await;
    let ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let text = format!("{}[tls]\nca = \"\"\"\n{ca}\"\"\"\n", settings(&push_to(&["a"])));
    rig.reload(&text).await;
    rig.film(s(1), 25).await;
    let a = rig.servers.at("a");
    let order: Vec<Saw> = a
        .saw()
        .into_iter()
        .map(|(_, saw)| saw)
        .filter(|saw| matches!(saw, Saw::Leaves(1) | Saw::Asks(2) | Saw::Begins(2)))
        .collect();
    assert_eq!(order, [Saw::Leaves(1), Saw::Asks(2), Saw::Begins(2)]);
}
