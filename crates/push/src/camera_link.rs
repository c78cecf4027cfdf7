//! The connection to the camera program's socket.

use robocast_daemon::backoff::Backoff;
use robocast_video::ipc::{CameraMessage, Reader, Request};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Connects to a camera.
pub trait CameraDoor {
    /// A connection to the camera.
    type Reader: CameraReader;
    /// Connects to the camera.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Reader>> + Send;
}

/// A camera's messages, and requests to it.
pub trait CameraReader {
    /// The next message. Cancel safe.
    fn next(&mut self) -> impl Future<Output = io::Result<CameraMessage>> + Send;
    /// Sends a request to the camera.
    fn ask(&mut self, request: Request) -> impl Future<Output = io::Result<()>> + Send;
}

impl CameraDoor for PathBuf {
    type Reader = Reader;

    async fn connect(&self) -> io::Result<Reader> {
        Reader::connect(self).await
    }
}

impl CameraReader for Reader {
    async fn next(&mut self) -> io::Result<CameraMessage> {
        self.next().await
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        self.ask(request).await
    }
}

/// The connection to the camera. It reconnects until it succeeds.
#[derive(Debug)]
pub struct CameraLink<D: CameraDoor> {
    camera: D,
    reader: Option<D::Reader>,
    backoff: Backoff,
    next_try: Instant,
}

impl<D: CameraDoor> CameraLink<D> {
    /// Not connected yet.
    pub fn new(camera: D) -> Self {
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(100));
        Self { camera, reader: None, backoff, next_try: Instant::now() }
    }

    /// The next message of the camera, even if its process was restarted meanwhile. Cancel safe.
    pub async fn next(&mut self) -> CameraMessage {
        loop {
            if let Some(reader) = &mut self.reader {
                match reader.next().await {
                    Ok(message) => {
                        self.backoff.reset();
                        return message;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the camera program is gone");
                        self.reader = None;
                        self.next_try = Instant::now();
                    }
                }
            }
            tokio::time::sleep_until(self.next_try).await;
            match self.camera.connect().await {
                Ok(reader) => self.reader = Some(reader),
                Err(_) => {
                    self.next_try = Instant::now() + self.backoff.next_wait().max(Duration::from_millis(5));
                }
            }
        }
    }

    /// Disconnects from the camera.
    pub fn leave(&mut self) {
        self.reader = None;
    }

    /// Sends a request to the camera if it is connected.
    pub async fn ask(&mut self, request: Request) {
        if let Some(reader) = &mut self.reader {
            let _ = reader.ask(request).await;
        }
    }
}
