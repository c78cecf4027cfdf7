//! A multicast receiver on the loopback interface.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use robocast_sim::rtp::Received;
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

use crate::process::DEADLINE;

/// A socket that joined a group and port that no other test uses.
pub struct Receiver {
    socket: UdpSocket,
    pub group: String,
    pub port: String,
}

impl Receiver {
    pub fn join() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let [low, high, ..] = std::process::id().to_le_bytes();
        let group = Ipv4Addr::new(239, high, low, NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        socket.set_recv_buffer_size(4 << 20).expect("a large buffer");
        socket.bind(&SocketAddrV4::new(group, 0).into()).expect("a free port");
        let loopback = InterfaceIndexOrAddress::Address(Ipv4Addr::LOCALHOST);
        socket.join_multicast_v4_n(&group, &loopback).expect("a group on lo");
        let socket = UdpSocket::from(socket);
        let port = socket.local_addr().expect("bound").port();
        Self { socket, group: group.to_string(), port: port.to_string() }
    }

    /// The next packet; none within `patience`.
    pub fn packet_within(&self, patience: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(patience)).expect("a timeout");
        let mut packet = vec![0; 2048];
        let length = self.socket.recv(&mut packet).ok()?;
        packet.truncate(length);
        Some(packet)
    }

    pub fn packet(&self) -> Vec<u8> {
        self.packet_within(DEADLINE).expect("a packet in time")
    }

    /// Reads packets until one fits, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, fits: impl Fn(&Received<'_>) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let packet = self.packet();
            if Received::parse(&packet).is_some_and(|received| fits(&received)) {
                return packet;
            }
            assert!(Instant::now() < deadline, "no packet with {what}");
        }
    }

    /// Reads until nothing has come for `silence`.
    #[track_caller]
    pub fn drain(&self, silence: Duration) {
        let deadline = Instant::now() + DEADLINE;
        while self.packet_within(silence).is_some() {
            assert!(Instant::now() < deadline, "packets keep coming");
        }
    }
}

pub fn ssrc(packet: &[u8]) -> u32 {
    Received::parse(packet).expect("RTP").ssrc
}
