//! MPTCP and the resolver follow the choice of the uplink: the kernel prefers the chosen one for subflows, and names are asked
//! for through it.

use crate::uplink::{prefer_endpoints, resolved};
use robocast_daemon::journal;
use robocast_system::ServiceError;
use tokio::sync::watch;
use zbus::{Connection, connection};

/// The uplinks, as far as the kernel and the resolver need to know them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreferredUplink {
    /// The chosen interface; empty where there is none.
    pub chosen: String,
    /// The others, each with its address: when a link changes, NetworkManager resets both.
    pub others: Vec<(String, String)>,
    /// The address of the chosen one.
    pub address: String,
}

/// Applies every change. Where that fails, MPTCP prefers as in the settings' order, and every uplink's name servers are asked.
pub async fn follow_preferred(mut preferred: watch::Receiver<PreferredUplink>) {
    let mut reported = false;
    while preferred.changed().await.is_ok() {
        let now = preferred.borrow_and_update().clone();
        if now.chosen.is_empty() {
            continue;
        }
        let others: Vec<_> = now.others.into_iter().map(|(name, _)| name).collect();
        if let Err(error) = prefer_endpoints(&now.chosen, &others).await {
            tracing::debug!("MPTCP's preference is unchanged: {}", journal::chain(&error));
        }
        let routed = async {
            let bus: Connection = connection::Builder::system().build().await.map_err(ServiceError::Bus)?;
            resolved::route_names_through(&bus, &now.chosen, &others).await
        };
        match routed.await {
            Ok(()) => reported = false,
            Err(error) if !reported => {
                tracing::info!("names are asked for through every uplink: {}", journal::chain(&error));
                reported = true;
            }
            Err(_) => {}
        }
    }
}
