//! A sink's task: connects, feeds, follows the chosen uplink.

use super::decision::{ConnectionDecision, verdict};
use super::network::{Look, Network};
use super::reporter::SinkReporter;
use super::retry::RetryPolicy;
use crate::rtmp::{ConnectError, Connection};
use crate::tls::Tls;
use crate::transport::{CachedResolver, ConnectionHealth, EVERY};
use robocast_bus::SinkState;
use robocast_config::RtmpTarget;
use robocast_daemon::journal;
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::{Broadcast, Subscriber};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// A server that takes nothing for so long is given up.
const STUCK: Duration = Duration::from_secs(10);
/// A session that lasted so long worked.
const WORKED: Duration = Duration::from_secs(2);

pub(super) struct SinkTask {
    pub stream: String,
    pub name: String,
    pub feed: Broadcast,
    pub tls: Tls,
    pub origin: MonoTime,
    pub report: SinkReporter,
    pub wanted: watch::Receiver<bool>,
    /// The interface of the chosen uplink; empty: none.
    pub chosen: watch::Receiver<String>,
    pub target: RtmpTarget,
    pub server: CachedResolver,
    pub network: Arc<dyn Network>,
    pub last_ms: Option<u32>,
    /// How often the server took a session of ours.
    pub sessions: u64,
}

/// A connection and the watch over it.
pub(super) struct Way {
    pub connection: Connection,
    pub watch: Box<dyn Look>,
    pub standing: ConnectionHealth,
    /// When its replacement may be tried again.
    pub not_before: Instant,
}

/// How feeding a server ended.
pub(super) enum Ended {
    /// Nobody wants it any more.
    Unwanted,
    /// It broke, or was given up.
    Lost(ConnectError),
}

