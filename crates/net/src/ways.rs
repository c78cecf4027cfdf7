//! Who else is told which uplink carries the streams: the kernel, so that MPTCP prefers it too, and the resolver, so that
//! names are asked for through it.

use crate::uplink::{prefer, resolver};
use tokio::sync::watch;
use zbus::{Connection, connection};

/// The uplinks, as far as the kernel and the resolver need to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// The interface that was chosen; empty: none.
    pub chosen: String,
    /// The others, each with its address: of a link that changed `NetworkManager` tells the kernel and systemd-resolved anew.
    pub others: Vec<(String, String)>,
    /// The address of the chosen one.
    pub address: String,
}

/// Tells both whenever that changes. Without it MPTCP prefers as the settings' order has it, and every uplink's name servers
/// are asked.
pub async fn follow(mut ways: watch::Receiver<Ways>) {
    let mut said = false;
    while ways.changed().await.is_ok() {
        let now = ways.borrow_and_update().clone();
        if now.chosen.is_empty() {
            continue;
        }
        let others: Vec<_> = now.others.into_iter().map(|(name, _)| name).collect();
        if let Err(why) = prefer(&now.chosen, &others).await {
            tracing::debug!("MPTCP prefers as before: {why}");
        }
        let told = async {
            let bus: Connection = connection::Builder::system().build().await?;
            resolver::follow(&bus, &now.chosen, &others).await
        };
        match told.await {
            Ok(()) => said = false,
            Err(error) if !said => {
                tracing::info!("names are asked for through every uplink: {error}");
                said = true;
            }
            Err(_) => {}
        }
    }
}
