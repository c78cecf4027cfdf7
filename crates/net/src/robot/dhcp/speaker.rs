//! Which of the two speaks, and where: on an interface that is on the robot's side and switched on, and nowhere else.

use robocast_config::{Cidr, Dhcp};

use super::client::{Client, Wire, Word};
use super::server::Server;
use crate::robot::facts::Facts;
use crate::robot::namespace::Namespace;
use crate::robot::wanted::Wanted;

/// A client, a server, or neither.
#[derive(Debug, Default)]
pub struct Speaker {
    client: Option<(Wire, Client)>,
    server: Option<(String, Cidr, Server)>,
}

impl Speaker {
    /// Starts and stops what the settings want where the facts allow it.
    pub async fn follow(&mut self, namespace: &str, wanted: &Wanted, facts: &Facts) {
        let link = |name: &String| facts.inside.find(name).filter(|link| link.up);
        let wire = match &wanted.dhcp {
            Some((name, Dhcp::Client)) => link(name).and_then(|link| {
                let (interface, index) = (link.name.clone(), link.index);
                Some(Wire { interface, index, mac: link.mac?, robot: wanted.robot })
            }),
            _ => None,
        };
        let served = match &wanted.dhcp {
            Some((name, Dhcp::Server)) => link(name).and_then(|link| {
                let own = (*wanted.interfaces.get(name)?)?;
                link.addresses.contains(&own).then(|| (link.name.clone(), own))
            }),
            _ => None,
        };
        let Ok(Some(namespace)) = Namespace::open(namespace) else {
            *self = Self::default();
            return;
        };
        if self.client.as_ref().map(|(wire, _)| wire) != wire.as_ref() {
            let known = wire
                .as_ref()
                .and_then(|wire| facts.inside.find(&wire.interface))
                .and_then(|link| link.addresses.iter().copied().find(|own| own.address.is_ipv4()));
            self.client = wire.map(|wire| (wire.clone(), Client::start(&namespace, wire, known)));
        }
        let serves = self.server.as_ref().filter(|(.., server)| server.alive());
        if serves.map(|(name, own, _)| (name.clone(), *own)) != served {
            self.server = None;
            if let Some((name, own)) = served {
                match Server::start(&namespace, &name, own).await {
                    Ok(server) => self.server = Some((name, own, server)),
                    Err(error) => tracing::warn!("no DHCP server at {name}: {error}"),
                }
            }
        }
    }

    /// The address that a server gave, while it is ours.
    #[must_use]
    pub fn lease(&self) -> Option<Cidr> {
        match self.word() {
            Some((_, Word::Held(own) | Word::Kept(own))) => Some(own),
            _ => None,
        }
    }

    /// What the client has heard, and on which interface.
    #[must_use]
    pub fn word(&self) -> Option<(&str, Word)> {
        self.client.as_ref().map(|(wire, client)| (wire.interface.as_str(), client.word()))
    }

    /// Waits until the client hears something new.
    pub async fn changed(&mut self) {
        match &mut self.client {
            Some((_, client)) => client.changed().await,
            None => std::future::pending().await,
        }
    }
}
