//! The DHCP server's socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use robocast_config::Cidr;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::pool::DhcpPool;
use crate::robot::namespace::Namespace;

/// A server on one interface. It stops when dropped.
#[derive(Debug)]
pub struct DhcpServer {
    task: JoinHandle<()>,
}

impl Drop for DhcpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl DhcpServer {
    /// Starts to offer the addresses that follow the box's own.
    ///
    /// # Errors
    /// When no addresses follow, or another program serves there.
    pub async fn start(namespace: &Namespace, interface: &str, own: Cidr) -> io::Result<Self> {
        let room = || io::Error::other(format!("{own} leaves no addresses to offer"));
        let mut pool = DhcpPool::after(own).ok_or_else(room)?;
        let name = interface.to_owned();
        let socket = namespace.run(move || open_socket(&name)).await??;
        let task = tokio::spawn(async move {
            let mut datagram = vec![0; 1500];
            loop {
                match socket.recv_from(&mut datagram).await {
                    Ok((length, _)) => {
                        if let Some((bytes, to)) = pool.answer(&datagram[..length], Instant::now())
                            && let Err(error) = socket.send_to(&bytes, to).await
                        {
                            tracing::debug!("DHCP server: no answer to {to}: {error}");
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => {
                        tracing::warn!("the DHCP server ends: {error}");
                        return;
                    }
                }
            }
        });
        Ok(Self { task })
    }

    /// Whether it is still running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

fn open_socket(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 67).into())?;
    UdpSocket::from_std(socket.into())
}
