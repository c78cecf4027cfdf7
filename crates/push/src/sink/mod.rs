//! One sink: a task that keeps one server fed, whatever happens to the server or to the path to it.
//!
//! The task is independent of the protocol: it drives a [`Publisher`], which each protocol implements.

mod decision;
mod error;
mod handover;
mod network;
mod publisher;
mod rate;
mod reporter;
mod retry;
mod task;

pub use error::{SinkError, SinkErrorKind};
pub use network::{Connected, Connecting, Duplex, KernelNetwork, Network, Observe, Route};
pub use publisher::{Prepared, Publisher};
pub use reporter::SinkReporter;

use crate::protocol::rtmp::RtmpPublisher;
use robocast_bus::SinkState;
use robocast_config::{SinkTarget, SinkUrl};
use robocast_dial::{Roots, Server};
use robocast_video::clock::MonoTime;
use robocast_video::ipc::Broadcast;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use task::SinkTask;
use tokio::sync::{Notify, watch};

/// How long an ending sink may take.
const STOP: Duration = Duration::from_secs(2);

/// The state that all sinks of a stream share.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// The stream's name.
    pub stream: String,
    /// The units to send.
    pub broadcast: Broadcast,
    /// The times that are sent count from here.
    pub origin: MonoTime,
    /// The interface of the chosen uplink; empty if there is none.
    pub chosen: watch::Receiver<String>,
    /// Notified when a report must not wait for the next second.
    pub urgent: Arc<Notify>,
    /// Connects to servers.
    pub network: Arc<dyn Network>,
    /// The trusted certificates.
    pub roots: Roots,
}

/// A running sink. Dropping it ends its task at once; [`Sink::stop`] ends its session first.
#[derive(Debug)]
pub struct Sink {
    /// Its report.
    pub reporter: SinkReporter,
    wanted: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sink {
    /// Starts feeding `url` while `wanted`. `before`, an earlier sink of that URL, is stopped first.
    #[must_use]
    pub fn start(context: &SinkContext, url: &SinkUrl, wanted: bool, before: Option<Self>) -> Self {
        let name = url.redacted();
        let reporter = SinkReporter::new(name.clone(), context.urgent.clone());
        let (want, wanted) = watch::channel(wanted);
        let run: Pin<Box<dyn Future<Output = ()> + Send>> = match &url.target {
            SinkTarget::Rtmp(target) => {
                let server = Server::new(&target.host, target.port);
                let (context, reporter) = (context.clone(), reporter.clone());
                Box::pin(
                    SinkTask::<RtmpPublisher>::new(context, reporter, name, wanted, target.clone(), server)
                        .run(),
                )
            }
            SinkTarget::Srt(_) | SinkTarget::Whip(_) | SinkTarget::Rtsp(_) => {
                let why = "this version pushes to rtmp:// and rtmps:// only";
                tracing::error!(stream = context.stream, sink = name, "{why}");
                reporter.state(SinkState::Failed, why.to_owned());
                Box::pin(std::future::ready(()))
            }
        };
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                before.stop().await;
            }
            run.await;
        });
        Self { reporter, wanted: want, task }
    }

    /// Starts or stops pushing.
    pub fn want(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
    }

    /// Ends its session, then its task.
    pub async fn stop(mut self) {
        let Self { wanted, task, .. } = &mut self;
        wanted.send_replace(false);
        // Without a sender the task ends.
        drop(std::mem::replace(wanted, watch::channel(false).0));
        let _ = tokio::time::timeout(STOP, task).await;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
