//! RTP from a socket: a Go2's multicast, or any sender.

use super::{OpenError, RunningSource, SourceContext};
use crate::bitrate_control::BitrateControl;
use crate::counters::Counters;
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use crate::output::SourceOutput;
use crate::rtp::{ReceivedUnit, Receiver};
use robocast_config as config;
use robocast_gst::pipeline::PipelineError;
use robocast_video::clock::MonoTime;
use robocast_video::h264::ParameterSets;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RtpEndpoint {
    address: SocketAddr,
    interface: Option<String>,
    payload_type: Option<u8>,
}

/// Go2's front camera (field facts: Unitree SDK2 `go2_video_client`, multicast example).
fn go2_endpoint(interface: &str) -> RtpEndpoint {
    RtpEndpoint {
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(230, 1, 1, 1)), 1720),
        interface: Some(interface.to_owned()),
        payload_type: Some(96),
    }
}

/// An `rtp://` source. Multicast is joined on the robot's interface unless another is named.
fn rtp_endpoint(source: &config::RtpSource, robot_interface: &str) -> RtpEndpoint {
    let joined = source.address.is_multicast().then(|| robot_interface.to_owned());
    RtpEndpoint {
        address: SocketAddr::new(source.address, source.port),
        interface: source.interface.clone().or(joined),
        payload_type: source.payload_type,
    }
}

/// Listens to a Go2's camera, on the robot's interface unless another is named.
pub fn open_go2(interface: Option<&str>, context: SourceContext<'_>) -> Result<RtpSocketSource, OpenError> {
    let interface = interface.unwrap_or(&context.settings.robot.interface);
    RtpSocketSource::listen(&go2_endpoint(interface), context)
}

/// Listens to an `rtp://` source.
pub fn open_rtp(
    source: &config::RtpSource,
    context: SourceContext<'_>,
) -> Result<RtpSocketSource, OpenError> {
    RtpSocketSource::listen(&rtp_endpoint(source, &context.settings.robot.interface), context)
}

/// Without privilege the kernel usually grants less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket, and the receiver of its datagrams.
#[derive(Debug)]
pub struct RtpSocketSource {
    socket: UdpSocket,
    receiver: Receiver,
    output: SourceOutput,
    counters: Arc<Counters>,
    datagram: Vec<u8>,
}

impl RtpSocketSource {
    fn listen(endpoint: &RtpEndpoint, context: SourceContext<'_>) -> Result<Self, OpenError> {
        let index = match &endpoint.interface {
            Some(name) => Some(
                nix::net::if_::if_nametoindex(name.as_str())
                    .map_err(|_| OpenError::NoInterface(name.clone()))?,
            ),
            None => None,
        };
        let socket = bind_socket(endpoint, index)
            .map_err(|source| OpenError::Socket { address: endpoint.address.to_string(), source })?;
        Ok(Self {
            socket,
            receiver: Receiver::new(context.stream.jitter_buffer, endpoint.payload_type),
            output: SourceOutput::coded(context.output.clone(), ParameterSets::default()),
            counters: context.output.counters.clone(),
            datagram: vec![0; 65_536],
        })
    }

