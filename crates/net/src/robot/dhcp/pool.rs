//! What a DHCP server on the robot's wire answers. Pure: datagrams and the time in, datagrams out.
//!
//! It gives addresses of one network, one a client, for an hour. It gives no router and no name server: a robot must not
//! take the box for a way into the world.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use dhcproto::v4::{DhcpOption, HType, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use robocast_config::Cidr;

/// How long an address is given for.
pub const LEASE: Duration = Duration::from_secs(3600);
/// How long an address that was offered waits to be asked for, and one that is taken by somebody else is left alone.
const OFFER: Duration = Duration::from_secs(60);
/// As many clients at most: a robot and what it carries.
pub const MOST: usize = 32;

/// Addresses and who has them.
#[derive(Debug)]
pub struct Pool {
    own: Ipv4Addr,
    mask: Ipv4Addr,
    free: Vec<Ipv4Addr>,
    leases: BTreeMap<Ipv4Addr, Lease>,
}

#[derive(Debug)]
struct Lease {
    /// Empty for an address that somebody has without having asked.
    client: Vec<u8>,
    until: Instant,
}

impl Pool {
    /// The addresses after the box's own, up to the end of its network; none when there are none.
    #[must_use]
    pub fn after(own: Cidr) -> Option<Self> {
        let IpAddr::V4(address) = own.address else { return None };
        if !(8..=30).contains(&own.prefix) {
            return None;
        }
        let mask = Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(own.prefix)));
        let last = address.to_bits() | !mask.to_bits();
        let free: Vec<_> = (address.to_bits() + 1..last).take(MOST).map(Ipv4Addr::from_bits).collect();
        (!free.is_empty()).then_some(Self { own: address, mask, free, leases: BTreeMap::new() })
    }

    /// The answer to a datagram and whereto, if it deserves one.
    #[must_use]
    pub fn answer(&mut self, datagram: &[u8], now: Instant) -> Option<(Vec<u8>, SocketAddrV4)> {
        let asked = Message::decode(&mut Decoder::new(&known(datagram)?)).ok()?;
        let direct = asked.giaddr().is_unspecified() && asked.htype() == HType::Eth && asked.hlen() == 6;
        if asked.opcode() != Opcode::BootRequest || !direct {
            return None;
        }
        let client = match asked.opts().get(OptionCode::ClientIdentifier) {
            Some(DhcpOption::ClientIdentifier(id)) if (1..=64).contains(&id.len()) => id.clone(),
            _ => asked.chaddr().to_vec(),
        };
        let wish = match asked.opts().get(OptionCode::RequestedIpAddress) {
            Some(DhcpOption::RequestedIpAddress(address)) => Some(*address),
            _ => Some(asked.ciaddr()).filter(|address| !address.is_unspecified()),
        };
        let ours = match asked.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(server)) => *server == self.own,
            _ => true,
        };
        self.leases.retain(|_, lease| lease.until > now);
        match asked.opts().msg_type()? {
            MessageType::Discover => {
                let address = self.choose(&client, wish)?;
                self.keep(address, client, now + OFFER);
                Some(self.reply(&asked, MessageType::Offer, Some(address)))
            }
            // Another server was chosen.
            MessageType::Request if !ours => {
                self.leases.retain(|_, lease| lease.client != client);
                None
            }
            MessageType::Request => match wish.filter(|address| self.may_have(&client, *address)) {
                Some(address) => {
                    self.keep(address, client, now + LEASE);
                    Some(self.reply(&asked, MessageType::Ack, Some(address)))
                }
                None => Some(self.reply(&asked, MessageType::Nak, None)),
            },
            MessageType::Decline => {
                let address = wish.filter(|address| self.held_by(&client) == Some(*address))?;
                tracing::warn!("somebody on the robot's wire has {address} already");
                self.keep(address, Vec::new(), now + OFFER);
                None
            }
            MessageType::Release => {
                self.leases.retain(|_, lease| lease.client != client);
                None
            }
            MessageType::Inform => Some(self.reply(&asked, MessageType::Ack, None)),
            _ => None,
        }
    }

    fn held_by(&self, client: &[u8]) -> Option<Ipv4Addr> {
        self.leases.iter().find(|(_, lease)| lease.client == client).map(|(address, _)| *address)
    }

    fn may_have(&self, client: &[u8], address: Ipv4Addr) -> bool {
        self.free.contains(&address) && self.leases.get(&address).is_none_or(|lease| lease.client == client)
    }

    /// What the client has; else what it wishes; else the first that nobody has.
    fn choose(&self, client: &[u8], wish: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let wished = || wish.filter(|address| self.may_have(client, *address));
        let first = || self.free.iter().copied().find(|address| !self.leases.contains_key(address));
        self.held_by(client).or_else(wished).or_else(first)
    }

    /// One address a client.
    fn keep(&mut self, address: Ipv4Addr, client: Vec<u8>, until: Instant) {
        self.leases.retain(|_, lease| lease.client != client || client.is_empty());
        self.leases.insert(address, Lease { client, until });
    }

    fn reply(
        &self,
        asked: &Message,
        kind: MessageType,
        address: Option<Ipv4Addr>,
    ) -> (Vec<u8>, SocketAddrV4) {
        let mut reply = Message::default();
        reply
            .set_opcode(Opcode::BootReply)
            .set_xid(asked.xid())
            .set_flags(asked.flags())
            .set_chaddr(asked.chaddr())
            .set_yiaddr(address.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let options = reply.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ServerIdentifier(self.own));
        if kind != MessageType::Nak {
            options.insert(DhcpOption::SubnetMask(self.mask));
        }
        if address.is_some() {
            let seconds = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
            options.insert(DhcpOption::AddressLeaseTime(seconds));
            options.insert(DhcpOption::Renewal(seconds / 2));
            options.insert(DhcpOption::Rebinding(seconds / 8 * 7));
        }
        // Who has no address yet hears only what is said to all.
        let known = asked.ciaddr();
        let to = match kind {
            MessageType::Ack if self.in_network(known) => known,
            _ => Ipv4Addr::BROADCAST,
        };
        (reply.to_vec().unwrap_or_default(), SocketAddrV4::new(to, 68))
    }

    fn in_network(&self, address: Ipv4Addr) -> bool {
        let mask = self.mask.to_bits();
        address.to_bits() & mask == self.own.to_bits() & mask && address != self.own
    }
}

/// Length of what every message begins with, up to the cookie that says that options follow.
const HEAD: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A message with nothing in it but what is asked for here. The library's decoder panics at lengths that others of its
/// options must not have, and trusts that of the hardware address.
fn known(datagram: &[u8]) -> Option<Vec<u8>> {
    let (head, mut options) = datagram.split_at_checked(HEAD)?;
    if head[2] != 6 || head[236..] != COOKIE {
        return None;
    }
    let mut clean = head.to_vec();
    // Names of servers and files.
    clean[44..236].fill(0);
    loop {
        match *options {
            [] | [255, ..] => break,
            [0, ref rest @ ..] => options = rest,
            [code, length, ref rest @ ..] => {
                let (value, rest) = rest.split_at_checked(length.into())?;
                if matches!((code, length), (53, 1) | (50 | 54, 4) | (61, 1..=64)) {
                    clean.extend([code, length]);
                    clean.extend(value);
                }
                options = rest;
            }
            [_] => return None,
        }
    }
    clean.push(255);
    Some(clean)
}

#[cfg(test)]
mod tests;
