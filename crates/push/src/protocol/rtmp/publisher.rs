//! A publishing session on a connection.

use super::error::RtmpError;
use super::session::Session;
use crate::sink::{Connected, Duplex, Prepared, Publisher, Route, SinkError};
use robocast_config::RtmpTarget;
use robocast_video::h264::AccessUnit;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Each step of the session may take this long.
const STEP: Duration = Duration::from_secs(5);
/// How long to wait for the server when a session ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Publishes one stream over RTMP.
pub struct RtmpPublisher {
    socket: Box<dyn Duplex>,
    session: Session,
    input: Vec<u8>,
    /// Bytes of the session that the socket has not taken yet.
    pending: Vec<u8>,
    written: usize,
}

impl std::fmt::Debug for RtmpPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtmpPublisher").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Publisher for RtmpPublisher {
    type Target = RtmpTarget;

    async fn prepare(target: &RtmpTarget, route: &Route<'_>) -> Result<Prepared<Self>, SinkError> {
        let Connected { stream, monitor } = route.tcp().await?;
        let socket: Box<dyn Duplex> =
            if target.tls { Box::new(route.roots.handshake(&target.host, stream).await?) } else { stream };
        let session = Session::new(target.clone()).map_err(RtmpError::from)?;
        let mut publisher = Self { socket, session, input: vec![0; 4096], pending: Vec::new(), written: 0 };
        publisher.until(Session::connected).await?;
        Ok(Prepared { publisher, monitor })
    }

    async fn publish(&mut self, after: Option<Duration>) -> Result<(), SinkError> {
        self.session.publish(after).map_err(RtmpError::from)?;
        Ok(self.until(Session::publishing).await?)
    }

    fn queue(&mut self, unit: &AccessUnit, at: Duration) -> Result<usize, SinkError> {
        self.session.video(unit, at).map_err(RtmpError::from)?;
        self.collect();
        Ok(self.pending.len() - self.written)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(self.write_pending().await?)
    }

    async fn serve(&mut self) -> Result<(), SinkError> {
        self.receive().await?;
        Ok(self.write_pending().await?)
    }

    fn last_time(&self) -> Option<Duration> {
        self.session.last_time()
    }

    async fn close(mut self) {
        self.session.finish();
        let farewell = async {
            self.write_pending().await.ok()?;
            self.socket.shutdown().await.ok()?;
            // When the server closes its side, it has ended the session.
            while self.socket.read(&mut self.input).await.ok()? > 0 {}
            Some(())
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

impl RtmpPublisher {
    async fn until(&mut self, reached: impl Fn(&Session) -> bool) -> Result<(), RtmpError> {
        let steps = async {
            while !reached(&self.session) {
                self.write_pending().await?;
                self.receive().await?;
            }
            self.write_pending().await
        };
        tokio::time::timeout(STEP, steps).await.map_err(|_| RtmpError::Late)?
    }

    /// Writes the queued bytes, and reads what the server sends meanwhile. Cancel safe.
    async fn write_pending(&mut self) -> Result<(), RtmpError> {
        self.collect();
        while self.written < self.pending.len() {
            let (mut reader, mut writer) = tokio::io::split(&mut self.socket);
            tokio::select! {
                biased;
                wrote = writer.write(&self.pending[self.written..]) => match wrote {
                    Ok(0) => return Err(RtmpError::Closed),
                    Ok(count) => self.written += count,
                    Err(error) => return Err(RtmpError::Broken(error)),
                },
                read = reader.read(&mut self.input) => {
                    let read = read.map_err(RtmpError::Broken)?;
                    self.take_input(read)?;
                }
            }
        }
        self.pending.clear();
        self.written = 0;
        self.socket.flush().await.map_err(RtmpError::Broken)
    }

    /// Waits for bytes from the server. Cancel safe.
    async fn receive(&mut self) -> Result<(), RtmpError> {
        let read = self.socket.read(&mut self.input).await.map_err(RtmpError::Broken)?;
        self.take_input(read)
    }

    fn take_input(&mut self, count: usize) -> Result<(), RtmpError> {
        if count == 0 {
            return Err(RtmpError::Closed);
        }
        self.session.input(&self.input[..count])?;
        self.collect();
        Ok(())
    }

    fn collect(&mut self) {
        let more = self.session.take_output();
        if self.pending.is_empty() {
            self.pending = more;
        } else {
            self.pending.extend(more);
        }
    }
}
