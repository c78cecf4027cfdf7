//! RTP from a socket of our own: Go2's multicast, or any sender.

use super::OpenError;
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use crate::rtp::{ReceivedUnit, Receiver};
use robocast_config as config;
use robocast_video::clock::MonoTime;
use robocast_video::h264::ParameterSets;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub address: SocketAddr,
    pub interface: Option<String>,
    pub payload_type: Option<u8>,
}

/// Go2's front camera (field facts: Unitree SDK2 `go2_video_client`, multicast example).
pub fn go2(interface: &str) -> Plan {
    Plan {
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(230, 1, 1, 1)), 1720),
        interface: Some(interface.to_owned()),
        payload_type: Some(96),
    }
}

/// An `rtp://` source. Multicast is joined on the robot's interface unless another is named.
pub fn plan(source: &config::RtpSource, robot_interface: &str) -> Plan {
    let joined = source.address.is_multicast().then(|| robot_interface.to_owned());
    Plan {
        address: SocketAddr::new(source.address, source.port),
        interface: source.interface.clone().or(joined),
        payload_type: source.payload_type,
    }
}

/// The most a kernel lets us have without privilege is usually less; it takes what it can.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket and what becomes of its datagrams.
#[derive(Debug)]
pub struct RtpSource {
    socket: UdpSocket,
    receiver: Receiver,
    output: SourceOutput,
    datagram: Vec<u8>,
}

impl RtpSource {
    /// Listens as planned.
    pub fn open(plan: &Plan, jitter: Duration, shared: &CameraContext) -> Result<Self, OpenError> {
        let index = match &plan.interface {
            Some(name) => Some(
                nix::net::if_::if_nametoindex(name.as_str())
                    .map_err(|_| OpenError::NoInterface(name.clone()))?,
            ),
            None => None,
        };
        let socket = bind(plan, index)
            .map_err(|source| OpenError::Socket { address: plan.address.to_string(), source })?;
        Ok(Self {
            socket,
            receiver: Receiver::new(jitter, plan.payload_type),
            output: SourceOutput::coded(shared.clone(), ParameterSets::default()),
            datagram: vec![0; 65_536],
        })
    }

    /// Receives until the socket fails.
    pub async fn run(&mut self) -> String {
        loop {
            let deadline = self.receiver.deadline();
            let readable = tokio::select! {
                readable = self.socket.readable() => readable,
                () = until(deadline) => Ok(()),
            };
            if let Err(error) = readable.and_then(|()| self.drain()) {
                return format!("cannot receive: {error}");
            }
        }
    }

    /// Takes every datagram that is there.
    fn drain(&mut self) -> io::Result<()> {
        let output = &mut self.output;
        let mut done = |picture: ReceivedUnit| output.take(arrival(picture));
        loop {
            match self.socket.try_recv(&mut self.datagram) {
                Ok(length) => self.receiver.datagram(&self.datagram[..length], MonoTime::now(), &mut done),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP answer to nothing we sent.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        self.receiver.expire(MonoTime::now(), done);
        Ok(())
    }
}

/// A picture off the network, as an output takes it.
pub fn arrival(picture: ReceivedUnit) -> SourceUnit {
    SourceUnit {
        data: picture.assembled.data,
        pts: picture.pts,
        dts: None,
        arrived: picture.arrived,
        intact: picture.assembled.intact,
        after_loss: picture.assembled.after_loss,
        new_sender: picture.new_sender,
    }
}

async fn until(deadline: Option<MonoTime>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(MonoTime::now())).await,
        None => std::future::pending().await,
    }
}

fn bind(plan: &Plan, index: Option<u32>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(plan.address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    // Bound to the group itself: datagrams to other groups on this port stay away.
    socket.bind(&plan.address.into())?;
    match (plan.address.ip(), index) {
        (IpAddr::V4(group), Some(index)) if group.is_multicast() => {
            // Without this, a group that another program joined elsewhere would come in too.
            socket.set_multicast_all_v4(false)?;
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        (IpAddr::V6(group), Some(index)) if group.is_multicast() => {
            socket.set_multicast_all_v6(false)?;
            socket.join_multicast_v6(&group, index)?;
        }
        (_, Some(_)) => {
            if let Some(name) = &plan.interface {
                socket.bind_device(Some(name.as_bytes()))?;
            }
        }
        (_, None) => {}
    }
    UdpSocket::from_std(socket.into())
}