    /// Receives every datagram that is there.
    fn receive_datagrams(&mut self) -> io::Result<()> {
        let output = &mut self.output;
        let mut done = |unit: ReceivedUnit| output.deliver(unit);
        loop {
            match self.socket.try_recv(&mut self.datagram) {
                Ok(length) => {
                    self.receiver.receive_datagram(&self.datagram[..length], MonoTime::now(), &mut done);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP message in response to nothing that we sent.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        self.receiver.expire(MonoTime::now(), done);
        self.counters.add_packets(self.receiver.take_counts());
        Ok(())
    }
}

impl RunningSource for RtpSocketSource {
    async fn run(&mut self) -> SourceEnd {
        loop {
            let deadline = self.receiver.deadline();
            let readable = tokio::select! {
                readable = self.socket.readable() => readable,
                () = sleep_until(deadline) => Ok(()),
            };
            if let Err(error) = readable.and_then(|()| self.receive_datagrams()) {
                return SourceEnd::because(format!("cannot receive: {error}"));
            }
        }
    }

    fn patience(&self) -> Patience {
        Patience::PACKETS
    }

    fn control(&self) -> Option<BitrateControl> {
        None
    }

    async fn close(self) -> Result<(), PipelineError> {
        Ok(())
    }
}

async fn sleep_until(deadline: Option<MonoTime>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(MonoTime::now())).await,
        None => std::future::pending().await,
    }
}

fn bind_socket(endpoint: &RtpEndpoint, index: Option<u32>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(endpoint.address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    // Bound to the group itself: datagrams to other groups on this port stay away.
    socket.bind(&endpoint.address.into())?;
    match (endpoint.address.ip(), index) {
        (IpAddr::V4(group), Some(index)) if group.is_multicast() => {
            // Without this, the socket would also get the group from interfaces where another program joined it.
            socket.set_multicast_all_v4(false)?;
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        (IpAddr::V6(group), Some(index)) if group.is_multicast() => {
            socket.set_multicast_all_v6(false)?;
            socket.join_multicast_v6(&group, index)?;
        }
        (_, Some(_)) => {
            if let Some(name) = &endpoint.interface {
                socket.bind_device(Some(name.as_bytes()))?;
            }
        }
        (_, None) => {}
    }
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Attempt;
    use crate::source::testing::context;
    use robocast_gst::encoder::EncodingTarget;
    use robocast_video::h264::samples;
    use std::time::Duration;

    #[test]
    fn multicast_is_joined_on_the_robots_interface_unless_another_is_named() {
        let endpoint = |url: &str| {
            let text = format!("schema = 1\n[[stream]]\nname = \"a\"\nsource = \"{url}\"\n");
            let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
            let config::Source::Rtp(source) = settings.streams[0].source.clone() else { panic!("no RTP") };
            rtp_endpoint(&source, "eth0")
        };
        for (url, interface, payload_type) in [
            ("rtp://230.1.1.1:1720", Some("eth0"), None),
            ("rtp://230.1.1.1:1720?interface=eth7&payload=96", Some("eth7"), Some(96)),
            ("rtp://0.0.0.0:5004", None, None),
            ("rtp://0.0.0.0:5004?interface=eth7", Some("eth7"), None),
        ] {
            let found = endpoint(url);
            assert_eq!((found.interface.as_deref(), found.payload_type), (interface, payload_type), "{url}");
        }
        let go2 = go2_endpoint("eth3");
        assert_eq!((go2.address.to_string().as_str(), go2.payload_type), ("230.1.1.1:1720", Some(96)));
    }

    fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
        rtp_types::RtpPacketBuilder::<&[u8], &[u8]>::new()
            .ssrc(7)
            .payload_type(96)
            .sequence_number(sequence)
            .timestamp(u32::from(sequence) * 3600)
            .marker_bit(true)
            .payload(payload)
            .write_vec()
            .unwrap()
    }

    #[tokio::test]
    async fn packets_of_a_socket_become_units_and_those_that_are_no_use_are_counted() {
        let output = context();
        let text = format!("schema = 1\n[[stream]]\nname = \"a\"\nsource = \"{}\"\n", output.stream.source);
        let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
        let target = EncodingTarget {
            bitrate: output.stream.bitrate.max,
            size: None,
            fps: None,
            keyframe_interval: output.stream.keyframe_interval,
        };
        let endpoint =
            RtpEndpoint { address: "127.0.0.1:0".parse().unwrap(), interface: None, payload_type: Some(96) };
        let attempt = Attempt { fruitless: 0, target };
        let context =
            SourceContext { settings: &settings, stream: &settings.streams[0], output: &output, attempt };
        let mut source = RtpSocketSource::listen(&endpoint, context).unwrap();
        let robot = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        robot.connect(source.socket.local_addr().unwrap()).await.unwrap();
        // The parameter sets of 720p25 footage and the beginning of an IDR slice, in one packet (STAP-A).
        let nals: [&[u8]; 3] = [&samples::SPS, &samples::PPS, &samples::IDR];
        let mut keyframe = vec![24];
        for nal in nals {
            keyframe.extend(u16::try_from(nal.len()).unwrap().to_be_bytes());
            keyframe.extend(nal);
        }
        for datagram in
            [packet(1, &keyframe), b"no RTP".to_vec(), packet(2, &[0x41, 0x9a, 2]), packet(2, &[0x41])]
        {
            robot.send(&datagram).await.unwrap();
        }
        let mut reader = output.broadcast.subscribe();
        let reading = async {
            for keyframe in [true, false] {
                assert_eq!(reader.next().await.0.keyframe, keyframe);
            }
            while output.counters.packets().late == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            end = source.run() => panic!("{end:?}"),
            read = tokio::time::timeout(Duration::from_secs(10), reading) => read.expect("units within 10 s"),
        }
        let counted = output.counters.packets();
        assert_eq!((counted.malformed, counted.late, counted.lost), (1, 1, 0));
    }
}
