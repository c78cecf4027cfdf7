//! Requests to netlink: their messages, and which refusals mean that nothing was left to do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use nix::libc;
use robocast_config::Cidr;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::{AddressMessageBuilder, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};

use super::namespace::Namespace;
use super::namespace::NamespaceError;
use super::nft::NftError;
use super::observe::NetlinkHandle;
use super::observed::IpRoute;

/// Why a step fails.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel refuses.
    #[error("{error}{}", hint(error))]
    Kernel {
        /// Its answer.
        error: io::Error,
    },
    /// nftables refuses.
    #[error(transparent)]
    Nft(#[from] NftError),
    /// An interface that existed a moment ago.
    #[error("{0} is gone; it is taken again when it comes back")]
    Gone(String),
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; root or CAP_NET_ADMIN is needed",
        Some(libc::EROFS) => "; /proc/sys must be writable for this program",
        Some(libc::EEXIST) => "; another interface of this name, or such a route, exists already",
        Some(libc::EINVAL) => "; does the kernel allow this interface to change namespaces?",
        _ => "",
    }
}

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        Self::Kernel { error }
    }
}

impl From<rtnetlink::Error> for StepError {
    fn from(error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(error) => error.to_io().into(),
            error => io::Error::other(error.to_string()).into(),
        }
    }
}

/// The kernel's number for an interface.
pub(super) async fn interface_index(rtnl: &NetlinkHandle, name: &str) -> Result<u32, StepError> {
    let mut found = rtnl.handle.link().get().match_name(name.to_owned()).execute();
    match found.try_next().await {
        Ok(Some(LinkMessage { header, .. })) => Ok(header.index),
        Ok(None) => Err(StepError::Gone(name.to_owned())),
        Err(error) => match StepError::from(error) {
            StepError::Kernel { error } if error.raw_os_error() == Some(libc::ENODEV) => {
                Err(StepError::Gone(name.to_owned()))
            }
            fault => Err(fault),
        },
    }
}

/// Moves an interface to another namespace.
pub(super) async fn move_interface(
    from: &NetlinkHandle,
    name: &str,
    to: &Namespace,
) -> Result<(), StepError> {
    let link = LinkMessageBuilder::<LinkUnspec>::default()
        .index(interface_index(from, name).await?)
        .setns_by_fd(to.descriptor())
        .build();
    Ok(from.handle.link().set(link).execute().await?)
}

pub(super) fn address_message(index: u32, own: Cidr) -> AddressMessage {
    match own.address {
        IpAddr::V4(v4) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(v4, own.prefix).build()
        }
        IpAddr::V6(v6) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(v6, own.prefix).build()
        }
    }
}

/// Makes an IPv6 address usable at once: without duplicate address detection.
pub(super) fn skip_duplicate_detection(message: &mut AddressMessage) {
    message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Permanent));
}

pub(super) async fn route_message(rtnl: &NetlinkHandle, route: &IpRoute) -> Result<RouteMessage, StepError> {
    let mut message = match route.to.address {
        IpAddr::V4(to) => {
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(to, route.to.prefix).build()
        }
        IpAddr::V6(to) => {
            RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(to, route.to.prefix).build()
        }
    };
    message.header.table = 0;
    message.attributes.push(RouteAttribute::Table(route.table));
    if route.priority != 0 {
        message.attributes.push(RouteAttribute::Priority(route.priority));
    }
    if let Some(gateway) = route.gateway {
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    }
    if let Some(name) = &route.interface {
        message.attributes.push(RouteAttribute::Oif(interface_index(rtnl, name).await?));
    }
    Ok(message)
}

/// Also success if it exists already.
pub(super) fn accept_existing(result: Result<(), rtnetlink::Error>) -> Result<(), StepError> {
    tolerate(result, &[libc::EEXIST])
}

/// Also success if it is gone already.
pub(super) fn accept_missing(result: Result<(), rtnetlink::Error>) -> Result<(), StepError> {
    tolerate(result, &[libc::ESRCH, libc::EADDRNOTAVAIL, libc::ENOENT, libc::ENODEV])
}

fn tolerate(result: Result<(), rtnetlink::Error>, numbers: &[i32]) -> Result<(), StepError> {
    match result.map_err(StepError::from) {
        Err(StepError::Kernel { error })
            if error.raw_os_error().is_some_and(|number| numbers.contains(&number)) =>
        {
            Ok(())
        }
        result => result,
    }
}
