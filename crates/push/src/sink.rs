//! One sink: a task that keeps one server fed, whatever happens to the server or the way to it.

use crate::rtmp::{Address, AddressError, ConnectError, Connection};
use crate::tls::Tls;
use robocast_bus::{SinkState, SinkStatus};
use robocast_config::{SinkScheme, SinkUrl};
use robocast_daemon::backoff::Backoff;
use robocast_daemon::journal;
use robocast_media::clock::Stamp;
use robocast_media::h264::AccessUnit;
use robocast_media::hop::{Feed, Subscriber};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A server that takes nothing for so long is given up.
const STUCK: Duration = Duration::from_secs(10);
/// A server that is away is asked again within this.
const AWAY: Duration = Duration::from_millis(800);
/// A server that said no is asked again within this.
const REFUSED: Duration = Duration::from_secs(30);

/// What a sink tells of itself, shared with the program's loop.
#[derive(Debug, Clone)]
pub struct Report(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    status: SinkStatus,
    /// Latencies of the units sent since the last look, in ms.
    latencies: Vec<f64>,
}

/// More latencies than this are not kept between two looks.
const SAMPLES: usize = 256;

impl Report {
    fn new(url: String) -> Self {
        let status = SinkStatus { url, ..SinkStatus::default() };
        Self(Arc::new(Mutex::new(Told { status, latencies: Vec::new() })))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the sink is.
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        self.told().status.clone()
    }

    /// The latencies since the last call, in ms.
    #[must_use]
    pub fn take_latencies(&self) -> Vec<f64> {
        std::mem::take(&mut self.told().latencies)
    }

    fn state(&self, state: SinkState, text: String) {
        let mut told = self.told();
        told.status.state = state;
        told.status.text = text;
    }

    fn sent(&self, unit: &AccessUnit, bytes: usize, skipped: u64) {
        let mut told = self.told();
        told.status.frames_out += 1;
        told.status.bytes_out += bytes as u64;
        told.status.keyframes += u64::from(unit.keyframe);
        told.status.skipped += skipped;
        if told.latencies.len() < SAMPLES {
            told.latencies.push(Stamp::now().since(unit.arrived).as_secs_f64() * 1000.0);
        }
    }
}

