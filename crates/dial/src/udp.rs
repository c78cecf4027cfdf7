//! UDP sockets bound to an uplink.

use crate::link::Link;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// A socket that receives only the peer's datagrams, on a port that the kernel chooses.
///
/// # Errors
/// When there is no such interface, or no route to the peer through it.
pub async fn connect(peer: SocketAddr, link: &Link) -> io::Result<UdpSocket> {
    let own: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = bind(SocketAddr::new(own, 0), link)?;
    socket.connect(peer).await?;
    Ok(socket)
}

/// A socket on `own` that sends and receives only through the link.
///
/// # Errors
/// When there is no such interface, or the address is taken.
pub fn bind(own: SocketAddr, link: &Link) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(own), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(link.device())?;
    socket.set_nonblocking(true)?;
    socket.bind(&own.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use socket2::SockRef;

    #[tokio::test]
    async fn a_socket_is_bound_to_its_interface_and_receives_only_from_its_peer() {
        let (loopback, any) = (Link::through("lo"), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let peer = bind(any, &Link::default()).unwrap();
        let socket = connect(peer.local_addr().unwrap(), &loopback).await.unwrap();
        assert_eq!(SockRef::from(&socket).device().unwrap().as_deref(), Some(&b"lo"[..]));
        let stranger = bind(any, &Link::default()).unwrap();
        stranger.send_to(b"stranger", socket.local_addr().unwrap()).await.unwrap();
        peer.send_to(b"peer", socket.local_addr().unwrap()).await.unwrap();
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"peer");
    }

    #[tokio::test]
    async fn a_missing_interface_is_an_error() {
        let error = bind((Ipv4Addr::LOCALHOST, 0).into(), &Link::through("nowhere0")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENODEV as i32));
    }
}
