//! Reads the state of both sides from the kernel, over netlink.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use robocast_config::Cidr;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, Prop};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use rtnetlink::{Handle, RouteMessageBuilder};
use tokio::task::JoinHandle;

use super::namespace::{Namespace, NamespaceError};
use super::nft::{self, NftError};
use super::observed::{IpNetwork, IpRoute, NamespaceState, NetworkLink, ObservedRobotNetwork};
use super::plan;

/// Why the state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// No socket for netlink.
    #[error("no netlink socket: {0}")]
    Socket(#[from] io::Error),
    /// The kernel does not answer.
    #[error("the kernel does not list its interfaces, addresses and routes: {0}")]
    Netlink(#[from] rtnetlink::Error),
    /// nftables does not answer.
    #[error(transparent)]
    Nft(#[from] NftError),
}

/// A netlink socket in one namespace.
#[derive(Debug)]
pub struct NetlinkHandle {
    /// For requests.
    pub handle: Handle,
    task: JoinHandle<()>,
}

impl Drop for NetlinkHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NetlinkHandle {
    /// Opens one in a namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub async fn open(namespace: &Namespace) -> io::Result<Self> {
        let (connection, handle, _) = namespace.run(rtnetlink::new_connection).await??;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }
}

/// The state of both sides.
///
/// # Errors
/// When either side cannot be asked.
pub async fn observe_network(
    outside: &Namespace,
    inside: &str,
) -> Result<ObservedRobotNetwork, ObserveError> {
    let mut observed = ObservedRobotNetwork {
        outside: observe_namespace(outside).await?,
        ..ObservedRobotNetwork::default()
    };
    if let Some(namespace) = Namespace::open(inside)? {
        observed.namespace = true;
        observed.inside = observe_namespace(&namespace).await?;
        let links = observed.inside.links.values().filter(|link| link.ethernet);
        let names: Vec<_> = links.map(|link| link.name.clone()).collect();
        observed.kernel = namespace.run(move || kernel_settings(&names)).await?;
        observed.firewall = nft::loaded_firewall(&namespace).await?;
    }
    Ok(observed)
}

/// The values below `/proc/sys/net`, in the namespace of the calling thread.
fn kernel_settings(names: &[String]) -> BTreeMap<String, String> {
    let keys = plan::settings(names.iter().map(String::as_str)).into_iter().map(|(key, _)| key);
    let read = |key: String| {
        let value = std::fs::read_to_string(format!("/proc/sys/net/{key}")).ok()?;
        Some((key, value.trim().to_owned()))
    };
    keys.filter_map(read).collect()
}

/// The state of one namespace.
///
/// # Errors
/// When the kernel does not answer.
pub async fn observe_namespace(namespace: &Namespace) -> Result<NamespaceState, ObserveError> {
    let rtnl = NetlinkHandle::open(namespace).await?;
    let radios = namespace.run(radios).await?;
    let mut side = NamespaceState::default();
    let mut names = HashMap::new();
    let links: Vec<_> = rtnl.handle.link().get().execute().try_collect().await?;
    for message in &links {
        if let Some(link) = link(message, &radios) {
            names.insert(link.index, link.name.clone());
            side.links.insert(link.name.clone(), link);
        }
    }
    let addresses: Vec<_> = rtnl.handle.address().get().execute().try_collect().await?;
    for message in &addresses {
        let link = names.get(&message.header.index).and_then(|name| side.links.get_mut(name));
        if let (Some(link), Some(address)) = (link, address(message)) {
            link.addresses.insert(address);
        }
    }
    let (v4, v6) = (RouteMessageBuilder::<Ipv4Addr>::new(), RouteMessageBuilder::<Ipv6Addr>::new());
    for family in [v4.build(), v6.build()] {
        let routes: Vec<_> = rtnl.handle.route().get(family).execute().try_collect().await?;
        side.routes.extend(routes.iter().filter_map(|message| route(message, &names)));
    }
    Ok(side)
}

/// The interfaces that are radios or modems: ethernet to the kernel, but without a cable.
fn radios() -> Vec<String> {
    let Ok(all) = std::fs::read_dir("/sys/class/net") else { return Vec::new() };
    let wireless = |path: &std::path::Path| {
        let modem = std::fs::read_to_string(path.join("uevent")).is_ok_and(|text| {
            text.lines().any(|line| matches!(line, "DEVTYPE=wlan" | "DEVTYPE=wwan" | "DEVTYPE=bluetooth"))
        });
        modem || path.join("phy80211").exists()
    };
    let names = all.flatten().filter(|entry| wireless(&entry.path()));
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn link(message: &LinkMessage, radios: &[String]) -> Option<NetworkLink> {
    let flags = message.header.flags;
    let mut link = NetworkLink {
        index: message.header.index,
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        ..NetworkLink::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Controller(_) => link.enslaved = true,
            LinkAttribute::NetnsImmutable(true) => link.ethernet = false,
            LinkAttribute::PropList(all) => {
                let names = all.iter().filter_map(|prop| match prop {
                    Prop::AltIfName(name) => Some(name.clone()),
                    _ => None,
                });
                link.aliases.extend(names);
            }
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Kind(kind) = info {
                        link.kind = Some(kind.to_string());
                    }
                }
            }
            _ => {}
        }
    }
    // Tunnels that the kernel creates in every namespace.
    let tunnel = matches!(link.kind.as_deref(), Some("gretap" | "erspan" | "ip6gretap" | "ip6erspan"));
    link.ethernet &= !tunnel && !radios.contains(&link.name);
    (!link.name.is_empty()).then_some(link)
}

fn address(message: &AddressMessage) -> Option<Cidr> {
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point link, `Address` is the peer's.
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            _ => {}
        }
    }
    found.map(|address| Cidr { address, prefix: message.header.prefix_len })
}

/// The kernel's own table.
const LOCAL: u32 = 255;

fn route(message: &RouteMessage, names: &HashMap<u32, String>) -> Option<IpRoute> {
    let everywhere: IpAddr = match message.header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut to = IpNetwork { address: everywhere, prefix: message.header.destination_prefix_length };
    let mut route =
        IpRoute { to, interface: None, gateway: None, table: message.header.table.into(), priority: 0 };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => to.address = (*address).into(),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => to.address = (*address).into(),
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => route.gateway = Some((*address).into()),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => route.gateway = Some((*address).into()),
            RouteAttribute::Oif(index) => route.interface = names.get(index).cloned(),
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Priority(priority) => route.priority = *priority,
            _ => {}
        }
    }
    let counts = message.header.kind == RouteType::Unicast && route.table != LOCAL;
    counts.then_some(IpRoute { to, ..route })
}
