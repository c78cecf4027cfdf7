//! A reader's end of the camera's socket.

use super::wire::{self, Message, Request, SourceReport};
use crate::h264::AccessUnit;
use bytes::BytesMut;
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What the camera sends.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraMessage {
    /// The next access unit; the first of a connection is a keyframe.
    Unit(AccessUnit),
    /// The state of the source changed.
    Report(SourceReport),
}

/// A connection to a camera.
#[derive(Debug)]
pub struct Reader {
    socket: UnixStream,
    buffer: BytesMut,
}

impl Reader {
    /// Connects to the camera's socket.
    ///
    /// # Errors
    /// When no camera serves there.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self { socket: UnixStream::connect(path).await?, buffer: BytesMut::with_capacity(64 << 10) })
    }

    /// The next message. Cancel safe.
    ///
    /// # Errors
    /// When the camera is gone (`UnexpectedEof`) or sends something else than the socket's protocol.
    pub async fn next(&mut self) -> io::Result<CameraMessage> {
        loop {
            match wire::decode(&mut self.buffer).map_err(io::Error::other)? {
                Some(Message::Unit(unit)) => return Ok(CameraMessage::Unit(unit)),
                Some(Message::Report(report)) => return Ok(CameraMessage::Report(report)),
                Some(Message::Request(_)) => {}
                None => {
                    if self.socket.read_buf(&mut self.buffer).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }

    /// Asks the camera for something.
    ///
    /// # Errors
    /// When the camera is gone.
    pub async fn ask(&mut self, request: Request) -> io::Result<()> {
        self.socket.write_all(&wire::encode_request(request)).await
    }
}
