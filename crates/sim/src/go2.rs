//! A robot that sends RTP to a multicast group and accepts no connections, like the Unitree Go2.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::clip::Timed;
use crate::command::{Command, Robot};
use crate::control::print_line;
use crate::error::Error;
use crate::fault::{Injector, Reach};
use crate::feed::{Feed, Footage, Sink};
use crate::random::Random;
use crate::rtp::{MTU, Packetizer, Session};
use crate::slice_log::SliceLog;

/// Where and how to send.
#[derive(Clone, Debug)]
pub struct Address {
    pub group: IpAddr,
    pub port: u16,
    /// The interface for a multicast group; a unicast address follows the routes.
    pub interface: String,
    pub payload_type: u8,
}

/// The running robot.
pub struct Go2 {
    transmitter: Arc<Mutex<Transmitter>>,
    feed: Feed,
    resizable: bool,
}

impl Go2 {
    pub fn start(
        address: &Address,
        footage: &Footage,
        log: Option<&Path>,
        seed: u64,
        failed: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let transmitter = Arc::new(Mutex::new(Transmitter::open(address, log, seed)?));
        let feed = Feed::start(footage, false, Antenna(transmitter.clone()), failed)?;
        Ok(Self { transmitter, feed, resizable: footage.is_resizable() })
    }
}

impl Robot for Go2 {
    fn obey(&self, command: Command) -> Result<Option<Value>, String> {
        match command {
            Command::Vanish => lock(&self.transmitter).vanished = true,
            Command::Return => lock(&self.transmitter).vanished = false,
            Command::Freeze => self.feed.freeze(true),
            Command::Thaw => self.feed.freeze(false),
            Command::Restart => self.feed.restart(),
            Command::Resolution(_) if !self.resizable => {
                return Err("a file's size is fixed; run with --pattern".into());
            }
            Command::Resolution(size) => self.feed.resize(size),
            Command::Fault(fault) => fault.put(&mut lock(&self.transmitter).injector.faults),
            Command::Stat => return Ok(Some(lock(&self.transmitter).stat())),
        }
        Ok(None)
    }
}

fn lock(transmitter: &Mutex<Transmitter>) -> MutexGuard<'_, Transmitter> {
    transmitter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A picture is sent at 180 Mbit/s at most, as over a cable: at the loopback's speed a single large keyframe would fill the
/// default receive buffer of a socket.
const BURST: usize = 16;
const BREATH: Duration = Duration::from_millis(1);

struct Antenna(Arc<Mutex<Transmitter>>);

impl Sink for Antenna {
    fn restarted(&mut self) {
        lock(&self.0).restart();
    }

    fn deliver(&mut self, timed: &Timed) -> Result<(), Error> {
        lock(&self.0).send(timed)
    }
}

struct Transmitter {
    socket: Socket,
    to: SockAddr,
    packetizer: Packetizer,
    injector: Injector,
    random: Random,
    log: Option<SliceLog>,
    /// A cut cable: the robot continues, but its packets and sequence numbers are lost.
    vanished: bool,
    ready: Option<Value>,
    sequence: u64,
    access_units: u64,
    slices: u64,
    packets: u64,
    bytes: u64,
    send_errors: u64,
    whole: Vec<Vec<u8>>,
    faulty: Vec<Vec<u8>>,
}

impl Transmitter {
    fn open(address: &Address, log: Option<&Path>, seed: u64) -> Result<Self, Error> {
        let to = SocketAddr::new(address.group, address.port);
        let socket = open_socket(address.group, &address.interface)?;
        let log = log
            .map(|path| SliceLog::open(path).map_err(|error| Error::OpenLog(path.to_owned(), error)))
            .transpose()?;
        let mut random = Random::new(seed);
        let packetizer = Packetizer::new(Session::draw(&mut random), address.payload_type, MTU);
        let ready = json!({
            "ready": true,
            "robot": "go2",
            "address": address.group.to_string(),
            "port": address.port,
            "interface": address.interface,
            "payload_type": address.payload_type,
            "ssrc": packetizer.ssrc(),
            "seed": seed,
        });
        Ok(Self {
            socket,
            to: to.into(),
            packetizer,
            injector: Injector::new(random.bits(), Reach::Packet),
            random,
            log,
            vanished: false,
            ready: Some(ready),
            sequence: 0,
            access_units: 0,
            slices: 0,
            packets: 0,
            bytes: 0,
            send_errors: 0,
            whole: Vec::new(),
            faulty: Vec::new(),
        })
    }

