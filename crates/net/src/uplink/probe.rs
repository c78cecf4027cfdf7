//! What is asked through an uplink on which nothing flows: whether a login page stands in the way, and whether a server of the
//! streams takes a connection. Sockets are bound to the uplink's interface.

use crate::uplink::evidence::Probed;
use crate::uplink::resolver;
use crate::uplink::wanted::Target;
use robocast_config::Url;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// Whoever does not answer within this is not there.
const PATIENCE: Duration = Duration::from_secs(4);
/// The head of an answer that is looked at.
const HEAD: usize = 4096;

/// An uplink, as far as a socket needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its interface.
    pub interface: String,
    /// Its name servers.
    pub dns: Vec<IpAddr>,
    /// Whether each byte costs.
    pub metered: bool,
}

/// How long until an uplink is asked again: after 5 s, then ever slower up to a minute, where it costs up to five.
#[must_use]
pub fn pause(asked: u32, metered: bool) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    let cap = Duration::from_secs(if metered { 300 } else { 60 });
    FIRST.saturating_mul(1 << (asked / 6).min(8)).min(cap)
}

/// Asks; none when the settings name nothing that could be asked.
pub async fn ask(way: &Way, targets: &[Target], page: Option<&Url>) -> Option<Probed> {
    let result = match (targets, page) {
        ([], None) => return None,
        _ => asked(way, targets, page).await,
    };
    Some(Probed { interface: way.interface.clone(), result })
}

async fn asked(way: &Way, targets: &[Target], page: Option<&Url>) -> Result<Duration, String> {
    let page_took = match (page, targets.first()) {
        (Some(page), _) => {
            let host = page.host_str().unwrap_or_default();
            let port = page.port_or_known_default().unwrap_or(80);
            Some(get(way, host, port, page.path(), true).await?)
        }
        // The server's own host: what answers there is its own business, unless it sends one elsewhere to log in.
        (None, Some(target)) => match get(way, &target.host, 80, "/", false).await {
            Err(why) if is_login(&why) => return Err(why),
            other => other.ok(),
        },
        (None, None) => None,
    };
    let mut trouble = None;
    for target in targets {
        let began = Instant::now();
        let tried = match target.port {
            Some(port) => connect(way, &target.host, port).await.map(|_| ()),
            // Over UDP only its own protocol would answer: that its name is known must do.
            None => resolver::lookup(way, &target.host).await.map(|_| ()),
        };
        match tried {
            Ok(()) => return Ok(began.elapsed()),
            Err(error) => trouble = trouble.or(Some(format!("{} is not reached: {error}", target.host))),
        }
    }
    match trouble {
        Some(trouble) => Err(trouble),
        None => page_took.ok_or_else(|| "nothing answers".into()),
    }
}

/// How the words for a login page begin.
const LOGIN: &str = "a login page stands in the way";

/// A plain GET. With `strict` any answer but 200 and 204 is a login page; else only one that leads to another host.
async fn get(way: &Way, host: &str, port: u16, path: &str, strict: bool) -> Result<Duration, String> {
    let began = Instant::now();
    let unreached = |error: io::Error| format!("{host} is not reached: {error}");
    let mut stream = connect(way, host, port).await.map_err(unreached)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: robocast\r\nConnection: close\r\n\r\n");
    let head = timeout(PATIENCE, async {
        stream.write_all(request.as_bytes()).await?;
        head(&mut stream).await
    });
    let head = head.await.map_err(|_| format!("{host} takes a connection and is silent"))?;
    let took = began.elapsed();
    match judge(&head.map_err(unreached)?, host, strict) {
        Verdict::Free => Ok(took),
        Verdict::Login(to) => Err(login(&to)),
        Verdict::Noise => Err(format!("{host} answers something that is not HTTP")),
    }
}

/// Whether what is wrong is a login page.
#[must_use]
pub fn is_login(why: &str) -> bool {
    why.starts_with(LOGIN)
}

