//! Private networks of a test: namespaces with unique names, cables between them, peers that send their name.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use robocast_net::robot::namespace::Namespace;
use robocast_net::robot::{DesiredRobotNetwork, RobotNetwork, RobotOutcome};
use robocast_tests::programs::{self, Root};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

/// Something that must arrive does so within this time, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for something that must not arrive.
pub const BRIEF: Duration = Duration::from_millis(300);

/// Whether this machine can do it.
pub fn able(programs: &[&str]) -> bool {
    programs::able(programs, Root::Needed)
}

#[allow(clippy::disallowed_methods)]
pub fn command(program: &str) -> Command {
    Command::new(program)
}

fn ip(args: &str) {
    let output = command("ip").args(args.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A namespace; removed when dropped.
pub struct Net(pub String);

impl Drop for Net {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = command("ip").args(["netns", "del", &self.0]).stderr(std::process::Stdio::null()).status();
    }
}

impl Net {
    /// A name; nothing is made yet.
    pub fn name(tag: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("rcn{}-{number}-{tag}", std::process::id()))
    }

    pub fn new(tag: &str) -> Self {
        let net = Self::name(tag);
        ip(&format!("netns add {}", net.0));
        net.ip("link set lo up");
        net
    }

    pub fn ip(&self, args: &str) {
        ip(&format!("-n {} {args}", self.0));
    }

    pub fn told(&self, program: &str, args: &str) -> String {
        let output =
            command("ip").args(["netns", "exec", &self.0, program]).args(args.split(' ')).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn namespace(&self) -> Namespace {
        Namespace::open(&self.0).unwrap().unwrap()
    }

    /// Runs work in it, on a separate thread.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let file = std::fs::File::open(format!("/run/netns/{}", self.0)).unwrap();
        let thread = std::thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    /// A program in it; killed when dropped.
    pub fn start(&self, program: &str, args: &[&str]) -> Running {
        let mut command = command("ip");
        command.args(["netns", "exec", &self.0, program]).args(args).stdin(std::process::Stdio::piped());
        Running(command.stdout(std::process::Stdio::piped()).spawn().unwrap())
    }

    /// A peer that answers over TCP and UDP with a word.
    pub fn answer(&self, at: &str, word: &'static str) {
        let at: SocketAddr = at.parse().unwrap();
        let (tcp, udp) = self.within(move || (TcpListener::bind(at).unwrap(), UdpSocket::bind(at).unwrap()));
        std::thread::spawn(move || {
            tcp.incoming().flatten().for_each(|mut peer| drop(peer.write_all(word.as_bytes())));
        });
        std::thread::spawn(move || {
            let mut datagram = [0; 64];
            while let Ok((_, from)) = udp.recv_from(&mut datagram) {
                let _ = udp.send_to(word.as_bytes(), from);
            }
        });
    }

    /// What arrives there, over TCP and UDP; nothing if the time runs out.
    pub fn ask(&self, to: &str, patience: Duration) -> (Option<String>, Option<String>) {
        let to: SocketAddr = to.parse().unwrap();
        self.within(move || (ask_tcp(to, patience), ask_udp(to, patience)))
    }

    /// Sends a datagram.
    pub fn send(&self, to: &str, text: &'static str) {
        let to: SocketAddr = to.parse().unwrap();
        let sent = self.within(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_broadcast(true).unwrap();
            socket.set_multicast_ttl_v4(8).unwrap();
            socket.send_to(text.as_bytes(), to)
        });
        // No route is an answer too.
        drop(sent);
    }

    /// Joins a group as a camera does: at an interface.
    pub fn join(&self, interface: &'static str, group: Ipv4Addr, port: u16) -> UdpSocket {
        self.within(move || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&SocketAddr::new(IpAddr::V4(group), port).into()).unwrap();
            let index = nix::net::if_::if_nametoindex(interface).unwrap();
            socket.set_multicast_all_v4(false).unwrap();
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)).unwrap();
            socket.into()
        })
    }
}

pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask_tcp(to: SocketAddr, patience: Duration) -> Option<String> {
    let mut peer = TcpStream::connect_timeout(&to, patience).ok()?;
    peer.set_read_timeout(Some(patience)).unwrap();
    let mut word = String::new();
    peer.read_to_string(&mut word).ok()?;
    Some(word)
}

fn ask_udp(to: SocketAddr, patience: Duration) -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(to).ok()?;
    let end = Instant::now() + patience;
    let mut datagram = [0; 64];
    // A first datagram may be lost while the address is asked for.
    while Instant::now() < end {
        socket.set_read_timeout(Some(patience.min(Duration::from_millis(500)))).unwrap();
        socket.send(b"who").ok()?;
        if let Ok(length) = socket.recv(&mut datagram) {
            return Some(String::from_utf8_lossy(&datagram[..length]).into_owned());
        }
    }
    None
}

/// The next packet on a socket within a time.
pub fn heard(socket: &UdpSocket, patience: Duration) -> Option<String> {
    socket.set_read_timeout(Some(patience)).unwrap();
    let mut datagram = [0; 2048];
    let length = socket.recv(&mut datagram).ok()?;
    Some(String::from_utf8_lossy(&datagram[..length]).into_owned())
}

/// Every frame of every interface of a network, both ways.
pub struct Capture(Socket);

impl Capture {
    pub fn on(net: &Net) -> Self {
        Self(net.within(|| {
            // ETH_P_ALL, in the order of the network.
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0x0300))).unwrap();
            socket.set_recv_buffer_size(8 << 20).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        }))
    }

    pub fn frames(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut frame = vec![0; 65536];
        while let Ok(length) = (&self.0).read(&mut frame) {
            frames.push(frame[..length].to_vec());
        }
        frames
    }
}

/// How many frames carry a text.
pub fn carrying(frames: &[Vec<u8>], text: &str) -> usize {
    let holds = |frame: &&Vec<u8>| frame.windows(text.len()).any(|part| part == text.as_bytes());
    frames.iter().filter(holds).count()
}

/// A box between a robot and the world: `eth0` leads to the robot's `r0`.
pub struct World {
    pub robot: Net,
    pub inside: Net,
    pub outside: Net,
}

impl World {
    pub fn new(robot: &str) -> Self {
        let world = Self { robot: Net::new("robot"), inside: Net::name("in"), outside: Net::new("box") };
        world.plug("eth0");
        world.robot.ip(&format!("address add {robot} dev r0"));
        world
    }

    /// Puts the cable in; the robot's end keeps no address.
    pub fn plug(&self, name: &str) {
        ip(&format!(
            "link add {name} netns {} type veth peer name r0 netns {}",
            self.outside.0, self.robot.0
        ));
        self.robot.ip("link set r0 up");
    }

    pub fn side(&self) -> RobotNetwork {
        RobotNetwork::between(self.outside.namespace(), &self.inside.0)
    }

    pub async fn up(&self, desired: &DesiredRobotNetwork) -> (RobotNetwork, RobotOutcome) {
        let mut side = self.side();
        let outcome = side.converge(desired).await;
        assert!(outcome.proven, "{outcome:#?}");
        (side, outcome)
    }
}

pub fn desired(text: &str) -> DesiredRobotNetwork {
    DesiredRobotNetwork::of(
        &robocast_config::parse(format!("schema = 1\n[robot]\n{text}").as_bytes()).unwrap().settings,
    )
}

/// Converges until it is so.
pub async fn until(
    side: &mut RobotNetwork,
    desired: &DesiredRobotNetwork,
    what: &str,
    so: impl Fn(&RobotNetwork, &RobotOutcome) -> bool,
) -> RobotOutcome {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let outcome = side.converge(desired).await;
        if so(side, &outcome) {
            return outcome;
        }
        let woken = tokio::time::timeout_at(end, side.changed()).await;
        assert!(woken.is_ok(), "{what}: nothing changes any more: {outcome:#?} {:?}", side.describe());
    }
}
