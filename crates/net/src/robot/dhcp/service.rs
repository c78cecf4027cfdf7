//! Which DHCP role runs and where: only on an interface that is on the robot's side and switched on.

use robocast_config::{Cidr, Dhcp};

use super::client::{DhcpClient, DhcpPort, LeaseState};
use super::server::DhcpServer;
use crate::robot::desired::DesiredRobotNetwork;
use crate::robot::namespace::Namespace;
use crate::robot::observed::ObservedRobotNetwork;

/// A client, a server, or neither.
#[derive(Debug, Default)]
pub struct DhcpService {
    client: Option<(DhcpPort, DhcpClient)>,
    server: Option<(String, Cidr, DhcpServer)>,
}

impl DhcpService {
    /// Starts and stops services to match the desired state, as far as the observed state allows.
    pub async fn update(
        &mut self,
        namespace: &str,
        desired: &DesiredRobotNetwork,
        observed: &ObservedRobotNetwork,
    ) {
        let Ok(Some(namespace)) = Namespace::open(namespace) else {
            *self = Self::default();
            return;
        };
        self.update_client(&namespace, client_port(desired, observed), observed);
        self.update_server(&namespace, server_port(desired, observed)).await;
    }

    fn update_client(
        &mut self,
        namespace: &Namespace,
        port: Option<DhcpPort>,
        observed: &ObservedRobotNetwork,
    ) {
        if self.client.as_ref().map(|(running, _)| running) == port.as_ref() {
            return;
        }
        let known = port
            .as_ref()
            .and_then(|port| observed.inside.find(&port.interface))
            .and_then(|link| link.addresses.iter().copied().find(|own| own.address.is_ipv4()));
        self.client = port.map(|port| (port.clone(), DhcpClient::start(namespace, port, known)));
    }

    async fn update_server(&mut self, namespace: &Namespace, served: Option<(String, Cidr)>) {
        let running = self.server.as_ref().filter(|(.., server)| server.is_running());
        if running.map(|(name, own, _)| (name.clone(), *own)) == served {
            return;
        }
        self.server = None;
        if let Some((name, own)) = served {
            match DhcpServer::start(namespace, &name, own).await {
                Ok(server) => self.server = Some((name, own, server)),
                Err(error) => tracing::warn!("no DHCP server at {name}: {error}"),
            }
        }
    }

    /// The address of a valid lease.
    #[must_use]
    pub fn lease(&self) -> Option<Cidr> {
        match self.lease_state() {
            Some((_, LeaseState::Held(own) | LeaseState::Kept(own))) => Some(own),
            _ => None,
        }
    }

    /// The state of the client's lease, and on which interface.
    #[must_use]
    pub fn lease_state(&self) -> Option<(&str, LeaseState)> {
        self.client.as_ref().map(|(port, client)| (port.interface.as_str(), client.lease_state()))
    }

    /// Waits until the lease changes.
    pub async fn changed(&mut self) {
        match &mut self.client {
            Some((_, client)) => client.changed().await,
            None => std::future::pending().await,
        }
    }
}

/// Where a client is to run.
fn client_port(desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> Option<DhcpPort> {
    let Some((name, Dhcp::Client)) = &desired.dhcp else { return None };
    let link = observed.inside.find(name).filter(|link| link.up)?;
    let (interface, index) = (link.name.clone(), link.index);
    Some(DhcpPort { interface, index, mac: link.mac?, robot: desired.robot })
}

/// Where a server is to run, and with which address: not before the interface has it.
fn server_port(desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> Option<(String, Cidr)> {
    let Some((name, Dhcp::Server)) = &desired.dhcp else { return None };
    let link = observed.inside.find(name).filter(|link| link.up)?;
    let own = (*desired.interfaces.get(name)?)?;
    link.addresses.contains(&own).then(|| (link.name.clone(), own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robot::observed::NetworkLink;

    fn desired(dhcp: Dhcp, own: Option<Cidr>) -> DesiredRobotNetwork {
        DesiredRobotNetwork {
            interfaces: [("usb0".to_owned(), own)].into(),
            dhcp: Some(("usb0".into(), dhcp)),
            ..DesiredRobotNetwork::default()
        }
    }

    fn observed(change: impl Fn(&mut NetworkLink)) -> ObservedRobotNetwork {
        let mut link = NetworkLink {
            name: "eth0".into(),
            index: 7,
            mac: Some([2; 6]),
            up: true,
            aliases: ["usb0".to_owned()].into(),
            ..NetworkLink::default()
        };
        change(&mut link);
        let mut observed = ObservedRobotNetwork::default();
        observed.inside.links.insert("eth0".into(), link);
        observed
    }

    #[test]
    fn a_client_runs_on_the_interface_under_its_current_name_once_that_is_up() {
        let desired = desired(Dhcp::Client, None);
        let port = client_port(&desired, &observed(|_| {})).unwrap();
        assert_eq!((port.interface.as_str(), port.index, port.mac), ("eth0", 7, [2; 6]));
        assert_eq!(client_port(&desired, &observed(|link| link.up = false)), None);
        assert_eq!(client_port(&desired, &observed(|link| link.mac = None)), None);
        assert_eq!(client_port(&desired, &ObservedRobotNetwork::default()), None);
        assert_eq!(server_port(&desired, &observed(|_| {})), None, "one role at a time");
    }

    #[test]
    fn a_server_waits_until_the_interface_has_the_boxs_address() {
        let own: Cidr = "10.0.0.10/24".parse().unwrap();
        let desired = desired(Dhcp::Server, Some(own));
        assert_eq!(server_port(&desired, &observed(|_| {})), None);
        let addressed = observed(|link| {
            link.addresses.insert(own);
        });
        assert_eq!(server_port(&desired, &addressed), Some(("eth0".into(), own)));
        assert_eq!(client_port(&desired, &addressed), None);
    }
}
