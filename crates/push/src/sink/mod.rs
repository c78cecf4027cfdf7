//! One sink: a task that keeps one server fed, whatever happens to the server or the way to it.

mod decision;
mod handover;
mod network;
mod rate;
mod reporter;
mod retry;
mod task;

pub use network::{Line, Look, Network, Reaching, Sockets};
pub use reporter::SinkReporter;

use crate::tls::Tls;
use crate::transport::CachedResolver;
use robocast_bus::SinkState;
use robocast_config::{SinkTarget, SinkUrl};
use robocast_video::clock::MonoTime;
use robocast_video::ipc::Broadcast;
use std::sync::Arc;
use std::time::Duration;
use task::SinkTask;
use tokio::sync::{Notify, watch};

/// What all sinks of a stream share.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// The stream's name.
    pub stream: String,
    /// What is sent.
    pub feed: Broadcast,
    /// Times sent are counted from here.
    pub origin: MonoTime,
    /// The interface of the uplink that was chosen; empty: none.
    pub chosen: watch::Receiver<String>,
    /// Woken when something of a report is not to wait for the next second.
    pub urgent: Arc<Notify>,
    /// What leads to the servers.
    pub network: Arc<dyn Network>,
}

/// A running sink. Dropping it ends its task at once; [`Sink::stop`] says good-bye first.
#[derive(Debug)]
pub struct Sink {
    /// What it tells.
    pub report: SinkReporter,
    wanted: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sink {
    /// Starts feeding `url` while `wanted`.
    #[must_use]
    pub fn start(common: &SinkContext, url: &SinkUrl, tls: Tls, wanted: bool) -> Self {
        let SinkContext { stream, feed, origin, chosen, urgent, network } = common.clone();
        let name = url.redacted();
        let report = SinkReporter::new(name.clone(), urgent);
        let (tell, wanted) = watch::channel(wanted);
        let task = match &url.target {
            SinkTarget::Rtmp(target) => {
                let report = report.clone();
                let (last_ms, sessions) = (None, 0);
                let work = SinkTask {
                    stream,
                    name,
                    feed,
                    tls,
                    origin,
                    report,
                    wanted,
                    chosen,
                    server: CachedResolver::new(&target.host, target.port),
                    target: target.clone(),
                    network,
                    last_ms,
                    sessions,
                };
                tokio::spawn(work.run())
            }
            SinkTarget::Srt(_) | SinkTarget::Whip(_) | SinkTarget::Rtsp(_) => {
                let why = "this version pushes to rtmp:// and rtmps:// only".to_owned();
                tracing::error!(stream, sink = name, "{why}");
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

#[cfg(test)]
mod tests;
