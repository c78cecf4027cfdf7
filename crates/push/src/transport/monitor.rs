//! Monitors one connection.

use super::stall::{Detector, Sample};
use robocast_bus::Evidence;
use robocast_dial::{SocketStats, Subflow};
use robocast_video::clock::MonoTime;
use socket2::Socket;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// How often the connection is sampled.
pub const EVERY: Duration = Duration::from_millis(100);
/// A subflow that carried nothing for this long is no evidence about its uplink.
const QUIET: Duration = Duration::from_secs(5);

/// The health of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionHealth {
    /// The interface that it uses; for an MPTCP connection, the one that was acknowledged last.
    pub uplink: String,
    /// All interfaces that it may use.
    pub uplinks: Vec<String>,
    /// Whether it uses MPTCP on both ends.
    pub mptcp: bool,
    /// How long nothing has come through the connection as a whole, if that is a stall.
    pub stalled: Option<Duration>,
    /// One row per interface that carries data; without the URL.
    pub rows: Vec<Evidence>,
}

/// Monitors one connection.
#[derive(Debug)]
pub struct ConnectionMonitor {
    socket: Socket,
    local: IpAddr,
    /// The interface that it is bound to; empty when unbound.
    bound: String,
    whole: Detector,
    subflows: HashMap<IpAddr, Detector>,
    /// The interfaces of addresses, including addresses that no longer exist.
    interfaces: HashMap<IpAddr, String>,
}

impl ConnectionMonitor {
    /// Monitors `stream`, which is bound to `uplink` if that is not empty.
    ///
    /// # Errors
    /// When the system has no descriptors left, or the connection is already gone.
    pub fn over(stream: &TcpStream, uplink: &str) -> io::Result<Self> {
        Ok(Self {
            local: stream.local_addr()?.ip(),
            socket: socket2::SockRef::from(stream).try_clone()?,
            bound: uplink.to_owned(),
            whole: Detector::default(),
            subflows: HashMap::new(),
            interfaces: HashMap::new(),
        })
    }

    /// Its health now; none while the kernel reports nothing.
    pub fn look(&mut self, now: MonoTime) -> Option<ConnectionHealth> {
        Some(match SocketStats::of(&self.socket).ok()? {
            SocketStats::Tcp(subflow) => self.tcp(now, &subflow),
            SocketStats::Mptcp { outstanding, acknowledged, subflows } => {
                self.mptcp(now, outstanding, acknowledged, &subflows)
            }
        })
    }

    fn tcp(&mut self, now: MonoTime, subflow: &Subflow) -> ConnectionHealth {
        let stalled = self.whole.observe(&sample(now, subflow));
        let uplink = if self.bound.is_empty() { self.interface(self.local) } else { self.bound.clone() };
        let rows = vec![row(&uplink, false, stalled, subflow.rtt)];
        ConnectionHealth { uplinks: vec![uplink.clone()], uplink, mptcp: false, stalled, rows }
    }

    fn mptcp(
        &mut self,
        now: MonoTime,
        outstanding: u64,
        acknowledged: u64,
        subflows: &[Subflow],
    ) -> ConnectionHealth {
        self.subflows.retain(|address, _| subflows.iter().any(|subflow| subflow.local == Some(*address)));
        let (mut rows, mut uplinks) = (Vec::new(), Vec::new());
        for subflow in subflows {
            let Some(local) = subflow.local else { continue };
            let interface = self.interface(local);
            let stalled = self.subflows.entry(local).or_default().observe(&sample(now, subflow));
            if subflow.unacknowledged > 0 || subflow.silent < QUIET {
                rows.push(row(&interface, true, stalled, subflow.rtt));
            }
            uplinks.push(interface);
        }
        // A server that accepts nothing (a closed window) leaves nothing unacknowledged on any subflow.
        let under_way = subflows.is_empty() || subflows.iter().any(|subflow| subflow.unacknowledged > 0);
        let heard = subflows.iter().min_by_key(|subflow| subflow.silent);
        let stalled = self.whole.observe(&Sample {
            at: now,
            outstanding: outstanding > 0 && under_way,
            acknowledged,
            silent: heard.map(|subflow| subflow.silent),
            rtt: subflows.iter().map(|subflow| subflow.rtt).max().unwrap_or_default(),
            rttvar: subflows.iter().map(|subflow| subflow.rttvar).max().unwrap_or_default(),
        });
        let local = heard.and_then(|subflow| subflow.local).unwrap_or(self.local);
        ConnectionHealth { uplink: self.interface(local), uplinks, mptcp: true, stalled, rows }
    }

    /// The interface that has this address; empty if there is none.
    fn interface(&mut self, address: IpAddr) -> String {
        if let Some(known) = self.interfaces.get(&address) {
            return known.clone();
        }
        let found = nix::ifaddrs::getifaddrs().ok().and_then(|mut all| all.find(|one| has(one, address)));
        let name = found.map(|one| one.interface_name).unwrap_or_default();
        if !name.is_empty() {
            self.interfaces.insert(address, name.clone());
        }
        name
    }
}

fn has(one: &nix::ifaddrs::InterfaceAddress, address: IpAddr) -> bool {
    one.address.is_some_and(|storage| match address {
        IpAddr::V4(address) => storage.as_sockaddr_in().is_some_and(|found| found.ip() == address),
        IpAddr::V6(address) => storage.as_sockaddr_in6().is_some_and(|found| found.ip() == address),
    })
}

fn sample(at: MonoTime, subflow: &Subflow) -> Sample {
    Sample {
        at,
        outstanding: subflow.unacknowledged > 0,
        acknowledged: subflow.acknowledged,
        silent: Some(subflow.silent),
        rtt: subflow.rtt,
        rttvar: subflow.rttvar,
    }
}

fn row(interface: &str, mptcp: bool, stalled: Option<Duration>, rtt: Duration) -> Evidence {
    Evidence {
        url: String::new(),
        interface: interface.to_owned(),
        mptcp,
        stalled: stalled.is_some(),
        stalled_ms: stalled.map_or(0, milliseconds),
        rtt_ms: milliseconds(rtt),
    }
}

/// Whole milliseconds; a time above 0 is never rounded to 0.
pub fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}
