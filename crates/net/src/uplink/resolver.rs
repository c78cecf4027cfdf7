//! A DNS client that asks through one uplink: `resolve(name, egress)`. Names are looked up there by the uplink's own name
//! servers, whatever the system's resolver would do.

use crate::uplink::egress::Egress;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);
const PORT: u16 = 53;

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The uplink has no name server.
    #[error("this uplink has no name server: add `dns`")]
    NoServer,
    /// It cannot be a name.
    #[error("this is no valid name")]
    InvalidName,
    /// It exists, without an address.
    #[error("its name has no address")]
    NoAddress,
    /// The name server does not answer.
    #[error("the name server {0} does not answer")]
    Silent(IpAddr),
    /// The name server's answer is not usable.
    #[error("the name server {server} {answer}")]
    Answer {
        /// Which.
        server: IpAddr,
        /// What is wrong with it.
        answer: BadAnswer,
    },
    /// The socket fails.
    #[error("the name server {server} cannot be asked: {text}")]
    Socket {
        /// Which.
        server: IpAddr,
        /// Its kind.
        kind: io::ErrorKind,
        /// What the kernel says.
        text: String,
    },
}

/// What is wrong with a name server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Not a DNS message.
    #[error("answers something that is not DNS")]
    NotDns,
    /// An answer to something else.
    #[error("answers another question")]
    OtherQuestion,
    /// No such name.
    #[error("does not know the name")]
    UnknownName,
    /// It refuses, or fails.
    #[error("refuses")]
    Refused,
}

/// The addresses of a name, according to the uplink's own name servers. An address is its own answer.
///
/// # Errors
/// When no name server answers, or the name has no address.
pub async fn resolve(name: &str, egress: &Egress) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    if egress.dns.is_empty() {
        return Err(ResolveError::NoServer);
    }
    let mut failure = None;
    for server in &egress.dns {
        let (v4, v6) = tokio::join!(
            ask_server(egress, *server, name, TYPE::A),
            ask_server(egress, *server, name, TYPE::AAAA)
        );
        let found: Vec<_> = [&v4, &v6].into_iter().flatten().flatten().copied().collect();
        if !found.is_empty() {
            return Ok(found);
        }
        failure = v4.err().or(v6.err()).or(failure);
    }
    Err(failure.unwrap_or(ResolveError::NoAddress))
}

async fn ask_server(
    egress: &Egress,
    server: IpAddr,
    name: &str,
    kind: TYPE,
) -> Result<Vec<IpAddr>, ResolveError> {
    let [high, low, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let query = query(id, name, kind).ok_or(ResolveError::InvalidName)?;
    let mut buffer = [0; 1232];
    let exchanged = timeout(PATIENCE, exchange(egress, server, &query, &mut buffer)).await;
    let length = exchanged
        .map_err(|_| ResolveError::Silent(server))?
        .map_err(|error| ResolveError::Socket { server, kind: error.kind(), text: error.to_string() })?;
    parse_answer(&buffer[..length], id).map_err(|answer| ResolveError::Answer { server, answer })
}

async fn exchange(egress: &Egress, server: IpAddr, query: &[u8], answer: &mut [u8]) -> io::Result<usize> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.bind_device(Some(egress.interface.as_bytes()))?;
    // Only the server's own datagrams are received.
    socket.connect(SocketAddr::new(server, PORT)).await?;
    socket.send(query).await?;
    socket.recv(answer).await
}

fn query(id: u16, name: &str, kind: TYPE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).ok()?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

fn parse_answer(bytes: &[u8], id: u16) -> Result<Vec<IpAddr>, BadAnswer> {
    let packet = Packet::parse(bytes).map_err(|_| BadAnswer::NotDns)?;
    match packet.rcode() {
        _ if packet.id() != id => return Err(BadAnswer::OtherQuestion),
        RCODE::NoError => {}
        RCODE::NameError => return Err(BadAnswer::UnknownName),
        _ => return Err(BadAnswer::Refused),
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
    fn an_answer_is_accepted_if_it_is_ours() {
        let mut reply = Packet::new_reply(7);
        let record = A { address: u32::from(Ipv4Addr::new(10, 0, 0, 9)) };
        let name = Name::new_unchecked("live.example.net");
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, RData::A(record)));
        let bytes = reply.build_bytes_vec().unwrap();
        assert_eq!(parse_answer(&bytes, 7), Ok(vec![IpAddr::from([10, 0, 0, 9])]));
        assert_eq!(parse_answer(&bytes, 8), Err(BadAnswer::OtherQuestion));
        *reply.rcode_mut() = RCODE::NameError;
        assert_eq!(parse_answer(&reply.build_bytes_vec().unwrap(), 7), Err(BadAnswer::UnknownName));
        assert!(query(1, "live.example.net", TYPE::A).is_some());
        assert!(query(1, &"x".repeat(70), TYPE::A).is_none());
    }

    #[tokio::test]
    async fn an_address_needs_no_name_server_and_a_name_does() {
        let egress = Egress { interface: "lo".into(), dns: Vec::new(), metered: false };
        assert_eq!(resolve("10.0.0.9", &egress).await, Ok(vec![IpAddr::from([10, 0, 0, 9])]));
        assert_eq!(resolve("live.example.net", &egress).await, Err(ResolveError::NoServer));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes: Vec<u8>) {
            let _ = parse_answer(&bytes, 1);
        }
    }
}
