//! What a sink has to do with the network, so that its tests can do without: they put a server in memory
//! in its place.

use crate::rtmp::{ConnectError, Duplex, reach};
use crate::transport::{CachedResolver, ConnectionHealth, ConnectionMonitor};
use robocast_video::clock::MonoTime;
use std::fmt::Debug;
use std::io;
use std::pin::Pin;

/// Leads to servers.
pub trait Network: Debug + Send + Sync {
    /// A connection to `server` by way of `uplink`, as [`reach`] makes it.
    fn reach<'a>(
        &'a self,
        server: &'a CachedResolver,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Reaching<'a>;
}

/// A connection that is being made.
pub type Reaching<'a> = Pin<Box<dyn Future<Output = Result<Line, ConnectError>> + Send + 'a>>;

/// A connection to a server.
pub struct Line {
    /// What it carries.
    pub socket: Box<dyn Duplex>,
    /// The watch over it, if it can be watched.
    pub watch: io::Result<Box<dyn Look>>,
}

/// The watch over a connection.
pub trait Look: Send {
    /// How it stands now, if that is known.
    fn look(&mut self, now: MonoTime) -> Option<ConnectionHealth>;
}

/// The kernel's own.
#[derive(Debug)]
pub struct Sockets;

impl Network for Sockets {
    fn reach<'a>(
        &'a self,
        server: &'a CachedResolver,
        uplink: &'a str,
        slow: &'a (dyn Fn() + Send + Sync),
    ) -> Reaching<'a> {
        Box::pin(async move {
            let socket = reach(server, uplink, slow).await?;
            let watch =
                ConnectionMonitor::over(&socket, uplink).map(|watch| Box::new(watch) as Box<dyn Look>);
            Ok(Line { socket: Box::new(socket), watch })
        })
    }
}

impl Look for ConnectionMonitor {
    fn look(&mut self, now: MonoTime) -> Option<ConnectionHealth> {
        self.look(now)
    }
}
