//! The camera's end of its socket: each reader follows the [`Broadcast`] at its own pace.

use super::broadcast::Broadcast;
use super::wire::{self, Message, Request, SourceReport};
use bytes::BytesMut;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// One connection of a reader. No two connections of a camera's process have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(pub u64);

impl fmt::Display for ReaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reader {}", self.0)
    }
}

/// What the camera learns of its readers. The events of one reader keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderEvent {
    /// It asks for something.
    Asked(ReaderId, Request),
    /// It left: whatever it asked for holds no longer.
    Left(ReaderId),
}

/// A socket being served. Dropping it ends the service and every reader's connection.
#[derive(Debug)]
pub struct Served {
    readers: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

impl Served {
    /// How many readers are connected; changes can be awaited.
    #[must_use]
    pub fn readers(&self) -> watch::Receiver<usize> {
        self.readers.clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves `broadcast` and `reports` on the socket `path`. What readers ask for, and that they left, goes to
/// `events`.
///
/// A stale socket left by a camera that died is replaced.
///
/// # Errors
/// When the folder or the socket cannot be made.
pub fn serve(
    path: &Path,
    broadcast: Broadcast,
    reports: watch::Receiver<SourceReport>,
    events: mpsc::Sender<ReaderEvent>,
) -> io::Result<Served> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The group may read: push and camera run as different users on the box.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    let count = Arc::new(watch::Sender::new(0));
    let readers = count.subscribe();
    let accepting = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        let mut next = 0;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let reader = ReaderId(next);
                    next += 1;
                    let counted = CountedReader::new(count.clone());
                    let (events, broadcast, reports) = (events.clone(), broadcast.clone(), reports.clone());
                    connections.spawn(async move {
                        if let Err(error) = serve_reader(reader, stream, broadcast, reports, &events).await {
                            tracing::debug!(%error, %reader, "the connection of a reader failed");
                        }
                        drop(counted);
                        let _ = events.send(ReaderEvent::Left(reader)).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the camera's socket cannot accept a reader");
                    // Out of descriptors: give the others a chance to close.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(Served { readers, accepting })
}

/// Counts a reader for as long as it is connected.
struct CountedReader(Arc<watch::Sender<usize>>);

impl CountedReader {
    fn new(count: Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count)
    }
}

impl Drop for CountedReader {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

async fn serve_reader(
    reader: ReaderId,
    stream: UnixStream,
    broadcast: Broadcast,
    reports: watch::Receiver<SourceReport>,
    events: &mpsc::Sender<ReaderEvent>,
) -> io::Result<()> {
    let (incoming, outgoing) = stream.into_split();
    // Whichever direction ends first ends both.
    tokio::select! {
        done = send_units(outgoing, broadcast, reports) => done,
        done = receive_requests(reader, incoming, events) => done,
    }
}

async fn send_units(
    mut socket: OwnedWriteHalf,
    broadcast: Broadcast,
    mut reports: watch::Receiver<SourceReport>,
) -> io::Result<()> {
    let mut subscriber = broadcast.subscribe();
    reports.mark_changed();
    loop {
        tokio::select! {
            biased;
            Ok(()) = reports.changed() => {
                let report = wire::encode_report(&reports.borrow_and_update());
                socket.write_all(&report).await?;
            }
            (unit, skipped) = subscriber.next() => {
                if skipped > 0 {
                    tracing::warn!(skipped, "a slow reader was cut to the next keyframe");
                }
                let header = wire::unit_header(&unit);
                write_both(&mut socket, &header, &unit.data).await?;
            }
        }
    }
}

/// Writes both parts, in one system call when the socket has room.
async fn write_both(socket: &mut OwnedWriteHalf, header: &[u8], data: &[u8]) -> io::Result<()> {
    let written = socket.write_vectored(&[IoSlice::new(header), IoSlice::new(data)]).await?;
    if written < header.len() {
        socket.write_all(&header[written..]).await?;
        socket.write_all(data).await
    } else {
        socket.write_all(&data[written - header.len()..]).await
    }
}

async fn receive_requests(
    reader: ReaderId,
    mut socket: OwnedReadHalf,
    events: &mpsc::Sender<ReaderEvent>,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(256);
    loop {
        if socket.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(message) = wire::decode(&mut buffer).map_err(io::Error::other)? {
            if let Message::Request(request) = message {
                let _ = events.send(ReaderEvent::Asked(reader, request)).await;
            }
        }
    }
}
