//! Servers in memory, for tests with a paused clock: with a kernel socket that clock would continue while data is in the
//! socket's buffers.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use crate::protocol::rtmp::test_server::{self, TestServer};
use crate::sink::{Connected, Connecting, Network, Observe, Sink, SinkContext};
use crate::transport::ConnectionHealth;
use rml_amf0::Amf0Value;
use rml_rtmp::messages::RtmpMessage;
use robocast_bus::SinkState;
use robocast_dial::{DialError, Roots, Server};
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::{Broadcast, Limits};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How many bytes the path to a server holds, like a socket's buffers.
const UNDER_WAY: usize = 64 << 10;

/// How the server treats connections through an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// It accepts everything that is sent.
    #[default]
    Takes,
    /// It accepts everything that is sent, but waits this long before each answer.
    Ponders(Duration),
    /// It refuses connections.
    Away,
    /// Nothing answers.
    Mute,
    /// It accepts a connection and then sends nothing.
    Hangs,
    /// It refuses to let a session connect.
    Refuses,
}

/// An event that the server saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// A connection attempt through this uplink.
    Try(String),
    /// The session with this number asks to publish.
    Asks(usize),
    /// The session may publish.
    Begins(usize),
    /// A picture of the session.
    Unit { session: usize, ms: u32, keyframe: bool },
    /// The session ends properly.
    Leaves(usize),
    /// The session's connection is gone.
    Gone(usize),
}

/// A server, and all paths to it.
#[derive(Debug, Clone)]
pub struct InMemory {
    began: Instant,
    inner: Arc<Mutex<Inner>>,
    /// Whether the server reads.
    reads: watch::Sender<bool>,
    /// Counts how often all connections were cut.
    cuts: watch::Sender<u32>,
}

#[derive(Debug, Default)]
struct Inner {
    moods: HashMap<String, Mood>,
    stalled: HashMap<String, Duration>,
    saw: Vec<(Duration, Saw)>,
    sessions: usize,
    /// The session that has the name.
    publisher: Option<usize>,
    /// After a broken connection the name is held for this long ...
    lingers: Duration,
    /// ... until this time.
    held_until: Option<Instant>,
}

impl InMemory {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            inner: Arc::default(),
            reads: watch::Sender::new(true),
            cuts: watch::Sender::new(0),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Sets how it treats connections through `uplink` from now on.
    pub fn mood(&self, uplink: &str, mood: Mood) {
        self.inner().moods.insert(uplink.to_owned(), mood);
    }

    /// Nothing has come through `uplink` for this long.
    pub fn stall(&self, uplink: &str, silence: Duration) {
        self.inner().stalled.insert(uplink.to_owned(), silence);
    }

    /// Sets how long it holds the name of a broken session.
    pub fn linger(&self, time: Duration) {
        self.inner().lingers = time;
    }

