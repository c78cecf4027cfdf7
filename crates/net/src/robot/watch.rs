//! Watches the kernel on both sides: links, addresses, routes, and nftables. No polling.

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

/// Events that follow each other within this time are one change.
const QUIET: Duration = Duration::from_millis(50);
/// A change is reported at the latest this long after its first event, however many more follow.
const BOUND: Duration = Duration::from_millis(500);

/// nftables' own group of netfilter's netlink.
const NFTABLES: u32 = 7;

/// Reports that something changed, but not what: that is observed afterwards.
#[derive(Debug)]
pub struct KernelWatch {
    events: mpsc::Receiver<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for KernelWatch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl KernelWatch {
    /// Watches the box's own network and, when it is there, the robot's side.
    ///
    /// # Errors
    /// When a side cannot be entered or listened to.
    pub async fn open(outside: &Namespace, inside: Option<&Namespace>) -> io::Result<Self> {
        // One place is enough: a woken task observes everything.
        let (sender, events) = mpsc::channel(1);
        let mut tasks = vec![watch_routes(outside, &[MulticastGroup::Link], sender.clone()).await?];
        if let Some(inside) = inside {
            const ALL: [MulticastGroup; 5] = [
                MulticastGroup::Link,
                MulticastGroup::Ipv4Ifaddr,
                MulticastGroup::Ipv6Ifaddr,
                MulticastGroup::Ipv4Route,
                MulticastGroup::Ipv6Route,
            ];
            tasks.push(watch_routes(inside, &ALL, sender.clone()).await?);
            tasks.push(watch_nftables(inside, sender).await?);
        }
        Ok(Self { events, tasks })
    }

    /// Waits for a change: from its first event until there was none for 50 ms, or until 500 ms have passed.
    pub async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        let bound = Instant::now() + BOUND;
        while let Ok(Some(())) = timeout_at(bound.min(Instant::now() + QUIET), self.events.recv()).await {}
    }
}

async fn watch_routes(
    namespace: &Namespace,
    groups: &'static [MulticastGroup],
    sender: mpsc::Sender<()>,
) -> io::Result<JoinHandle<()>> {
    let (connection, _, mut messages) =
        namespace.run(move || rtnetlink::new_multicast_connection(groups)).await??;
    Ok(tokio::spawn(async move {
        let listen = async {
            // A lost message (no buffer space) is reported as an event too.
            while messages.next().await.is_some() {
                let _ = sender.try_send(());
            }
        };
        tokio::join!(connection, listen);
    }))
}

async fn watch_nftables(namespace: &Namespace, sender: mpsc::Sender<()>) -> io::Result<JoinHandle<()>> {
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
                    tracing::warn!("nftables is no longer watched: {error}");
                    return;
                }
                _ => {
                    let _ = sender.try_send(());
                }
            }
        }
    }))
}
