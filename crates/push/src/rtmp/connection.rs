//! A session on a socket of our own.

use super::session::{Session, SessionError};
use crate::tls::{self, Tls, TlsError};
use crate::transport::{self, CachedResolver};
use nix::errno::Errno;
use robocast_config::RtmpTarget;
use robocast_video::h264::AccessUnit;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Each step towards a server may take this long: TCP, TLS, RTMP.
const STEP: Duration = Duration::from_secs(5);
/// A server that has not answered after so long lets one doubt the way: the first request and its
/// repetition after 1 s went unanswered.
const SLOW: Duration = Duration::from_millis(1500);

/// A server cannot be published to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its name is not known.
    #[error("cannot find `{0}`")]
    CachedResolver(String, #[source] io::Error),
    /// No TCP connection.
    #[error("cannot connect to {0}")]
    Tcp(SocketAddr, #[source] io::Error),
    /// A step took too long.
    #[error("no answer to the {0}")]
    Late(&'static str),
    /// TLS cannot be set up on our side.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The TLS handshake failed: most often a certificate that is not to be trusted.
    #[error("the server's certificate is not accepted")]
    Handshake(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// Nothing came through, and another uplink was chosen.
    #[error("nothing comes through {0}: given up for the uplink that was chosen instead")]
    Abandoned(String),
    /// The session is over.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ConnectError {
    /// Whether the server said no, so that trying again soon would only annoy it.
    #[must_use]
    pub fn refusal(&self) -> bool {
        match self {
            Self::Session(SessionError::Refused { .. }) | Self::Tls(_) => true,
            Self::Handshake(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
            _ => false,
        }
    }

    /// Whether the server seems to have our earlier session still.
    #[must_use]
    pub fn busy(&self) -> bool {
        matches!(self, Self::Session(SessionError::Busy(_)))
    }

    /// Whether no answer at all came on the way to the server, which speaks against the uplink.
    #[must_use]
    pub fn unreachable(&self) -> bool {
        use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, NotFound, TimedOut};
        let Self::Tcp(_, error) = self else { return false };
        // ENODEV, which has no kind of its own: the interface is not there.
        matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable | NotFound | TimedOut)
            || error.raw_os_error() == Some(Errno::ENODEV as i32)
    }
}

/// What a session runs over.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A publishing connection.
pub struct Connection {
    socket: Box<dyn Duplex>,
    session: Session,
    input: Vec<u8>,
    /// Bytes of the session that the socket has not taken yet.
    pending: Vec<u8>,
    written: usize,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes the session on a connection to the server (see [`reach`]), up to where it would ask to publish.
    ///
    /// # Errors
    /// When a step fails or takes too long.
    pub async fn open(target: RtmpTarget, tls: &Tls, tcp: Box<dyn Duplex>) -> Result<Self, ConnectError> {
        let socket: Box<dyn Duplex> = if target.tls {
            let name = tls::server_name(&target.host)?;
            let handshake = tls.connector()?.connect(name, tcp);
            let stream = tokio::time::timeout(STEP, handshake)
                .await
                .map_err(|_| ConnectError::Late("TLS handshake"))?;
            Box::new(stream.map_err(ConnectError::Handshake)?)
        } else {
            tcp
        };
        let session = Session::new(target, None)?.held();
        let mut connection = Self { socket, session, input: vec![0; 4096], pending: Vec::new(), written: 0 };
        connection.until(Session::connected).await?;
        Ok(connection)
    }

    /// Goes on until the server takes video. Times will make_monotonic over `after`.
    ///
    /// # Errors
    /// When the server says no, or takes too long.
    pub async fn publish(&mut self, after: Option<u32>) -> Result<(), ConnectError> {
        self.session.publish(after)?;
        self.until(Session::publishing).await
    }

    async fn until(&mut self, reached: impl Fn(&Session) -> bool) -> Result<(), ConnectError> {
        let way = async {
            while !reached(&self.session) {
                self.flush().await?;
                self.receive().await?;
            }
            self.flush().await
        };
        tokio::time::timeout(STEP, way).await.map_err(|_| ConnectError::Late("request to publish"))?
    }

    /// Queues a unit; it is on its way once [`Connection::flush`] is done.
    ///
    /// # Errors
    /// When it cannot be sent by RTMP at all.
    pub fn queue(&mut self, unit: &AccessUnit, ms: u32) -> Result<usize, ConnectError> {
        self.session.video(unit, ms)?;
        self.collect();
        Ok(self.pending.len() - self.written)
    }

    /// The time of the last unit queued, in ms.
    #[must_use]
    pub fn last_ms(&self) -> Option<u32> {
        self.session.last_ms()
    }

    /// Reads what the server sends and writes what is queued, until everything is written. Cancel safe.
    ///
    /// # Errors
    /// When the connection broke or the server ended the session.
    pub async fn flush(&mut self) -> Result<(), ConnectError> {
        self.collect();
        while self.written < self.pending.len() {
            let (mut reader, mut writer) = tokio::io::split(&mut self.socket);
            tokio::select! {
                biased;
                wrote = writer.write(&self.pending[self.written..]) => match wrote {
                    Ok(0) => return Err(ConnectError::Closed),
                    Ok(count) => self.written += count,
                    Err(error) => return Err(ConnectError::Broken(error)),
                },
                read = reader.read(&mut self.input) => {
                    let read = read.map_err(ConnectError::Broken)?;
                    self.came(read)?;
                }
            }
        }
        self.pending.clear();
        self.written = 0;
        self.socket.flush().await.map_err(ConnectError::Broken)
    }

    /// Waits for something from the server and acts on it. Cancel safe.
    ///
    /// # Errors
    /// When the connection broke or the server ended the session.
    pub async fn receive(&mut self) -> Result<(), ConnectError> {
        let read = self.socket.read(&mut self.input).await.map_err(ConnectError::Broken)?;
        self.came(read)
    }

    /// Says good-bye, and waits a moment for the server to hear it: then it has this session no longer.
    pub async fn close(mut self) {
        self.session.finish();
        let parting = async {
            self.flush().await.ok()?;
            self.socket.shutdown().await.ok()?;
            while self.socket.read(&mut self.input).await.ok()? > 0 {}
            Some(())
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), parting).await;
    }

    fn came(&mut self, count: usize) -> Result<(), ConnectError> {
        if count == 0 {
            return Err(ConnectError::Closed);
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

/// A connection to the server by way of `uplink` (empty: as the kernel routes). Calls `slow` when it takes
/// longer than a good way would.
///
/// # Errors
/// When the name is not known, or no address of it answers.
pub async fn reach(
    server: &CachedResolver,
    uplink: &str,
    slow: impl Fn(),
) -> Result<TcpStream, ConnectError> {
    let unknown = |error| ConnectError::CachedResolver(server.host().to_owned(), error);
    let mut last = unknown(io::ErrorKind::NotFound.into());
    for address in server.addresses().await.map_err(unknown)? {
        let connecting = tokio::time::timeout(STEP, transport::connect(address, uplink));
        tokio::pin!(connecting);
        let done = tokio::select! {
            done = &mut connecting => done,
            () = tokio::time::sleep(SLOW) => {
                slow();
                connecting.await
            }
        };
        match done {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = ConnectError::Tcp(address, error),
            Err(_) => last = ConnectError::Tcp(address, io::ErrorKind::TimedOut.into()),
        }
    }
    Err(last)
}
