//! Whether the robot answers: probed from inside its namespace.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::namespace::Namespace;

/// How long it may take: the kernel asks three times, a second apart.
const PATIENCE: Duration = Duration::from_millis(3500);

/// A port that robots usually serve. A refusal is an answer too.
const PORT: u16 = 443;

/// How much of an answer the robot gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RobotReach {
    /// It accepts or refuses a TCP connection.
    Answers,
    /// It answers ARP, and nothing more.
    OnTheWire,
    /// No host answers for its address.
    Silent,
}

/// Probes the robot.
///
/// # Errors
/// When the namespace cannot be entered, or there is no route to the address.
pub async fn probe_robot(namespace: &Namespace, robot: IpAddr) -> io::Result<RobotReach> {
    let groups = &[MulticastGroup::Neigh];
    let (connection, handle, mut news) =
        namespace.run(move || rtnetlink::new_multicast_connection(groups)).await??;
    let listening = tokio::spawn(connection);
    let stop = listening.abort_handle();
    let deadline = Instant::now() + PATIENCE;
    // The kernel's neighbour entries prove nothing: have it probe them again. Packets still flow meanwhile.
    if let Ok(known) = handle.neighbours().get().execute().try_collect::<Vec<_>>().await {
        for old in known.iter().filter(|message| concerns(message, robot) && is_known(message)) {
            let mut again =
                handle.neighbours().add(old.header.ifindex, robot).replace().state(NeighbourState::Probe);
            if let Some(mac) = mac(old) {
                again = again.link_layer_address(&mac);
                let _ = again.execute().await;
            }
        }
    }
    let socket = namespace.run(move || start_connecting(SocketAddr::new(robot, PORT))).await??;
    let on_wire = async {
        while let Some((message, _)) = news.next().await {
            let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(message)) = message.payload
            else {
                continue;
            };
            if concerns(&message, robot) {
                match message.header.state {
                    NeighbourState::Reachable => return true,
                    NeighbourState::Failed => return false,
                    _ => {}
                }
            }
        }
        false
    };
    let tcp = async {
        match socket.writable().await.and_then(|()| socket.take_error()) {
            Ok(None) => true,
            Ok(Some(error)) | Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        }
    };
    tokio::pin!(on_wire, tcp);
    let mut reach = RobotReach::Silent;
    let (mut wire_done, mut tcp_done) = (false, false);
    while !(wire_done && (tcp_done || reach == RobotReach::Silent)) {
        let step = async {
            tokio::select! {
                there = &mut on_wire, if !wire_done => (true, there),
                answers = &mut tcp, if !tcp_done => (false, answers),
            }
        };
        match timeout_at(deadline, step).await {
            Ok((true, there)) => {
                wire_done = true;
                if there {
                    reach = RobotReach::OnTheWire;
                }
            }
            Ok((false, true)) => {
                reach = RobotReach::Answers;
                break;
            }
            Ok((false, false)) => tcp_done = true,
            Err(_) => break,
        }
    }
    stop.abort();
    Ok(reach)
}

/// A socket that starts to connect. A missing route is reported at once.
fn start_connecting(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {}
            _ => return Err(error),
        },
        _ => {}
    }
    TcpStream::from_std(socket.into())
}

fn concerns(message: &NeighbourMessage, robot: IpAddr) -> bool {
    message.attributes.iter().any(|attribute| match (attribute, robot) {
        (NeighbourAttribute::Destination(NeighbourAddress::Inet(address)), IpAddr::V4(robot)) => {
            *address == robot
        }
        (NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)), IpAddr::V6(robot)) => {
            *address == robot
        }
        _ => false,
    })
}

fn is_known(message: &NeighbourMessage) -> bool {
    matches!(message.header.state, NeighbourState::Reachable | NeighbourState::Stale | NeighbourState::Delay)
}

fn mac(message: &NeighbourMessage) -> Option<Vec<u8>> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(mac) => Some(mac.clone()),
        _ => None,
    })
}
