//! A plain HTTP GET through one uplink: `get(url, egress)`. Only the head of the answer is read.

use crate::uplink::connect::{self, PATIENCE, ReachError};
use crate::uplink::egress::Egress;
use robocast_config::Url;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// The longest head that is read.
const LIMIT: usize = 4096;

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHead {
    /// The status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// How long it took, from the connection's first packet.
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The host is not reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// It accepts a connection and does not answer.
    #[error("it accepts a connection and does not answer")]
    Silent,
    /// It answers something else.
    #[error("it answers something that is not HTTP")]
    NotHttp,
}

/// Asks for a page.
///
/// # Errors
/// When there is no answer, or none of HTTP.
pub async fn get(url: &Url, egress: &Egress) -> Result<HttpHead, PageError> {
    let began = Instant::now();
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = connect::connect(bare, url.port_or_known_default().unwrap_or(80), egress).await?;
    let path = url.path();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: robocast\r\nConnection: close\r\n\r\n");
    let exchange = timeout(PATIENCE, async {
        stream.write_all(request.as_bytes()).await?;
        read_head(&mut stream).await
    });
    let head = exchange.await.map_err(|_| PageError::Silent)?.map_err(ReachError::from)?;
    let (status, location) = parse_head(&head).ok_or(PageError::NotHttp)?;
    Ok(HttpHead { status, location, took: began.elapsed() })
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < LIMIT && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(head)
}

/// The status and the `Location` header; none of what is not HTTP. An incomplete head counts as far as it goes.
#[must_use]
pub fn parse_head(head: &[u8]) -> Option<(u16, Option<String>)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head);
    let (Ok(_) | Err(httparse::Error::TooManyHeaders), Some(code)) = (parsed, response.code) else {
        return None;
    };
    let location = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
    Some((code, location.map(|header| String::from_utf8_lossy(header.value).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_far_as_it_goes() {
        let location = Some("http://login.example/".to_owned());
        for (head, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Some((204, None))),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://login.example/\r\n\r\nbody",
                Some((302, location.clone())),
            ),
            (
                "HTTP/1.1 302 Found\r\nLOCATION: http://login.example/\r\nServer: cut of",
                Some((302, location)),
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", None),
            ("", None),
        ] {
            assert_eq!(parse_head(head.as_bytes()), expected, "{head}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_silent_refuses_or_talks_nonsense_is_told_apart() {
        let egress = Egress { interface: "lo".into(), dns: Vec::new(), metered: false };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/page", listener.local_addr().unwrap())).unwrap();
        let server = async |answer: &[u8]| {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut question = [0; 256];
            let length = peer.read(&mut question).await.unwrap();
            assert!(question[..length].starts_with(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
            peer.write_all(answer).await.unwrap();
        };
        let (told, ()) = tokio::join!(get(&url, &egress), server(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert_eq!(told.map(|head| head.status), Ok(200));
        let (told, ()) = tokio::join!(get(&url, &egress), server(b"SSH-2.0\r\n"));
        assert_eq!(told, Err(PageError::NotHttp));
        drop(listener);
        let refused = get(&url, &egress).await.unwrap_err();
        let kind = io::ErrorKind::ConnectionRefused;
        assert!(
            matches!(&refused, PageError::Reach(ReachError::Io { kind: told, .. }) if *told == kind),
            "{refused}"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer: Vec<u8>) {
            let _ = parse_head(&answer);
        }
    }
}
