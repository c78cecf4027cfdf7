//! A server's name and its last known addresses. DNS may be unreachable through the uplink that just failed, and a lookup
//! would delay the failover: until DNS answers again, the last known addresses are used.

use crate::error::DialError;
use crate::link::Link;
use crate::resolver::Resolver;
use crate::tcp;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// A name server that has not answered by then will not answer.
const PATIENCE: Duration = Duration::from_millis(800);
/// Without a known address, only waiting helps.
const LONGEST: Duration = Duration::from_secs(5);
/// A TCP connection that is not established by then will not be.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that has not answered by then casts doubt on the uplink: the first SYN and its retransmission after 1 s were not
/// answered.
const SLOW: Duration = Duration::from_millis(1500);

/// A server's name and port, and its last known addresses.
#[derive(Debug)]
pub struct Server {
    host: String,
    port: u16,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    addresses: Vec<IpAddr>,
    /// Whether it was logged that they are used instead of an answer.
    logged: bool,
}

impl Server {
    /// `host` is a name or an address; an IPv6 address may have brackets.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.trim_matches(['[', ']']).to_owned(), port, known: Mutex::default() }
    }

    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's addresses, or the last known ones if no name server answers in time.
    ///
    /// # Errors
    /// When the name is not found and has no last known address.
    pub async fn addresses(&self, resolver: &Resolver, link: &Link) -> Result<Vec<SocketAddr>, DialError> {
        let found = self.answer_or_known(resolver.lookup(&self.host, link)).await;
        let found = found.map_err(|error| DialError::Name(self.host.clone(), error))?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, self.port)).collect())
    }

    /// Opens a TCP connection through `link` to the first address that accepts one. Calls `slow` if that takes longer than a
    /// good uplink needs.
    ///
    /// # Errors
    /// When the name is not found, or no address accepts the connection; then the error of the last address is returned.
    pub async fn connect(
        &self,
        resolver: &Resolver,
        link: &Link,
        slow: impl Fn(),
    ) -> Result<TcpStream, DialError> {
        let mut last = DialError::Name(self.host.clone(), io::ErrorKind::NotFound.into());
        for address in self.addresses(resolver, link).await? {
            let connecting = tokio::time::timeout(CONNECT, tcp::connect(address, link));
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
                Ok(Err(error)) => last = DialError::Tcp(address, error),
                Err(_) => last = DialError::Tcp(address, io::ErrorKind::TimedOut.into()),
            }
        }
        Err(last)
    }

    async fn answer_or_known(
        &self,
        lookup: impl Future<Output = io::Result<Vec<IpAddr>>>,
    ) -> io::Result<Vec<IpAddr>> {
        let known = self.known().clone();
        let longest = if known.addresses.is_empty() { LONGEST } else { PATIENCE };
        let found = tokio::time::timeout(longest, lookup)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let why = match found {
            Ok(found) if !found.is_empty() => {
                *self.known() = Known { addresses: found.clone(), logged: false };
                return Ok(found);
            }
            Ok(_) => io::ErrorKind::NotFound.into(),
            Err(error) => error,
        };
        if known.addresses.is_empty() {
            return Err(why);
        }
        if !known.logged {
            tracing::info!("cannot find {} now ({why}): using its last known address", self.host);
            self.known().logged = true;
        }
        Ok(known.addresses)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    // Helpers of tests panic as tests do.
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::future::{pending, ready};
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn silent() -> impl Future<Output = io::Result<Vec<IpAddr>>> {
        pending()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_delays_nothing_if_an_address_is_known() {
        let server = Server::new("live.example.net", 1935);
        let first = addresses(&["203.0.113.10", "2001:db8::1"]);
        assert_eq!(server.answer_or_known(ready(Ok(first.clone()))).await.unwrap(), first);
        let began = tokio::time::Instant::now();
        assert_eq!(server.answer_or_known(silent()).await.unwrap(), first);
        assert!(began.elapsed() <= PATIENCE + Duration::from_millis(1), "{:?}", began.elapsed());
        let refused = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(server.answer_or_known(ready(Err(refused))).await.unwrap(), first);
        assert_eq!(server.answer_or_known(ready(Ok(Vec::new()))).await.unwrap(), first);
        // A new answer is used and remembered.
        let moved = addresses(&["203.0.113.11"]);
        assert_eq!(server.answer_or_known(ready(Ok(moved.clone()))).await.unwrap(), moved);
        assert_eq!(server.answer_or_known(silent()).await.unwrap(), moved);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_without_a_known_address_is_waited_for_and_is_then_an_error() {
        let unknown = Server::new("live.example.net", 1935);
        let began = tokio::time::Instant::now();
        assert_eq!(unknown.answer_or_known(silent()).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= LONGEST);
        assert!(unknown.answer_or_known(ready(Ok(Vec::new()))).await.is_err());
    }

    #[tokio::test]
    async fn a_server_is_reached_by_its_address_and_a_refusal_is_not_silence() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (resolver, link, slow) = (Resolver::without_bus(), Link::default(), AtomicU32::new(0));
        let server = Server::new("127.0.0.1", at.port());
        let count = || {
            slow.fetch_add(1, Ordering::Relaxed);
        };
        let stream = server.connect(&resolver, &link, count).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), at);
        drop(listener);
        let error = server.connect(&resolver, &link, count).await.unwrap_err();
        assert_eq!(error.kind(), crate::DialErrorKind::Refused, "{error:?}");
        let nowhere = server.connect(&resolver, &Link::through("nowhere0"), count).await.unwrap_err();
        assert_eq!(nowhere.kind(), crate::DialErrorKind::Unreachable, "{nowhere:?}");
        assert_eq!(
            Server::new("[::1]", 1).addresses(&resolver, &link).await.unwrap(),
            ["[::1]:1".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn the_next_address_of_a_name_is_tried_when_one_refuses() {
        // `localhost` is ::1 and 127.0.0.1 on most systems, and here only one of them listens.
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let server = Server::new("localhost", at.port());
        server.known().addresses = addresses(&["127.0.0.9", "127.0.0.1"]);
        // No name server answers: both known addresses are used, in their order.
        let link = Link { interface: String::new(), name_servers: Some(Vec::new()) };
        let stream = server.connect(&Resolver::without_bus(), &link, || {}).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), at);
    }
}
