//! Queries a name server through one interface. On the box systemd-resolved does this; this module is for name servers that
//! the caller gives: those of an uplink that is only being tried, or on a machine without systemd-resolved.

use crate::link::Link;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A name server that has not answered by then will not answer.
const PATIENCE: Duration = Duration::from_secs(2);
const PORT: u16 = 53;

/// Queries the link's name servers in order, until one returns an address.
pub(crate) async fn ask(link: &Link, servers: &[IpAddr], host: &str) -> io::Result<Vec<IpAddr>> {
    if servers.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "this uplink has no name server: add `dns`"));
    }
    let mut failure = None;
    for server in servers {
        let answers = tokio::join!(
            ask_server(link, *server, host, TYPE::A),
            ask_server(link, *server, host, TYPE::AAAA)
        );
        let found: Vec<_> = [&answers.0, &answers.1].into_iter().flatten().flatten().copied().collect();
        match (found.is_empty(), answers) {
            (false, _) => return Ok(found),
            (true, (Err(error), _) | (_, Err(error))) => failure = Some(error),
            (true, _) => {}
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address")))
}

async fn ask_server(link: &Link, server: IpAddr, host: &str, record: TYPE) -> io::Result<Vec<IpAddr>> {
    let own: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(own, 0)).await?;
    socket.bind_device(link.device())?;
    // A connected socket receives only the server's own answers.
    socket.connect(SocketAddr::new(server, PORT)).await?;
    let [high, low, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let query = query(id, host, record).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no name"))?;
    socket.send(&query).await?;
    let mut buffer = [0; 1232];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let silent = |_| io::Error::new(ErrorKind::TimedOut, format!("the name server {server} does not answer"));
    let length = received.map_err(silent)??;
    answer(&buffer[..length], id).map_err(|why| io::Error::other(format!("the name server {server} {why}")))
}

fn query(id: u16, host: &str, record: TYPE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(host).ok()?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(record), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

fn answer(bytes: &[u8], id: u16) -> Result<Vec<IpAddr>, &'static str> {
    let packet = Packet::parse(bytes).map_err(|_| "sent an answer that is not DNS")?;
    match packet.rcode() {
        _ if packet.id() != id => return Err("answered another question"),
        RCODE::NoError => {}
        RCODE::NameError => return Err("does not know the name"),
        _ => return Err("refuses"),
    }
    let address = |data: &RData<'_>| match data {
        RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
        RData::AAAA(a) => Some(IpAddr::V6(Ipv6Addr::from(a.address))),
        _ => None,
    };
    Ok(packet.answers.iter().filter_map(|record| address(&record.rdata)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::A;

    #[test]
    fn an_answer_is_accepted_if_it_belongs_to_our_query() {
        let mut reply = Packet::new_reply(7);
        let record = A { address: u32::from(Ipv4Addr::new(10, 0, 0, 9)) };
        let name = Name::new_unchecked("live.example.net");
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, RData::A(record)));
        let bytes = reply.build_bytes_vec().unwrap();
        assert_eq!(answer(&bytes, 7), Ok(vec![IpAddr::from([10, 0, 0, 9])]));
        assert_eq!(answer(&bytes, 8), Err("answered another question"));
        *reply.rcode_mut() = RCODE::NameError;
        assert_eq!(answer(&reply.build_bytes_vec().unwrap(), 7), Err("does not know the name"));
        assert!(query(1, "live.example.net", TYPE::A).is_some());
        assert!(query(1, &"x".repeat(70), TYPE::A).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes: Vec<u8>) {
            let _ = answer(&bytes, 1);
        }
    }
}