    /// Continues or stops reading.
    pub fn read(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// All events so far, with their times.
    pub fn saw(&self) -> Vec<(Duration, Saw)> {
        self.inner().saw.clone()
    }

    /// The times of all matching events.
    pub fn times(&self, wanted: impl Fn(&Saw) -> bool) -> Vec<Duration> {
        self.saw().into_iter().filter(|(_, saw)| wanted(saw)).map(|(at, _)| at).collect()
    }

    /// The times of the connection attempts through `uplink`.
    pub fn tries(&self, uplink: &str) -> Vec<Duration> {
        self.times(|saw| matches!(saw, Saw::Try(by) if by == uplink))
    }

    /// The pictures of a session: the time of each in ms, and whether it is a keyframe.
    pub fn units(&self, of: usize) -> Vec<(u32, bool)> {
        let unit = |(_, saw): (Duration, Saw)| match saw {
            Saw::Unit { session, ms, keyframe } if session == of => Some((ms, keyframe)),
            _ => None,
        };
        self.saw().into_iter().filter_map(unit).collect()
    }

    fn note(&self, saw: Saw) {
        let at = self.began.elapsed();
        self.inner().saw.push((at, saw));
    }

    /// Serves one connection until it ends.
    async fn serve(self, mut line: DuplexStream, mood: Mood) {
        let number = {
            let mut inner = self.inner();
            inner.sessions += 1;
            inner.sessions
        };
        let (mut reads, mut cuts) = (self.reads.subscribe(), self.cuts.subscribe());
        let talk = self.talk(&mut line, &mut reads, number, mood);
        tokio::select! {
            () = talk => {}
            _ = cuts.changed() => {}
        }
        self.note(Saw::Gone(number));
        let mut inner = self.inner();
        if inner.publisher == Some(number) {
            inner.publisher = None;
            inner.held_until = Some(Instant::now() + inner.lingers);
        }
    }

    async fn talk(
        &self,
        line: &mut DuplexStream,
        reads: &mut watch::Receiver<bool>,
        number: usize,
        mood: Mood,
    ) {
        let (mut server, mut looked_at, mut input) = (TestServer::new(), 0, vec![0; 16 << 10]);
        loop {
            let _ = reads.wait_for(|reads| *reads).await;
            let count = line.read(&mut input).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            if mood == Mood::Hangs {
                continue;
            }
            server.input(&input[..count]);
            while let Some((message, ms)) = server.seen.get(looked_at).cloned() {
                looked_at += 1;
                self.on_message(&mut server, message, ms, number, mood);
            }
            if !server.reply.is_empty() {
                if let Mood::Ponders(time) = mood {
                    tokio::time::sleep(time).await;
                }
                if line.write_all(&std::mem::take(&mut server.reply)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn on_message(&self, server: &mut TestServer, message: RtmpMessage, ms: u32, number: usize, mood: Mood) {
        match message {
            RtmpMessage::VideoData { data } if data[1] == 1 => {
                self.note(Saw::Unit { session: number, ms, keyframe: data[0] == 0x17 });
            }
            RtmpMessage::Amf0Command { command_name, transaction_id, .. } => match command_name.as_str() {
                "connect" if mood == Mood::Refuses => {
                    let no = test_server::status("NetConnection.Connect.Rejected", "error");
                    server.command("_error", transaction_id, no);
                }
                "connect" => server.command("_result", transaction_id, vec![]),
                "createStream" => server.command("_result", transaction_id, vec![Amf0Value::Number(1.0)]),
                "publish" => {
                    self.note(Saw::Asks(number));
                    let code = if self.takes(number) { "Start" } else { "BadName" };
                    let level = if code == "Start" { "status" } else { "error" };
                    let answer = test_server::status(&format!("NetStream.Publish.{code}"), level);
                    server.command("onStatus", 0.0, answer);
                }
                "deleteStream" => {
                    self.note(Saw::Leaves(number));
                    self.inner().publisher = None;
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Gives the name to a session, unless another session has it.
    fn takes(&self, number: usize) -> bool {
        let mut inner = self.inner();
        let held = inner.held_until.is_some_and(|until| Instant::now() < until);
        if held || inner.publisher.is_some() {
            return false;
        }
        inner.publisher = Some(number);
        drop(inner);
        self.note(Saw::Begins(number));
        true
    }
}

impl Network for InMemory {
    fn connect<'a>(
        &'a self,
        _: &'a Server,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Connecting<'a> {
        Box::pin(async move {
            self.note(Saw::Try(uplink.to_owned()));
            let mood = self.inner().moods.get(uplink).copied().unwrap_or_default();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1935));
            match mood {
                Mood::Away => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Err(DialError::Tcp(address, io::ErrorKind::ConnectionRefused.into()))
                }
                Mood::Mute => {
                    tokio::time::sleep(Duration::from_millis(1500)).await;
                    slow();
                    tokio::time::sleep(Duration::from_millis(3500)).await;
                    Err(DialError::Tcp(address, io::ErrorKind::TimedOut.into()))
                }
                _ => {
                    let (ours, theirs) = tokio::io::duplex(UNDER_WAY);
                    tokio::spawn(self.clone().serve(theirs, mood));
                    let monitor = InMemoryMonitor { server: self.clone(), uplink: uplink.to_owned() };
                    Ok(Connected { stream: Box::new(ours), monitor: Ok(Box::new(monitor)) })
                }
            }
        })
    }
}

/// Observes one connection to the server.
struct InMemoryMonitor {
    server: InMemory,
    uplink: String,
}

impl Observe for InMemoryMonitor {
    fn observe(&mut self, _: MonoTime) -> Option<ConnectionHealth> {
        let stalled = self.server.inner().stalled.get(&self.uplink).copied();
        let uplinks = vec![self.uplink.clone()];
        Some(ConnectionHealth {
            uplink: self.uplink.clone(),
            uplinks,
            stalled,
            ..ConnectionHealth::default()
        })
    }
}

/// A sink and everything it depends on.
pub struct Rig {
    pub server: InMemory,
    pub feed: Broadcast,
    pub chosen: watch::Sender<String>,
    pub sink: Sink,
    /// The number of the next picture.
    pub next: u32,
}

impl Rig {
    /// A sink whose chosen uplink is `wlan0`, and a server that treats it in this way.
    pub fn new(mood: Mood) -> Self {
        let server = InMemory::new();
        server.mood("wlan0", mood);
        let feed = Broadcast::new(Limits { lag: Duration::from_secs(3), bytes: 8 << 20 });
        let chosen = watch::Sender::new("wlan0".to_owned());
        let context = SinkContext {
            stream: "front".into(),
            broadcast: feed.clone(),
            origin: MonoTime::now(),
            chosen: chosen.subscribe(),
            urgent: Arc::new(Notify::new()),
            network: Arc::new(server.clone()),
            roots: Roots::default(),
        };
        let url = "rtmp://live.example.net/app/KEY".parse().unwrap();
        let sink = Sink::start(&context, &url, true, None);
        Self { server, feed, chosen, sink, next: 0 }
    }

    /// Chooses another uplink.
    pub fn choose(&self, uplink: &str) {
        self.chosen.send_replace(uplink.to_owned());
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The robot sends pictures for this long, 25 per second; each `group`th is a keyframe.
    pub async fn film(&mut self, time: Duration, group: u32) {
        for _ in 0..time.as_millis() / 40 {
            self.picture(self.next.is_multiple_of(group), 1000);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// The robot sends one picture.
    pub fn picture(&mut self, keyframe: bool, bytes: usize) {
        self.next += 1;
        self.feed.push(picture(keyframe, bytes));
    }

    /// The state that the sink reports.
    pub fn state(&self) -> SinkState {
        self.sink.reporter.status().state
    }

    /// Runs until the sink reports `wanted`.
    pub async fn until(&self, wanted: SinkState) {
        while self.state() != wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A picture that arrives now.
pub fn picture(keyframe: bool, bytes: usize) -> AccessUnit {
    let now = MonoTime::now();
    AccessUnit { pts: now, dts: now, arrived: now, ..test_server::unit(keyframe, bytes) }
}
