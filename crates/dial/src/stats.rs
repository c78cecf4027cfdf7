//! The kernel's statistics of a connection: `TCP_INFO` (linux/tcp.h), and for an MPTCP connection also
//! `MPTCP_INFO`, `MPTCP_TCPINFO` and `MPTCP_SUBFLOW_ADDRS` (linux/mptcp.h, since Linux 5.16).

use crate::sockopt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::time::Duration;

const SOL_TCP: i32 = 6;
const TCP_INFO: i32 = 11;
const SOL_MPTCP: i32 = 284;
const MPTCP_INFO: i32 = 1;
const MPTCP_TCPINFO: i32 = 2;
const MPTCP_SUBFLOW_ADDRS: i32 = 3;

/// How many bytes of `struct tcp_info` are read.
const TCP_INFO_SIZE: usize = 136;
/// How many bytes of `struct mptcp_info` are read.
const MPTCP_INFO_SIZE: usize = 40;
/// `struct mptcp_subflow_data`, which precedes the elements of the other two.
const HEAD: usize = 16;
/// `struct mptcp_subflow_addrs`: two `sockaddr_storage`.
const ADDRESSES_SIZE: usize = 256;
/// The kernel allows 8 subflows.
const SUBFLOWS: usize = 8;
const ESTABLISHED: u8 = 1;

/// One TCP connection, or one subflow of an MPTCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subflow {
    /// The box's address; none if it was not requested.
    pub local: Option<IpAddr>,
    /// Segments that were sent but not acknowledged.
    pub unacknowledged: u32,
    /// Bytes acknowledged.
    pub acknowledged: u64,
    /// Time since the other end last acknowledged anything.
    pub silent: Duration,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// Its variance.
    pub rttvar: Duration,
}

/// The state of a connection at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketStats {
    /// TCP, or MPTCP that fell back to it.
    Tcp(Subflow),
    /// MPTCP on both ends.
    Mptcp {
        /// Bytes that were written but not acknowledged, over all subflows.
        outstanding: u64,
        /// Bytes acknowledged.
        acknowledged: u64,
        /// The established subflows.
        subflows: Vec<Subflow>,
    },
}

impl SocketStats {
    /// Reads the statistics of a connection.
    ///
    /// # Errors
    /// When the kernel does not report them.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let mut info = [0; MPTCP_INFO_SIZE];
        let Ok(info) = sockopt::read(socket, SOL_MPTCP, MPTCP_INFO, &mut info) else {
            let mut info = [0; TCP_INFO_SIZE];
            return Ok(Self::Tcp(path(sockopt::read(socket, SOL_TCP, TCP_INFO, &mut info)?)));
        };
        let (written, acknowledged) = (u64_at(info, 16), u64_at(info, 24));
        Ok(Self::Mptcp {
            outstanding: written.wrapping_sub(acknowledged),
            acknowledged,
            subflows: subflows(socket).unwrap_or_default(),
        })
    }
}

/// Whether the kernel reports on MPTCP connections; `socket` is not connected yet.
pub fn reports_mptcp(socket: &impl AsFd) -> bool {
    sockopt::read(socket, SOL_MPTCP, MPTCP_INFO, &mut [0; MPTCP_INFO_SIZE]).is_ok()
}

fn subflows(socket: &impl AsFd) -> io::Result<Vec<Subflow>> {
    let infos = elements(socket, MPTCP_TCPINFO, TCP_INFO_SIZE)?;
    let addresses = elements(socket, MPTCP_SUBFLOW_ADDRS, ADDRESSES_SIZE)?;
    if infos.len() != addresses.len() {
        // A subflow was added or removed in between; the next reading is complete again.
        return Err(io::ErrorKind::Interrupted.into());
    }
    let both = infos.iter().zip(&addresses);
    let established = both.filter(|(info, _)| info.first() == Some(&ESTABLISHED));
    Ok(established.map(|(info, local)| Subflow { local: address(local), ..path(info) }).collect())
}

/// The elements of an option that has one element per subflow, in the kernel's order.
fn elements(socket: &impl AsFd, name: i32, size: usize) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0; HEAD + SUBFLOWS * size];
    let sizes = |size: usize| u32::try_from(size).unwrap_or(0).to_ne_bytes();
    // size_subflow_data, num_subflows, size_kernel, size_user.
    buffer[..4].copy_from_slice(&sizes(HEAD));
    buffer[12..16].copy_from_slice(&sizes(size));
    let filled = sockopt::read(socket, SOL_MPTCP, name, &mut buffer)?;
    let count = usize::try_from(u32_at(filled, 4)).unwrap_or(0);
    let elements = filled.get(HEAD..).unwrap_or_default().chunks_exact(size);
    Ok(elements.take(count).map(<[u8]>::to_vec).collect())
}

fn path(info: &[u8]) -> Subflow {
    Subflow {
        local: None,
        unacknowledged: u32_at(info, 24),
        acknowledged: u64_at(info, 120),
        silent: Duration::from_millis(u32_at(info, 56).into()),
        rtt: Duration::from_micros(u32_at(info, 68).into()),
        rttvar: Duration::from_micros(u32_at(info, 72).into()),
    }
}

/// The address in a `struct sockaddr`.
fn address(from: &[u8]) -> Option<IpAddr> {
    match u16::from_ne_bytes(*from.first_chunk()?) {
        2 => Some(Ipv4Addr::from(*from.get(4..)?.first_chunk::<4>()?).into()),
        10 => Some(Ipv6Addr::from(*from.get(8..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// A number from the kernel; 0 if the struct of an older kernel ends before it.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |&bytes| u32::from_ne_bytes(bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |&bytes| u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_statistics_of_a_local_connection_are_read() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let mut peer = server.accept().unwrap().0;
        client.write_all(&[7; 3000]).unwrap();
        peer.read_exact(&mut [0; 3000]).unwrap();
        let SocketStats::Tcp(path) = SocketStats::of(&client).unwrap() else { panic!("plain TCP") };
        assert_eq!((path.unacknowledged, path.acknowledged), (0, 3001), "3000 bytes and the SYN");
        assert!(path.rtt > Duration::ZERO && path.rtt < Duration::from_secs(1), "{path:?}");
        assert!(path.silent < Duration::from_secs(2), "{path:?}");
    }

    #[test]
    fn fields_missing_in_an_older_kernel_read_as_zero() {
        let path = path(&[0xff; 70]);
        assert_eq!((path.rtt, path.acknowledged), (Duration::ZERO, 0));
        assert_ne!(path.silent, Duration::ZERO);
        assert_eq!(address(&[2, 0, 0, 0, 10]), None);
    }
}
