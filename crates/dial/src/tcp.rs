//! TCP sockets bound to an uplink, with MPTCP if both ends support it.

use crate::link::Link;
use crate::stats::reports_mptcp;
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// If data is unacknowledged for this long, the path is gone (Linux: `TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// Enough for 13 Mbit/s at an RTT of 300 ms. A larger buffer would only hide a slow uplink in the kernel, where units can no
/// longer be skipped.
const SEND_BUFFER: usize = 256 << 10;

/// Whether this kernel refused MPTCP: then it is not tried again.
static WITHOUT_MPTCP: AtomicBool = AtomicBool::new(false);

/// Connects to `server` through `link`, with MPTCP if both ends support it.
///
/// # Errors
/// When there is no such interface, no route to the server on it, or no answer.
pub async fn connect(server: SocketAddr, link: &Link) -> io::Result<TcpStream> {
    let socket = open(server)?;
    // Bound to the device: with only a source address the routes would choose the uplink, and a mark needs a
    // capability (docs/decisions/0017).
    socket.bind_device(link.device())?;
    socket.set_nonblocking(true)?;
    tune(&SockRef::from(&socket))?;
    let stream = TcpSocket::from_std_stream(socket.into()).connect(server).await?;
    // Options that an MPTCP socket rejects are accepted by one that fell back to TCP.
    tune(&SockRef::from(&stream))?;
    Ok(stream)
}

fn open(server: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(server);
    if !WITHOUT_MPTCP.load(Ordering::Relaxed) {
        match Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP)) {
            Ok(socket) if reports_mptcp(&socket) => return Ok(socket),
            Ok(_) => without_mptcp("Linux before 5.16 does not report on MPTCP connections"),
            Err(error) if refused(&error) => without_mptcp(&error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

fn without_mptcp(why: &str) {
    WITHOUT_MPTCP.store(true, Ordering::Relaxed);
    tracing::info!("using plain TCP, because this kernel does not offer MPTCP: {why}");
}

/// MPTCP is not built in, switched off (`net.mptcp.enabled`), or not permitted.
fn refused(error: &io::Error) -> bool {
    let refusals = [
        Errno::EPROTONOSUPPORT,
        Errno::ENOPROTOOPT,
        Errno::EPERM,
        Errno::EACCES,
        Errno::EINVAL,
        Errno::ESOCKTNOSUPPORT,
    ];
    errno(error).is_some_and(|errno| refusals.contains(&errno))
}

fn tune(socket: &SockRef<'_>) -> io::Result<()> {
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    if_known(socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)))?;
    if_known(socket.set_tcp_keepalive(&keepalive))
}

/// Ignores the error if this kernel's MPTCP does not know the option (`TCP_USER_TIMEOUT`, as of Linux 6.18): the stall
/// detector abandons such a connection instead.
fn if_known(set: io::Result<()>) -> io::Result<()> {
    match set {
        Err(error) if matches!(errno(&error), Some(Errno::ENOPROTOOPT | Errno::EOPNOTSUPP)) => Ok(()),
        set => set,
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::SocketStats;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_server_without_mptcp_is_reached_by_tcp_through_the_given_interface() {
        let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        let stream = connect(address, &Link::through("lo")).await.unwrap();
        assert_eq!(SockRef::from(&stream).device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        assert!(stream.nodelay().unwrap());
        assert!(matches!(SocketStats::of(&stream).unwrap(), SocketStats::Tcp(_)), "it fell back");
    }

    #[tokio::test]
    async fn a_missing_interface_is_an_error() {
        let error = connect((Ipv4Addr::LOCALHOST, 9).into(), &Link::through("nowhere0")).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENODEV as i32));
    }

    #[test]
    fn a_refusal_of_mptcp_differs_from_other_errors() {
        let is = |errno: Errno| refused(&io::Error::from_raw_os_error(errno as i32));
        assert!(is(Errno::EPROTONOSUPPORT) && is(Errno::ENOPROTOOPT) && is(Errno::EPERM));
        assert!(!is(Errno::EMFILE) && !is(Errno::ENETUNREACH));
    }
}
