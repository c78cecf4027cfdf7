//! A sink's task: connects, feeds, follows the chosen uplink.

use super::SinkContext;
use super::decision::{ConnectionDecision, decide};
use super::error::{SinkError, SinkErrorKind};
use super::network::{Observe, Route};
use super::publisher::Publisher;
use super::reporter::SinkReporter;
use super::retry::RetryPolicy;
use crate::transport::{ConnectionHealth, EVERY};
use robocast_bus::SinkState;
use robocast_daemon::journal;
use robocast_dial::Server;
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use robocast_video::ipc::Subscriber;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// A server that accepts nothing for this long is abandoned.
const STUCK: Duration = Duration::from_secs(10);
/// A session that lasted this long counts as working.
const WORKED: Duration = Duration::from_secs(2);

pub(super) struct SinkTask<P: Publisher> {
    pub context: SinkContext,
    pub reporter: SinkReporter,
    /// The URL without its secrets.
    pub name: String,
    pub wanted: watch::Receiver<bool>,
    pub target: P::Target,
    pub server: Server,
    /// The media time of the last unit sent, over all sessions.
    pub last_time: Option<Duration>,
    /// How often the server accepted a session of ours.
    pub sessions: u64,
}

/// A session and the monitor of its connection.
pub(super) struct ObservedSession<P> {
    pub publisher: P,
    pub monitor: Box<dyn Observe>,
    pub health: ConnectionHealth,
    /// When its replacement may be tried again.
    pub not_before: Instant,
}

/// Why feeding a server ended.
pub(super) enum FeedEnd {
    /// It is no longer wanted.
    Unwanted,
    /// It broke or was abandoned.
    Lost(SinkError),
}

impl<P: Publisher> SinkTask<P> {
    pub fn new(
        context: SinkContext,
        reporter: SinkReporter,
        name: String,
        wanted: watch::Receiver<bool>,
        target: P::Target,
        server: Server,
    ) -> Self {
        Self { context, reporter, name, wanted, target, server, last_time: None, sessions: 0 }
    }