/// A running sink. Dropping it ends its task at once; [`Sink::stop`] says good-bye first.
#[derive(Debug)]
pub struct Sink {
    /// What it tells.
    pub report: Report,
    wanted: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sink {
    /// Starts feeding `url` from `feed` while `wanted`. Times sent are counted from `origin`.
    #[must_use]
    pub fn start(stream: &str, url: &SinkUrl, feed: Feed, tls: Tls, origin: Stamp, wanted: bool) -> Self {
        let report = Report::new(url.redacted());
        let (tell, wanted) = watch::channel(wanted);
        let work = Work {
            stream: stream.to_owned(),
            name: url.redacted(),
            feed,
            tls,
            origin,
            report: report.clone(),
            wanted,
            last_ms: None,
        };
        let task = match (url.scheme, Address::of(url)) {
            (SinkScheme::Rtmp | SinkScheme::Rtmps, Ok(address)) => tokio::spawn(work.run(address)),
            (_, address) => {
                let why = match address {
                    Err(AddressError::Scheme) => {
                        "this version pushes to rtmp:// and rtmps:// only".to_owned()
                    }
                    Err(error) => error.to_string(),
                    Ok(_) => String::new(),
                };
                tracing::error!(stream, sink = work.name, "{why}");
                report.state(SinkState::Failed, why);
                tokio::spawn(std::future::ready(()))
            }
        };
        Self { report, wanted: tell, task }
    }

    /// Pushes or not, from now on.
    pub fn want(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
    }

    /// Ends it with a good-bye to the server.
    pub async fn stop(mut self) {
        let Self { wanted, task, .. } = &mut self;
        wanted.send_replace(false);
        // Without anyone left to want it, the task ends.
        drop(std::mem::replace(wanted, watch::channel(false).0));
        let _ = tokio::time::timeout(Duration::from_secs(2), task).await;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Work {
    stream: String,
    name: String,
    feed: Feed,
    tls: Tls,
    origin: Stamp,
    report: Report,
    wanted: watch::Receiver<bool>,
    last_ms: Option<u32>,
}

impl Work {
    async fn run(mut self, address: Address) {
        let mut away = Backoff::new(Duration::from_millis(100), AWAY);
        let mut refused = Backoff::new(Duration::from_millis(300), REFUSED);
        let mut sessions = 0u64;
        while self.wanted.wait_for(|wanted| *wanted).await.is_ok() {
            self.report.state(SinkState::Connecting, String::new());
            let mut wanted = self.wanted.clone();
            let opening = Connection::open(address.clone(), &self.tls, self.last_ms);
            let opened = tokio::select! {
                opened = opening => opened,
                _ = wanted.wait_for(|wanted| !wanted) => continue,
            };
            let error = match opened {
                Ok(connection) => {
                    sessions += 1;
                    self.report.told().status.reconnects = sessions - 1;
                    self.report.state(SinkState::Publishing, String::new());
                    tracing::info!(stream = self.stream, sink = self.name, "publishing");
                    let began = Stamp::now();
                    let ended = self.publish(connection).await;
                    if Stamp::now().since(began) > Duration::from_secs(2) {
                        away.reset();
                        refused.reset();
                    }
                    match ended {
                        None => {
                            self.report.state(SinkState::Idle, String::new());
                            continue;
                        }
                        Some(error) => error,
                    }
                }
                Err(error) => error,
            };
            let why = journal::chain(&error);
            let (state, backoff) = if error.refusal() {
                (SinkState::Refused, &mut refused)
            } else {
                (SinkState::Waiting, &mut away)
            };
            let wait = backoff.next_wait();
            // Once in full, then only now and then: a server away for a day fills no journal.
            if backoff.tries() == 1 || backoff.tries().is_multiple_of(64) {
                tracing::warn!(stream = self.stream, sink = self.name, "not publishing: {why}");
            }
            self.report.state(state, why);
            let mut wanted = self.wanted.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = wanted.wait_for(|wanted| !wanted) => {}
            }
        }
    }

    /// Feeds the server until it breaks (an error) or is no longer wanted (none).
    async fn publish(&mut self, mut connection: Connection) -> Option<ConnectError> {
        let mut units = self.feed.subscribe();
        let mut wanted = self.wanted.clone();
        let ended = tokio::select! {
            error = self.feed_server(&mut connection, &mut units) => Some(error),
            _ = wanted.wait_for(|wanted| !wanted) => None,
        };
        self.last_ms = connection.last_ms();
        if ended.is_none() {
            connection.close().await;
        }
        ended
    }

    async fn feed_server(&self, connection: &mut Connection, units: &mut Subscriber) -> ConnectError {
        loop {
            let next = tokio::select! {
                biased;
                next = units.next() => next,
                came = connection.receive() => match came {
                    Ok(()) => {
                        if let Err(error) = connection.flush().await {
                            return error;
                        }
                        continue;
                    }
                    Err(error) => return error,
                },
            };
            if let Err(error) = self.send(connection, next).await {
                return error;
            }
        }
    }

    async fn send(
        &self,
        connection: &mut Connection,
        (unit, skipped): (Arc<AccessUnit>, u64),
    ) -> Result<(), ConnectError> {
        let since = unit.dts.since(self.origin).as_millis();
        #[allow(clippy::cast_possible_truncation)]
        let bytes = connection.queue(&unit, since as u32)?;
        match tokio::time::timeout(STUCK, connection.flush()).await {
            Ok(done) => done?,
            Err(_) => return Err(ConnectError::Late("video")),
        }
        self.report.sent(&unit, bytes, skipped);
        Ok(())
    }
}