    fn restart(&mut self) {
        self.packetizer.begin(Session::draw(&mut self.random));
        self.vanished = false;
    }

    fn send(&mut self, timed: &Timed) -> Result<(), Error> {
        let sequence = self.sequence;
        self.sequence += 1;
        self.whole.clear();
        self.packetizer.packetize(&timed.unit, timed.shown, &mut self.whole);
        if self.vanished {
            return Ok(());
        }
        self.faulty.clear();
        for packet in self.whole.drain(..) {
            self.injector.pass(packet, &mut self.faulty);
        }
        let mut failed = 0;
        for (index, packet) in self.faulty.iter().enumerate() {
            if index > 0 && index % BURST == 0 {
                thread::park_timeout(BREATH);
            }
            match self.socket.send_to(packet, &self.to) {
                Ok(bytes) => {
                    self.packets += 1;
                    self.bytes += bytes as u64;
                }
                Err(_) => failed += 1,
            }
        }
        self.send_errors += failed;
        if failed > 0 {
            return Ok(());
        }
        self.access_units += 1;
        self.slices += timed.unit.slices().count() as u64;
        if let Some(log) = &mut self.log {
            log.append(sequence, &timed.unit)
                .map_err(|error| Error::WriteLog(log.path().to_owned(), error))?;
        }
        if let Some(ready) = self.ready.take() {
            print_line(&ready.to_string());
        }
        Ok(())
    }

    fn stat(&self) -> Value {
        json!({
            "access_units": self.access_units,
            "packets": self.packets,
            "bytes": self.bytes,
            "slices": self.slices,
            "dropped": self.injector.dropped,
            "send_errors": self.send_errors,
            "ssrc": self.packetizer.ssrc(),
            "vanished": self.vanished,
        })
    }
}

fn open_socket(group: IpAddr, interface: &str) -> Result<Socket, Error> {
    let domain = if group.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(Error::Socket)?;
    match group {
        IpAddr::V4(group) if group.is_multicast() => {
            let index = rustix::net::netdevice::name_to_index(&socket, interface)
                .map_err(|error| Error::Interface(interface.into(), error.into()))?;
            set_multicast_interface(&socket, index).map_err(Error::Socket)?;
            socket.set_multicast_loop_v4(true).map_err(Error::Socket)?;
            socket.set_multicast_ttl_v4(1).map_err(Error::Socket)?;
        }
        IpAddr::V6(address) if address.is_multicast() => return Err(Error::Group(group)),
        _ => {}
    }
    Ok(socket)
}

/// Sets it by index, so that an interface without an address works too.
fn set_multicast_interface(socket: &Socket, index: u32) -> io::Result<()> {
    let any = Ipv4Addr::UNSPECIFIED;
    Ok(rustix::net::sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_interface_is_refused_with_a_hint() {
        let error = open_socket("230.1.1.1".parse().unwrap(), "nowhere0").unwrap_err();
        assert!(error.to_string().contains("no interface `nowhere0`"), "{error}");
        assert!(open_socket("230.1.1.1".parse().unwrap(), "lo").is_ok());
        assert!(open_socket("127.0.0.1".parse().unwrap(), "nowhere0").is_ok());
        assert!(matches!(open_socket("ff02::1".parse().unwrap(), "lo"), Err(Error::Group(_))));
    }
}
