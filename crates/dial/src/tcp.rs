//! TCP sockets bound to an uplink: MPTCP where both ends have it.

use crate::link::Link;
use crate::stats::tells_of_mptcp;
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Data unacknowledged for so long means that the path is gone (Linux: `TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// Enough for 13 Mbit/s over 300 ms; more would only hide a slow uplink in the kernel, where a unit
/// can no longer be skipped.
const SEND_BUFFER: usize = 256 << 10;

/// Whether this kernel refused MPTCP: it is not asked twice.
static WITHOUT_MPTCP: AtomicBool = AtomicBool::new(false);

/// Connects to `server` through `link`, as MPTCP where both ends speak it.
///
/// # Errors
/// When there is no such interface, no route to the server on it, or no answer.
pub async fn connect(server: SocketAddr, link: &Link) -> io::Result<TcpStream> {
    let socket = open(server)?;
    // By device: a source address alone leaves the choice of the uplink to the routes, and a mark takes
    // a capability (docs/decisions/0017).
    socket.bind_device(link.device())?;
    socket.set_nonblocking(true)?;
    tune(&SockRef::from(&socket))?;
    let stream = TcpSocket::from_std_stream(socket.into()).connect(server).await?;
    // What an MPTCP socket does not take, one that fell back to TCP does.
    tune(&SockRef::from(&stream))?;
    Ok(stream)
}

fn open(server: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(server);
    if !WITHOUT_MPTCP.load(Ordering::Relaxed) {
        match Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP)) {
            Ok(socket) if tells_of_mptcp(&socket) => return Ok(socket),
            Ok(_) => without_mptcp("Linux before 5.16 does not tell how an MPTCP connection is"),
            Err(error) if refused(&error) => without_mptcp(&error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

fn without_mptcp(why: &str) {
    WITHOUT_MPTCP.store(true, Ordering::Relaxed);
    tracing::info!("plain TCP, since this kernel has no MPTCP to offer: {why}");
}

/// Not built in, switched off (`net.mptcp.enabled`), or kept from us.
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

/// An option that this kernel's MPTCP does not know (`TCP_USER_TIMEOUT`, as of Linux 6.18) is done without:
/// the stall detector gives such a connection up.
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
    async fn a_server_without_mptcp_is_reached_by_tcp_over_the_interface_that_was_named() {
        let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        let stream = connect(address, &Link::through("lo")).await.unwrap();
        assert_eq!(SockRef::from(&stream).device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        assert!(stream.nodelay().unwrap());
        assert!(matches!(SocketStats::of(&stream).unwrap(), SocketStats::Tcp(_)), "it fell back");
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_an_error() {
        let error = connect((Ipv4Addr::LOCALHOST, 9).into(), &Link::through("nowhere0")).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENODEV as i32));
    }

    #[test]
    fn a_refusal_of_mptcp_is_told_from_other_trouble() {
        let is = |errno: Errno| refused(&io::Error::from_raw_os_error(errno as i32));
        assert!(is(Errno::EPROTONOSUPPORT) && is(Errno::ENOPROTOOPT) && is(Errno::EPERM));
        assert!(!is(Errno::EMFILE) && !is(Errno::ENETUNREACH));
    }
}
