//! Listens to the kernel on both sides: links, addresses, routes, and nftables. No polling.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use rtnetlink::MulticastGroup;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::namespace::Namespace;

/// Events that come closer together than this are one change.
const QUIET: Duration = Duration::from_millis(50);
/// A change is told at the latest so long after its first event, however many more come.
const BOUND: Duration = Duration::from_millis(500);

/// nftables' own group of netfilter's netlink.
const NFTABLES: u32 = 7;

/// Tells that something changed on a side. What it was, the facts tell.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Watch {
    /// Watches the box's own network and, when it is there, the robot's side.
    ///
    /// # Errors
    /// When a side cannot be entered or listened to.
    pub async fn open(outside: &Namespace, inside: Option<&Namespace>) -> io::Result<Self> {
        // One place is enough: who is woken asks for all there is.
        let (tell, events) = mpsc::channel(1);
        let mut tasks = vec![routes(outside, &[MulticastGroup::Link], tell.clone()).await?];
        if let Some(inside) = inside {
            const ALL: [MulticastGroup; 5] = [
                MulticastGroup::Link,
                MulticastGroup::Ipv4Ifaddr,
                MulticastGroup::Ipv6Ifaddr,
                MulticastGroup::Ipv4Route,
                MulticastGroup::Ipv6Route,
            ];
            tasks.push(routes(inside, &ALL, tell.clone()).await?);
            tasks.push(nftables(inside, tell).await?);
        }
        Ok(Self { events, tasks })
    }

    /// Waits for a change: from its first event until none came for 50 ms, or for 500 ms.
    pub async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        let bound = Instant::now() + BOUND;
        while let Ok(Some(())) = timeout_at(bound.min(Instant::now() + QUIET), self.events.recv()).await {}
    }
}

async fn routes(
    namespace: &Namespace,
    groups: &'static [MulticastGroup],
    tell: mpsc::Sender<()>,
) -> io::Result<JoinHandle<()>> {
    let (connection, _, mut messages) =
        namespace.run(move || rtnetlink::new_multicast_connection(groups)).await??;
    Ok(tokio::spawn(async move {
        let listen = async {
            // A message that was lost for want of room is told too.
            while messages.next().await.is_some() {
                let _ = tell.try_send(());
            }
        };
        tokio::join!(connection, listen);
    }))
}

async fn nftables(namespace: &Namespace, tell: mpsc::Sender<()>) -> io::Result<JoinHandle<()>> {
    let open = || {
        let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
        socket.socket_mut().bind(&SocketAddr::new(0, 1 << (NFTABLES - 1)))?;
        Ok::<_, io::Error>(socket)
    };
    let socket = namespace.run(open).await??;
    Ok(tokio::spawn(async move {
        loop {
            match socket.recv_from_full().await {
                Err(error) if error.raw_os_error() != Some(nix::libc::ENOBUFS) => {
                    tracing::warn!("nftables is not watched any more: {error}");
                    return;
                }
                _ => {
                    let _ = tell.try_send(());
                }
            }
        }
    }))
}
