//! Names are asked for through the uplink that carries the streams.

use crate::uplink::resolver;
use tokio::sync::watch;
use zbus::{Connection, connection};

/// The uplinks as names see them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// The interface that was chosen; empty: none.
    pub chosen: String,
    /// The others, each with its address: `NetworkManager` tells systemd-resolved anew what it knows of a link that changed.
    pub others: Vec<(String, String)>,
    /// The address of the chosen one.
    pub address: String,
}

/// Tells systemd-resolved whenever that changes. Without it, every uplink's name servers are asked.
pub async fn follow(mut ways: watch::Receiver<Ways>) {
    let mut said = false;
    while ways.changed().await.is_ok() {
        let now = ways.borrow_and_update().clone();
        if now.chosen.is_empty() {
            continue;
        }
        let others: Vec<_> = now.others.into_iter().map(|(name, _)| name).collect();
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