fn login(to: &str) -> String {
    let at = if to.is_empty() { String::new() } else { format!(" ({to})") };
    format!("{LOGIN}{at}: this network wants a person; have the box's address let through, or use another")
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Free,
    /// Somebody wants a login, at this host.
    Login(String),
    Noise,
}

fn judge(head: &[u8], host: &str, strict: bool) -> Verdict {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    // What is whole of it counts.
    let parsed = response.parse(head);
    let (Ok(_) | Err(httparse::Error::TooManyHeaders), Some(code)) = (parsed, response.code) else {
        return Verdict::Noise;
    };
    let location = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
    let location = location.map(|header| String::from_utf8_lossy(header.value).into_owned());
    let to = location.as_deref().and_then(|to| Url::parse(to).ok()?.host_str().map(str::to_owned));
    match code {
        // Network Authentication Required (RFC 6585, 6)
        511 => Verdict::Login(to.unwrap_or_default()),
        300..=399 => match to {
            Some(to) if strict || !related(&to, host) => Verdict::Login(to),
            _ if strict => Verdict::Login(String::new()),
            _ => Verdict::Free,
        },
        200 | 204 => Verdict::Free,
        _ if strict => Verdict::Login(String::new()),
        _ => Verdict::Free,
    }
}

/// Whether two hosts are of one house: the same, or one within the other.
fn related(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    a == b || a.ends_with(&format!(".{b}")) || b.ends_with(&format!(".{a}"))
}

async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < HEAD && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(head)
}

/// A connection through one uplink, to the first of the host's addresses that takes one.
///
/// # Errors
/// When the name is not known there, or nobody takes the connection.
pub async fn connect(way: &Way, host: &str, port: u16) -> io::Result<TcpStream> {
    let mut trouble = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in resolver::lookup(way, host).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind_device(Some(way.interface.as_bytes()))?;
        match timeout(PATIENCE, socket.connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => trouble = error,
            Err(_) => trouble = io::Error::new(io::ErrorKind::TimedOut, "no answer within 4 s"),
        }
    }
    Err(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_leads_elsewhere_is_a_login_page() {
        let login = |to: &str| Verdict::Login(to.to_owned());
        let table = [
            ("HTTP/1.1 204 No Content\r\n\r\n", true, Verdict::Free),
            ("HTTP/1.1 200 OK\r\n\r\nhello", true, Verdict::Free),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/?u=1\r\n\r\n",
                true,
                login("login.hotel.example"),
            ),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://login.hotel.example/\r\n\r\n",
                false,
                login("login.hotel.example"),
            ),
            ("HTTP/1.1 301 Moved\r\nLocation: https://live.example.net/\r\n\r\n", false, Verdict::Free),
            ("HTTP/1.1 301 Moved\r\nLocation: https://www.live.example.net/\r\n\r\n", false, Verdict::Free),
            ("HTTP/1.1 302 Found\r\nLocation: /index.html\r\n\r\n", false, Verdict::Free),
            ("HTTP/1.1 511 Network Authentication Required\r\n\r\n", false, login("")),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false, Verdict::Free),
            ("HTTP/1.1 404 Not Found\r\n\r\n", true, login("")),
            ("SSH-2.0-OpenSSH_9.2\r\n", false, Verdict::Noise),
            ("", true, Verdict::Noise),
        ];
        for (answer, strict, verdict) in table {
            assert_eq!(judge(answer.as_bytes(), "live.example.net", strict), verdict, "{answer}");
        }
    }

    #[test]
    fn an_uplink_is_asked_ever_slower_and_less_where_it_costs() {
        let waits: Vec<_> = [0, 5, 6, 12, 18, 24, 60].map(|n| pause(n, false).as_secs()).into();
        assert_eq!(waits, [5, 5, 10, 20, 40, 60, 60]);
        assert_eq!(pause(60, true).as_secs(), 300);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer: Vec<u8>, strict: bool) {
            let _ = judge(&answer, "h", strict);
        }
    }
}
