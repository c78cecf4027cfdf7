//! What netlink is asked to change: the messages, and which refusals mean that it is so already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use nix::libc;
use robocast_config::Cidr;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::{AddressMessageBuilder, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};

use super::apply::Fault;
use super::facts::Route;
use super::gather::Rtnl;
use super::namespace::Namespace;

/// The kernel's number for an interface.
pub(super) async fn index(rtnl: &Rtnl, name: &str) -> Result<u32, Fault> {
    let mut found = rtnl.handle.link().get().match_name(name.to_owned()).execute();
    match found.try_next().await {
        Ok(Some(LinkMessage { header, .. })) => Ok(header.index),
        Ok(None) => Err(Fault::Gone(name.to_owned())),
        Err(error) => match Fault::from(error) {
            Fault::Kernel { error } if error.raw_os_error() == Some(libc::ENODEV) => {
                Err(Fault::Gone(name.to_owned()))
            }
            fault => Err(fault),
        },
    }
}

/// Moves an interface to another namespace.
pub(super) async fn hand_over(from: &Rtnl, name: &str, to: &Namespace) -> Result<(), Fault> {
    let link = LinkMessageBuilder::<LinkUnspec>::default()
        .index(index(from, name).await?)
        .setns_by_fd(to.descriptor())
        .build();
    Ok(from.handle.link().set(link).execute().await?)
}

pub(super) fn address(index: u32, own: Cidr) -> AddressMessage {
    match own.address {
        IpAddr::V4(v4) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(v4, own.prefix).build()
        }
        IpAddr::V6(v6) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(v6, own.prefix).build()
        }
    }
}

/// An IPv6 address that a camera can use at once: nobody on the wire is asked whether it is taken.
pub(super) fn tamed(message: &mut AddressMessage) {
    message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Permanent));
}

pub(super) async fn route(rtnl: &Rtnl, route: &Route) -> Result<RouteMessage, Fault> {
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
        message.attributes.push(RouteAttribute::Oif(index(rtnl, name).await?));
    }
    Ok(message)
}

/// What is there already is what was wanted.
pub(super) fn already(result: Result<(), rtnetlink::Error>) -> Result<(), Fault> {
    tolerate(result, &[libc::EEXIST])
}

/// What is gone already is what was wanted.
pub(super) fn gone(result: Result<(), rtnetlink::Error>) -> Result<(), Fault> {
    tolerate(result, &[libc::ESRCH, libc::EADDRNOTAVAIL, libc::ENOENT, libc::ENODEV])
}

fn tolerate(result: Result<(), rtnetlink::Error>, numbers: &[i32]) -> Result<(), Fault> {
    match result.map_err(Fault::from) {
        Err(Fault::Kernel { error })
            if error.raw_os_error().is_some_and(|number| numbers.contains(&number)) =>
        {
            Ok(())
        }
        result => result,
    }
}