    pub async fn run(mut self) {
        let mut retry = RetryPolicy::new();
        while self.wanted.wait_for(|wanted| *wanted).await.is_ok() {
            self.reporter.state(SinkState::Connecting, String::new());
            let uplink = self.context.chosen.borrow_and_update().clone();
            self.reporter.reachable(Some(&uplink));
            let opened = tokio::select! {
                opened = self.open(&uplink) => opened,
                () = self.unwanted() => continue,
                () = self.uplink_changed(&uplink) => continue,
            };
            let error = match opened {
                Ok(session) => {
                    let began = MonoTime::now();
                    self.note_publishing();
                    let ended = self.publish(session).await;
                    self.reporter.disconnected();
                    if MonoTime::now().since(began) > WORKED {
                        retry.worked();
                    }
                    match ended {
                        FeedEnd::Unwanted => {
                            self.reporter.state(SinkState::Idle, String::new());
                            continue;
                        }
                        FeedEnd::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            if error.kind() == SinkErrorKind::Abandoned {
                tracing::info!(stream = self.context.stream, sink = self.name, "{error}");
                retry.uplink_changed();
                continue;
            }
            let next = retry.failed(error.kind(), Instant::now());
            let why = journal::chain(&error);
            if next.worth_a_line {
                tracing::warn!(stream = self.context.stream, sink = self.name, "not publishing: {why}");
            }
            self.reporter.state(next.state, why);
            tokio::select! {
                () = tokio::time::sleep(next.wait) => {}
                () = self.unwanted() => {}
                // A new uplink is worth an immediate try, but not after a server's refusal.
                () = self.uplink_changed(&uplink), if next.state == SinkState::Waiting => retry.uplink_changed(),
            }
        }
    }

    pub(super) fn note_publishing(&mut self) {
        self.sessions += 1;
        self.reporter.sessions(self.sessions);
        self.reporter.state(SinkState::Publishing, String::new());
        tracing::info!(stream = self.context.stream, sink = self.name, "publishing");
    }

    async fn open(&self, uplink: &str) -> Result<ObservedSession<P>, SinkError> {
        let mut session = self.prepare(uplink).await?;
        session.publisher.publish(self.last_time).await?;
        Ok(session)
    }

    /// Opens a session that is ready to ask to publish.
    pub(super) async fn prepare(&self, uplink: &str) -> Result<ObservedSession<P>, SinkError> {
        let SinkContext { network, roots, .. } = &self.context;
        let network = network.as_ref();
        let route = Route { roots, network, server: &self.server, uplink, reporter: &self.reporter };
        let prepared = P::prepare(&self.target, &route).await?;
        let monitor = prepared.monitor.map_err(|error| SinkError::new(SinkErrorKind::Broken, error))?;
        let health = ConnectionHealth::default();
        Ok(ObservedSession { publisher: prepared.publisher, monitor, health, not_before: Instant::now() })
    }

    /// Feeds the server until its connection breaks or it is no longer wanted.
    async fn publish(&mut self, mut session: ObservedSession<P>) -> FeedEnd {
        let mut units = self.context.broadcast.subscribe();
        loop {
            let decision = tokio::select! {
                error = self.feed(&mut session.publisher, &mut units) => {
                    return self.lost(&session, error);
                }
                () = self.unwanted() => return self.end(session).await,
                decision = self.observe(
                    &mut session.monitor, &mut session.health, session.not_before, ConnectionDecision::Keep,
                ) => decision,
            };
            if decision == ConnectionDecision::Abandon {
                let error = SinkError::abandoned(&session.health.uplink);
                return self.lost(&session, error);
            }
            match self.hand_over(session, units).await {
                Ok(next) => (session, units) = next,
                Err(ended) => return ended,
            }
        }
    }

    /// Ends a connection that failed or was abandoned. Its last stall report stays published.
    pub(super) fn lost(&mut self, session: &ObservedSession<P>, error: SinkError) -> FeedEnd {
        self.last_time = session.publisher.last_time();
        if let Some(silence) = session.health.stalled {
            self.reporter.unreachable(&session.health.uplink, silence);
        }
        FeedEnd::Lost(error)
    }

    /// Ends a session that is no longer wanted.
    pub(super) async fn end(&mut self, session: ObservedSession<P>) -> FeedEnd {
        self.last_time = session.publisher.last_time();
        session.publisher.close().await;
        FeedEnd::Unwanted
    }

    /// Observes a connection until the decision about it differs from `usual`.
    pub(super) async fn observe(
        &self,
        monitor: &mut Box<dyn Observe>,
        health: &mut ConnectionHealth,
        not_before: Instant,
        usual: ConnectionDecision,
    ) -> ConnectionDecision {
        let mut chosen = self.context.chosen.clone();
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Ok(()) = chosen.changed() => {}
            }
            let Some(seen) = monitor.observe(MonoTime::now()) else { continue };
            self.reporter.connection(&seen);
            *health = seen;
            let decision = decide(health, &chosen.borrow());
            let too_soon = decision == ConnectionDecision::Replace && Instant::now() < not_before;
            if decision != usual && !too_soon {
                return decision;
            }
        }
    }

    /// Feeds the server until that fails.
    pub(super) async fn feed(&self, publisher: &mut P, units: &mut Subscriber) -> SinkError {
        loop {
            match self.next_unit(publisher, units).await {
                Ok(next) => {
                    if let Err(error) = self.send_unit(publisher, next).await {
                        return error;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Waits for the next unit, and serves the peer meanwhile.
    pub(super) async fn next_unit(
        &self,
        publisher: &mut P,
        units: &mut Subscriber,
    ) -> Result<(Arc<AccessUnit>, u64), SinkError> {
        // A unit whose sending was cancelled is sent first.
        flush(publisher).await?;
        loop {
            tokio::select! {
                biased;
                next = units.next() => return Ok(next),
                served = publisher.serve() => served?,
            }
        }
    }

    pub(super) async fn send_unit(
        &self,
        publisher: &mut P,
        (unit, skipped): (Arc<AccessUnit>, u64),
    ) -> Result<(), SinkError> {
        let bytes = publisher.queue(&unit, unit.dts.since(self.context.origin))?;
        flush(publisher).await?;
        self.reporter.sent(&unit, bytes, skipped);
        Ok(())
    }

    pub(super) async fn unwanted(&self) {
        let mut wanted = self.wanted.clone();
        // Without a sender it is not wanted.
        let _ = wanted.wait_for(|wanted| !wanted).await;
    }

    /// Waits until another uplink than `uplink` is chosen.
    async fn uplink_changed(&self, uplink: &str) {
        let mut chosen = self.context.chosen.clone();
        let another = |chosen: &String| !chosen.is_empty() && chosen != uplink;
        if chosen.wait_for(another).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn flush<P: Publisher>(publisher: &mut P) -> Result<(), SinkError> {
    match tokio::time::timeout(STUCK, publisher.flush()).await {
        Ok(flushed) => flushed,
        Err(_) => Err(SinkError::new(SinkErrorKind::Broken, "the server no longer accepts video")),
    }
}
