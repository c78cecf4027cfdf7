//! Names, asked through one uplink; and systemd-resolved told which uplink to ask for everybody else.

use crate::uplink::probe::Way;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use zbus::{Connection, fdo};

const PATIENCE: Duration = Duration::from_secs(2);
const PORT: u16 = 53;

/// systemd-resolved.
#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait Resolved {
    /// Whether names that no other link claims are asked for through this one.
    fn set_link_default_route(&self, ifindex: i32, enable: bool) -> fdo::Result<()>;
}

/// Has systemd-resolved ask through `chosen` alone: another uplink's name server may be that of a login page, which lies.
/// To be told again whenever NetworkManager changed a link.
///
/// # Errors
/// When there is no systemd-resolved, or it refuses; every link is then asked, and the first good answer counts.
pub async fn follow(bus: &Connection, chosen: &str, others: &[String]) -> fdo::Result<()> {
    let resolved = ResolvedProxy::new(bus).await?;
    // The chosen one first: there is one to ask at all times.
    for (name, enable) in std::iter::once((chosen, true)).chain(others.iter().map(|o| (o.as_str(), false))) {
        // One that is gone needs nothing.
        if let Ok(index) = nix::net::if_::if_nametoindex(name) {
            resolved.set_link_default_route(i32::try_from(index).unwrap_or_default(), enable).await?;
        }
    }
    Ok(())
}

/// The addresses of a name, as the uplink's own name servers know it.
///
/// # Errors
/// When none of them answers, or the name has no address.
pub async fn lookup(way: &Way, host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if way.dns.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "this uplink has no name server: add `dns`"));
    }
    let mut trouble = None;
    for server in &way.dns {
        let answers = tokio::join!(asked(way, *server, host, TYPE::A), asked(way, *server, host, TYPE::AAAA));
        let found: Vec<_> = [&answers.0, &answers.1].into_iter().flatten().flatten().copied().collect();
        match (found.is_empty(), answers) {
            (false, _) => return Ok(found),
            (true, (Err(error), _) | (_, Err(error))) => trouble = Some(error),
            (true, _) => {}
        }
    }
    Err(trouble.unwrap_or_else(|| io::Error::new(ErrorKind::NotFound, "its name has no address")))
}

async fn asked(way: &Way, server: IpAddr, host: &str, kind: TYPE) -> io::Result<Vec<IpAddr>> {
    let own: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(own, 0)).await?;
    socket.bind_device(Some(way.interface.as_bytes()))?;
    // Only the server's own answers come in.
    socket.connect(SocketAddr::new(server, PORT)).await?;
    let [high, low, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let query = query(id, host, kind).ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no name"))?;
    socket.send(&query).await?;
    let mut buffer = [0; 1232];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let silent = |_| io::Error::new(ErrorKind::TimedOut, format!("the name server {server} does not answer"));
    let length = received.map_err(silent)??;
    answer(&buffer[..length], id).map_err(|why| io::Error::other(format!("the name server {server} {why}")))
}

fn query(id: u16, host: &str, kind: TYPE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(host).ok()?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

fn answer(bytes: &[u8], id: u16) -> Result<Vec<IpAddr>, &'static str> {
    let packet = Packet::parse(bytes).map_err(|_| "answers something that is not DNS")?;
    match packet.rcode() {
        _ if packet.id() != id => return Err("answers another question"),
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
    fn an_answer_is_taken_if_it_is_ours() {
        let mut reply = Packet::new_reply(7);
        let record = A { address: u32::from(Ipv4Addr::new(10, 0, 0, 9)) };
        let name = Name::new_unchecked("live.example.net");
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, RData::A(record)));
        let bytes = reply.build_bytes_vec().unwrap();
        assert_eq!(answer(&bytes, 7), Ok(vec![IpAddr::from([10, 0, 0, 9])]));
        assert_eq!(answer(&bytes, 8), Err("answers another question"));
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
