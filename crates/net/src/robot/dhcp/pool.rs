//! The answers of a DHCP server on the robot's wire. Pure: datagrams and the time in, datagrams out.
//!
//! It leases addresses of one network, one per client, for an hour. It offers no router and no name server: a robot must not
//! take the box for a route to the world.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use dhcproto::v4::{DhcpOption, HType, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};
use robocast_config::Cidr;

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_secs(3600);
/// How long an offered address is reserved, and how long one that another host uses is avoided.
const OFFER: Duration = Duration::from_secs(60);
/// The largest number of clients: a robot and the devices on it.
pub const MOST: usize = 32;

/// The addresses and their leases.
#[derive(Debug)]
pub struct DhcpPool {
    own: Ipv4Addr,
    mask: Ipv4Addr,
    free: Vec<Ipv4Addr>,
    leases: BTreeMap<Ipv4Addr, Lease>,
}

#[derive(Debug)]
struct Lease {
    /// Empty for an address that somebody uses without a lease.
    client: Vec<u8>,
    until: Instant,
}

impl DhcpPool {
    /// The addresses that follow the box's own, up to the end of its network; none where there are none.
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

    /// The answer to a datagram and its destination, if there is one.
    #[must_use]
    pub fn answer(&mut self, datagram: &[u8], now: Instant) -> Option<(Vec<u8>, SocketAddrV4)> {
        let asked = Message::decode(&mut Decoder::new(&keep_known_options(datagram)?)).ok()?;
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
                self.record(address, client, now + OFFER);
                Some(self.reply(&asked, MessageType::Offer, Some(address)))
            }
            // The client chose another server.
            MessageType::Request if !ours => {
                self.leases.retain(|_, lease| lease.client != client);
                None
            }
            MessageType::Request => match wish.filter(|address| self.may_have(&client, *address)) {
                Some(address) => {
                    self.record(address, client, now + LEASE);
                    Some(self.reply(&asked, MessageType::Ack, Some(address)))
                }
                None => Some(self.reply(&asked, MessageType::Nak, None)),
            },
            MessageType::Decline => {
                let address = wish.filter(|address| self.held_by(&client) == Some(*address))?;
                tracing::warn!("somebody on the robot's wire uses {address} already");
                self.record(address, Vec::new(), now + OFFER);
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

    /// The client's lease; otherwise the address it asks for; otherwise the first free one.
    fn choose(&self, client: &[u8], wish: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let wished = || wish.filter(|address| self.may_have(client, *address));
        let first = || self.free.iter().copied().find(|address| !self.leases.contains_key(address));
        self.held_by(client).or_else(wished).or_else(first)
    }

    /// Records a lease; one per client.
    fn record(&mut self, address: Ipv4Addr, client: Vec<u8>, until: Instant) {
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
        // A client without an address only receives broadcasts.
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

/// The length of a message's fixed part, up to and including the cookie that introduces the options.
const HEAD: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The message without the options that are not read here. The library's decoder panics at wrong lengths of some of the
/// others, and trusts the length of the hardware address.
fn keep_known_options(datagram: &[u8]) -> Option<Vec<u8>> {
    let (head, mut options) = datagram.split_at_checked(HEAD)?;
    if head[2] != 6 || head[236..] != COOKIE {
        return None;
    }
    let mut clean = head.to_vec();
    // The names of server and boot file.
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
