//! Asks the robot's DHCP server for an address. The protocol is mozim's (discover, request, renew, rebind, expire); here
//! is what is made of its leases.

use std::net::IpAddr;
use std::time::Duration;

use mozim::{DhcpV4Client, DhcpV4Config, DhcpV4Lease, DhcpV4State};
use robocast_config::Cidr;
use robocast_daemon::backoff::Backoff;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::lease::{Offer, judge};
use crate::robot::namespace::Namespace;

/// How long a server may take to give an address, before it is asked from the start again: one that refuses says nothing
/// that the library hears.
const PATIENCE: Duration = Duration::from_secs(20);

/// Subnet mask, lease time, renewal and rebinding time: all that is asked for.
const ASKED: [u8; 4] = [1, 51, 58, 59];

/// The state of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Nobody answered yet.
    Asking,
    /// Nobody was asked yet; this address was there when asking began, as a lease of an earlier run.
    Kept(Cidr),
    /// An address, while it is ours.
    Held(Cidr),
    /// A server's offer is refused, for this reason; it is asked again.
    Refused(String),
}

/// A client on one interface. Dropped, it stops; the lease runs out by itself.
#[derive(Debug)]
pub struct Client {
    word: watch::Receiver<Word>,
    _stop: oneshot::Sender<()>,
}

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The interface.
    pub interface: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The robot's address, which is nobody else's.
    pub robot: Option<IpAddr>,
}

impl Client {
    /// Starts to ask. An address that is `known` from before serves until then, so that a restart cuts nobody off.
    #[must_use]
    pub fn start(namespace: &Namespace, wire: Wire, known: Option<Cidr>) -> Self {
        let (tell, word) = watch::channel(known.map_or(Word::Asking, Word::Kept));
        let (stop, stopped) = oneshot::channel::<()>();
        let namespace = namespace.clone();
        tokio::spawn(async move {
            let mut wait = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
            let mut stopped = stopped;
            loop {
                let (wire, tell) = (wire.clone(), tell.clone());
                let (end, ended) = oneshot::channel::<()>();
                let asking = namespace.dwell(move || async move {
                    tokio::select! {
                        word = ask(&wire, &tell) => word,
                        _ = ended => {}
                    }
                });
                // The library reads what strangers send: should it fall over, it falls alone.
                tokio::select! {
                    fallen = asking => tracing::warn!("DHCP starts anew{}", fallen.err().map(|e| format!(": {e}")).unwrap_or_default()),
                    _ = &mut stopped => {
                        drop(end);
                        return;
                    }
                }
                tokio::time::sleep(wait.next_wait()).await;
            }
        });
        Self { word, _stop: stop }
    }

    /// What the server's word is now.
    #[must_use]
    pub fn word(&self) -> Word {
        self.word.borrow().clone()
    }

    /// Waits for another word.
    pub async fn changed(&mut self) {
        if self.word.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Asks, and keeps what is given, until the library falls over.
async fn ask(wire: &Wire, tell: &watch::Sender<Word>) {
    let say = |word: Word| {
        tell.send_if_modified(|now| {
            let new = *now != word;
            *now = word;
            new
        });
    };
    let mut config = DhcpV4Config::new(&wire.interface);
    config.set_iface_index(wire.index).override_request_dhcp_opts(&ASKED);
    if config.set_iface_mac_raw(&wire.mac).is_err() {
        return;
    }
    config.use_mac_as_client_id();
    let Ok(mut client) = DhcpV4Client::init(config, None).await else { return };
    let mut wait = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    let mut held = false;
    loop {
        // With a lease it has all the time that the lease has.
        let patience = if held { Duration::MAX } else { PATIENCE };
        match timeout(patience, client.run()).await {
            Ok(Ok(DhcpV4State::Done(lease))) => match judge(offer(&lease), wire.robot) {
                Ok(own) => {
                    held = true;
                    wait.reset();
                    say(Word::Held(own));
                    continue;
                }
                Err(why) => say(Word::Refused(why)),
            },
            Ok(Ok(DhcpV4State::Renewing | DhcpV4State::Rebinding)) => continue,
            Ok(Ok(_)) if held => {
                // It ran out.
                held = false;
                say(Word::Asking);
                continue;
            }
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => {
                tracing::debug!("DHCP: {error}");
                say(Word::Asking);
            }
            Err(_) => {
                tracing::debug!("DHCP: no server gives an address");
                say(Word::Asking);
            }
        }
        held = false;
        client.clean_up();
        tokio::time::sleep(wait.next_wait()).await;
    }
}

fn offer(lease: &DhcpV4Lease) -> Offer {
    Offer { address: lease.yiaddr, mask: lease.subnet_mask, seconds: lease.lease_time_sec }
}
