//! The DHCP client on the robot's wire. The protocol is mozim's (discover, request, renew, rebind, expire); this file
//! decides how its leases are used.

use std::net::IpAddr;
use std::time::Duration;

use mozim::{DhcpV4Client, DhcpV4Config, DhcpV4Lease, DhcpV4State};
use robocast_config::Cidr;
use robocast_daemon::backoff::Backoff;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::lease::{DhcpOffer, OfferRefusal, accept_offer};
use crate::robot::namespace::Namespace;

/// How long a server may take to give an address before the exchange starts again: the library does not report a refusal.
const PATIENCE: Duration = Duration::from_secs(20);

/// The options requested: subnet mask, lease time, renewal and rebinding time.
const ASKED: [u8; 4] = [1, 51, 58, 59];

/// The state of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// No server has answered yet.
    Asking,
    /// No server was asked yet; the interface had this address before, from a lease of an earlier run.
    Kept(Cidr),
    /// A valid lease of this address.
    Held(Cidr),
    /// A server's offer was refused, for this reason; it is asked again.
    Refused(OfferRefusal),
}

/// A client on one interface. It stops when dropped; the lease then expires.
#[derive(Debug)]
pub struct DhcpClient {
    state: watch::Receiver<LeaseState>,
    _stop: oneshot::Sender<()>,
}

/// Where a client runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpPort {
    /// The interface.
    pub interface: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The robot's own address, which no offer may contain.
    pub robot: Option<IpAddr>,
}

impl DhcpClient {
    /// Starts it. An address `known` from an earlier run is used until a server answers, so that a restart interrupts
    /// nobody.
    #[must_use]
    pub fn start(namespace: &Namespace, port: DhcpPort, known: Option<Cidr>) -> Self {
        let (lease_state, state) = watch::channel(known.map_or(LeaseState::Asking, LeaseState::Kept));
        let (stop, stopped) = oneshot::channel::<()>();
        let namespace = namespace.clone();
        tokio::spawn(async move {
            let mut wait = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
            let mut stopped = stopped;
            loop {
                let (port, lease_state) = (port.clone(), lease_state.clone());
                let (end, ended) = oneshot::channel::<()>();
                let running = namespace.run_task(move || async move {
                    tokio::select! {
                        () = hold_lease(&port, &lease_state) => {}
                        _ = ended => {}
                    }
                });
                // The library parses data from strangers: if it panics, only this task ends.
                tokio::select! {
                    ended = running => {
                        let why = ended.err().map(|error| format!(": {error}")).unwrap_or_default();
                        tracing::warn!("the DHCP client is restarted{why}");
                    }
                    _ = &mut stopped => {
                        drop(end);
                        return;
                    }
                }
                tokio::time::sleep(wait.next_wait()).await;
            }
        });
        Self { state, _stop: stop }
    }

    /// The state of the lease now.
    #[must_use]
    pub fn lease_state(&self) -> LeaseState {
        self.state.borrow().clone()
    }

    /// Waits for another state.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Obtains and renews a lease, until the library fails.
async fn hold_lease(port: &DhcpPort, state: &watch::Sender<LeaseState>) {
    let publish = |new: LeaseState| {
        state.send_if_modified(|now| {
            let changed = *now != new;
            *now = new;
            changed
        });
    };
    let mut config = DhcpV4Config::new(&port.interface);
    config.set_iface_index(port.index).override_request_dhcp_opts(&ASKED);
    if config.set_iface_mac_raw(&port.mac).is_err() {
        return;
    }
    config.use_mac_as_client_id();
    let Ok(mut client) = DhcpV4Client::init(config, None).await else { return };
    let mut wait = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    let mut held = false;
    loop {
        // While there is a lease, its own times decide.
        let patience = if held { Duration::MAX } else { PATIENCE };
        match timeout(patience, client.run()).await {
            Ok(Ok(DhcpV4State::Done(lease))) => match accept_offer(offer_of(&lease), port.robot) {
                Ok(own) => {
                    held = true;
                    wait.reset();
                    publish(LeaseState::Held(own));
                    continue;
                }
                Err(why) => publish(LeaseState::Refused(why)),
            },
            Ok(Ok(DhcpV4State::Renewing | DhcpV4State::Rebinding)) => continue,
            Ok(Ok(_)) if held => {
                // The lease expired.
                held = false;
                publish(LeaseState::Asking);
                continue;
            }
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => {
                tracing::debug!("DHCP: {error}");
                publish(LeaseState::Asking);
            }
            Err(_) => {
                tracing::debug!("DHCP: no server gave an address");
                publish(LeaseState::Asking);
            }
        }
        held = false;
        client.clean_up();
        tokio::time::sleep(wait.next_wait()).await;
    }
}

fn offer_of(lease: &DhcpV4Lease) -> DhcpOffer {
    DhcpOffer { address: lease.yiaddr, mask: lease.subnet_mask, seconds: lease.lease_time_sec }
}