impl SinkTask {
    pub async fn run(mut self) {
        let mut tries = RetryPolicy::new();
        while self.wanted.wait_for(|wanted| *wanted).await.is_ok() {
            self.report.state(SinkState::Connecting, String::new());
            let uplink = self.chosen.borrow_and_update().clone();
            self.report.reachable(Some(&uplink));
            let opened = tokio::select! {
                opened = self.open(&uplink) => opened,
                () = self.unwanted() => continue,
                () = self.moved(&uplink) => continue,
            };
            let error = match opened {
                Ok(way) => {
                    let began = MonoTime::now();
                    self.publishing();
                    let ended = self.publish(way).await;
                    self.report.gone();
                    if MonoTime::now().since(began) > WORKED {
                        tries.worked();
                    }
                    match ended {
                        Ended::Unwanted => {
                            self.report.state(SinkState::Idle, String::new());
                            continue;
                        }
                        Ended::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            if let ConnectError::Abandoned(_) = error {
                tracing::info!(stream = self.stream, sink = self.name, "{error}");
                tries.moved();
                continue;
            }
            let next = tries.failed(&error, Instant::now());
            let why = journal::chain(&error);
            if next.worth_a_line {
                tracing::warn!(stream = self.stream, sink = self.name, "not publishing: {why}");
            }
            self.report.state(next.state, why);
            tokio::select! {
                () = tokio::time::sleep(next.wait) => {}
                () = self.unwanted() => {}
                // What another uplink brings is worth a try at once; not so after a server's no.
                () = self.moved(&uplink), if next.state == SinkState::Waiting => tries.moved(),
            }
        }
    }

    pub(super) fn publishing(&mut self) {
        self.sessions += 1;
        self.report.sessions(self.sessions);
        self.report.state(SinkState::Publishing, String::new());
        tracing::info!(stream = self.stream, sink = self.name, "publishing");
    }

    async fn open(&self, uplink: &str) -> Result<Way, ConnectError> {
        let mut way = self.prepare(uplink).await?;
        way.connection.publish(self.last_ms).await?;
        Ok(way)
    }

    /// A session that could ask to publish.
    pub(super) async fn prepare(&self, uplink: &str) -> Result<Way, ConnectError> {
        let began = Instant::now();
        let slow = || self.report.unreachable(uplink, began.elapsed());
        let line = match self.network.reach(&self.server, uplink, &slow).await {
            Ok(line) => line,
            Err(error) if error.unreachable() => {
                self.report.unreachable(uplink, began.elapsed());
                return Err(error);
            }
            Err(error) => {
                // Whatever answered, the way to it is there. A name that is not found says nothing.
                if matches!(error, ConnectError::Tcp(..)) {
                    self.report.reachable(None);
                }
                return Err(error);
            }
        };
        self.report.reachable(None);
        let watch = line.watch.map_err(ConnectError::Broken)?;
        let connection = Connection::open(self.target.clone(), &self.tls, line.socket).await?;
        Ok(Way { connection, watch, standing: ConnectionHealth::default(), not_before: Instant::now() })
    }

    /// Feeds the server until the way to it breaks or it is no longer wanted.
    async fn publish(&mut self, mut way: Way) -> Ended {
        let mut units = self.feed.subscribe();
        loop {
            let verdict = tokio::select! {
                error = self.feed_server(&mut way.connection, &mut units) => {
                    return self.lost(&way, error);
                }
                () = self.unwanted() => {
                    self.last_ms = way.connection.last_ms();
                    way.connection.close().await;
                    return Ended::Unwanted;
                }
                verdict = self.mind(&mut way.watch, &mut way.standing, way.not_before, ConnectionDecision::Keep) => verdict,
            };
            if verdict == ConnectionDecision::Abandon {
                let error = ConnectError::Abandoned(way.standing.uplink.clone());
                return self.lost(&way, error);
            }
            match self.handover(way, units).await {
                Ok(on) => (way, units) = on,
                Err(ended) => return ended,
            }
        }
    }

    /// The end of a way that broke, or was given up; what it showed at last stays told.
    pub(super) fn lost(&mut self, way: &Way, error: ConnectError) -> Ended {
        self.last_ms = way.connection.last_ms();
        if let Some(silence) = way.standing.stalled {
            self.report.unreachable(&way.standing.uplink, silence);
        }
        Ended::Lost(error)
    }

    /// Watches a connection, until the verdict on it is another than `usual`.
    pub(super) async fn mind(
        &self,
        watch: &mut Box<dyn Look>,
        standing: &mut ConnectionHealth,
        not_before: Instant,
        usual: ConnectionDecision,
    ) -> ConnectionDecision {
        let mut chosen = self.chosen.clone();
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Ok(()) = chosen.changed() => {}
            }
            let Some(seen) = watch.look(MonoTime::now()) else { continue };
            self.report.standing(&seen);
            *standing = seen;
            let verdict = verdict(standing, &chosen.borrow());
            let rests = verdict == ConnectionDecision::Replace && Instant::now() < not_before;
            if verdict != usual && !rests {
                return verdict;
            }
        }
    }

    pub(super) async fn feed_server(
        &self,
        connection: &mut Connection,
        units: &mut Subscriber,
    ) -> ConnectError {
        loop {
            match self.next(connection, units).await {
                Ok(next) => {
                    if let Err(error) = self.send(connection, next).await {
                        return error;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Waits for the next unit, and answers the server meanwhile.
    pub(super) async fn next(
        &self,
        connection: &mut Connection,
        units: &mut Subscriber,
    ) -> Result<(Arc<AccessUnit>, u64), ConnectError> {
        // A unit that was under way when this was last called goes first.
        flush(connection).await?;
        loop {
            tokio::select! {
                biased;
                next = units.next() => return Ok(next),
                came = connection.receive() => {
                    came?;
                    connection.flush().await?;
                }
            }
        }
    }

    pub(super) async fn send(
        &self,
        connection: &mut Connection,
        (unit, skipped): (Arc<AccessUnit>, u64),
    ) -> Result<(), ConnectError> {
        let since = unit.dts.since(self.origin).as_millis();
        #[allow(clippy::cast_possible_truncation)]
        let bytes = connection.queue(&unit, since as u32)?;
        flush(connection).await?;
        self.report.sent(&unit, bytes, skipped);
        Ok(())
    }

    pub(super) async fn unwanted(&self) {
        let mut wanted = self.wanted.clone();
        let _ = wanted.wait_for(|wanted| !wanted).await;
    }

    /// Waits until another uplink than `uplink` is chosen.
    async fn moved(&self, uplink: &str) {
        let mut chosen = self.chosen.clone();
        let another = |chosen: &String| !chosen.is_empty() && chosen != uplink;
        if chosen.wait_for(another).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn flush(connection: &mut Connection) -> Result<(), ConnectError> {
    tokio::time::timeout(STUCK, connection.flush()).await.map_err(|_| ConnectError::Late("video"))?
}
