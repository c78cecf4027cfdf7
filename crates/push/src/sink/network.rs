//! Gives a sink's session its connection through the chosen uplink, and collects evidence about that uplink. Tests replace
//! the network with servers in memory.

use super::error::SinkError;
use super::reporter::SinkReporter;
use crate::transport::{ConnectionHealth, ConnectionMonitor};
use robocast_dial::{DialError, DialErrorKind, Link, Resolver, Roots, Server};
use robocast_video::clock::MonoTime;
use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// Connects to servers.
pub trait Network: Debug + Send + Sync {
    /// Connects to `server` through `uplink`, like [`Server::connect`].
    fn connect<'a>(
        &'a self,
        server: &'a Server,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Connecting<'a>;
}

/// A connection that is being made.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Connected, DialError>> + Send + 'a>>;

/// A connection to a server.
pub struct Connected {
    /// Its byte stream.
    pub stream: Box<dyn Duplex>,
    /// Its monitor, if it can be observed.
    pub monitor: io::Result<Box<dyn Observe>>,
}

/// A byte stream that a session uses.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Observes a connection.
pub trait Observe: Send {
    /// The connection's health now, if it is known.
    fn observe(&mut self, now: MonoTime) -> Option<ConnectionHealth>;
}

/// The kernel's own network.
#[derive(Debug)]
pub struct KernelNetwork {
    /// Resolves names.
    pub resolver: Resolver,
}

impl Network for KernelNetwork {
    fn connect<'a>(
        &'a self,
        server: &'a Server,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Connecting<'a> {
        Box::pin(async move {
            let stream = server.connect(&self.resolver, &Link::through(uplink), slow).await?;
            let monitor = ConnectionMonitor::over(&stream, uplink);
            let monitor = monitor.map(|monitor| Box::new(monitor) as Box<dyn Observe>);
            Ok(Connected { stream: Box::new(stream), monitor })
        })
    }
}

impl Observe for ConnectionMonitor {
    fn observe(&mut self, now: MonoTime) -> Option<ConnectionHealth> {
        self.look(now)
    }
}

/// How one session reaches its server.
pub struct Route<'a> {
    /// The trusted certificates.
    pub roots: &'a Roots,
    pub(super) network: &'a dyn Network,
    pub(super) server: &'a Server,
    pub(super) uplink: &'a str,
    pub(super) reporter: &'a SinkReporter,
}

impl Route<'_> {
    /// Opens a TCP connection to the server. Its success or failure is evidence about the uplink.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn tcp(&self) -> Result<Connected, SinkError> {
        let began = Instant::now();
        let slow = || self.reporter.unreachable(self.uplink, began.elapsed());
        match self.network.connect(self.server, self.uplink, &slow).await {
            Ok(connected) => {
                self.reporter.reachable(None);
                Ok(connected)
            }
            Err(error) => {
                match error.kind() {
                    DialErrorKind::Unreachable => self.reporter.unreachable(self.uplink, began.elapsed()),
                    // Something answered, so the uplink works. A name that is not found says nothing about it.
                    DialErrorKind::Refused => self.reporter.reachable(None),
                    DialErrorKind::NotFound | DialErrorKind::Tls | DialErrorKind::Broken => {}
                }
                Err(error.into())
            }
        }
    }
}
