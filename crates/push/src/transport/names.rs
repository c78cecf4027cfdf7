//! A server's addresses by its name. The name server may stand behind the very uplink that was lost, and a lookup then
//! waits for longer than it takes to go over to another: the addresses that the name had serve meanwhile.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A name server that answers at all has answered by then.
const PATIENCE: Duration = Duration::from_millis(800);
/// Without an address from before there is nothing to do but wait.
const LONGEST: Duration = Duration::from_secs(5);

/// A server's name, and the addresses that it had at last.
#[derive(Debug)]
pub struct CachedResolver {
    host: String,
    port: u16,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    /// That they serve in place of an answer was said.
    said: bool,
}

impl CachedResolver {
    /// A host as a URL has it, an IPv6 address in brackets.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { host, port, known: Mutex::default() }
    }

    /// The name itself.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its addresses; those that it had where no name server answers in time.
    ///
    /// # Errors
    /// When it is not known, and never was.
    pub async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let asked = async { Ok(tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect()) };
        self.answered(asked).await
    }

    async fn answered(
        &self,
        asked: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let known = self.known().clone();
        let longest = if known.addresses.is_empty() { LONGEST } else { PATIENCE };
        let found = tokio::time::timeout(longest, asked)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let why = match found {
            Ok(found) if !found.is_empty() => {
                *self.known() = Known { addresses: found.clone(), said: false };
                return Ok(found);
            }
            Ok(_) => io::ErrorKind::NotFound.into(),
            Err(error) => error,
        };
        if known.addresses.is_empty() {
            return Err(why);
        }
        if !known.said {
            tracing::info!("{} is not found now ({why}): its address of before serves", self.host);
            self.known().said = true;
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

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn silent() -> impl Future<Output = io::Result<Vec<SocketAddr>>> {
        pending()
    }

    #[tokio::test]
    async fn a_name_server_that_is_silent_holds_nothing_up_once_the_name_was_known() {
        let name = CachedResolver::new("live.example.net", 1935);
        let first = addresses(&["203.0.113.10:1935", "[2001:db8::1]:1935"]);
        assert_eq!(name.answered(ready(Ok(first.clone()))).await.unwrap(), first);
        let began = tokio::time::Instant::now();
        assert_eq!(name.answered(silent()).await.unwrap(), first);
        assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
        let refused = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(name.answered(ready(Err(refused))).await.unwrap(), first);
        assert_eq!(name.answered(ready(Ok(Vec::new()))).await.unwrap(), first);
        // Another answer is believed, and kept.
        let moved = addresses(&["203.0.113.11:1935"]);
        assert_eq!(name.answered(ready(Ok(moved.clone()))).await.unwrap(), moved);
        assert_eq!(name.answered(silent()).await.unwrap(), moved);
    }

    #[tokio::test]
    async fn an_address_is_its_own_name() {
        assert_eq!(CachedResolver::new("[::1]", 1935).addresses().await.unwrap(), addresses(&["[::1]:1935"]));
        let unknown = CachedResolver::new("", 1935);
        assert!(unknown.answered(ready(Ok(Vec::new()))).await.is_err());
    }
}
