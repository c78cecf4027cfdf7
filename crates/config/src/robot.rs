//! `[device]` and `[robot]`: the box and the robot that carries it.

use std::net::IpAddr;

use crate::cidr::Cidr;
use crate::parse_error::{ParseError, quote, unknown_word};
use crate::reader::{Reader, Section};
use crate::secret::Secret;
use crate::source::interface;

/// The box itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Host name, MQTT id and prefix of metrics: 1 to 32 of a-z, 0-9 and `-`, no `-` at either end. Default `robocast`.
    pub name: String,
}

impl Default for Device {
    fn default() -> Self {
        Self { name: "robocast".to_owned() }
    }
}

/// What the box is mounted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RobotKind {
    /// Boston Dynamics Spot.
    Spot,
    /// Unitree Go2.
    Go2,
    /// Another robot, or none.
    #[default]
    None,
}

impl RobotKind {
    /// The robot's address and the box's own address in its network, as the robot is set up by its maker.
    fn addresses(self) -> Option<(IpAddr, Cidr)> {
        let net = |robot: [u8; 4], own: [u8; 4]| (robot.into(), Cidr { address: own.into(), prefix: 24 });
        match self {
            Self::Spot => Some(net([192, 168, 50, 3], [192, 168, 50, 10])),
            Self::Go2 => Some(net([192, 168, 123, 161], [192, 168, 123, 222])),
            Self::None => None,
        }
    }
}

/// The robot and the wire to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Robot {
    /// Default none.
    pub kind: RobotKind,
    /// The robot's address; the default depends on the kind.
    pub address: Option<IpAddr>,
    /// The interface towards the robot, default `eth0`.
    pub interface: String,
    /// The box's own address in the robot's network; the default depends on the kind. None if the robot is on the loopback
    /// (a simulator) and no address is given.
    pub own_address: Option<Cidr>,
    /// User on the robot.
    pub username: Option<String>,
    /// Password on the robot.
    pub password: Option<Secret<String>>,
    /// How addresses are assigned on the wire; default [`Dhcp::Off`].
    pub dhcp: Dhcp,
    /// The ports of the box that the robot may reach, besides replies to the box's own requests; default none. No
    /// duplicates.
    pub allow: Vec<AllowedPort>,
}

/// Who assigns addresses on the wire to the robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Dhcp {
    /// `off`: the box uses `own_address`; the robot has its own address.
    #[default]
    Off,
    /// `client`: the box takes an address from a DHCP server there, but no router and no name server.
    Client,
    /// `server`: the box gives out the addresses that follow `own_address`.
    Server,
}

/// A port of the box that the robot may reach: `tcp/554`, `udp/5004`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedPort {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Not 0.
    pub port: u16,
}

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl std::fmt::Display for AllowedPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.protocol, self.port)
    }
}

/// Accepts `tcp/554` and `udp/5004`.
impl std::str::FromStr for AllowedPort {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &str = "write the protocol and the port, such as \"tcp/554\"";
        let Some((protocol, port)) = text.split_once('/') else {
            return Err(
                ParseError::new(format!("{} is not a protocol and a port", quote(text))).with_hint(FORM)
            );
        };
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(unknown_word("protocol", other, &["tcp", "udp"])),
        };
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        match port.parse() {
            Ok(port) if digits && port != 0 => Ok(Self { protocol, port }),
            _ => Err(ParseError::new(format!("{} is not a port", quote(port)))
                .with_hint("write a number from 1 to 65535, such as \"tcp/554\"")),
        }
    }
}

impl Default for Robot {
    fn default() -> Self {
        Self {
            kind: RobotKind::None,
            address: None,
            interface: "eth0".to_owned(),
            own_address: None,
            username: None,
            password: None,
            dhcp: Dhcp::Off,
            allow: Vec::new(),
        }
    }
}

/// Checks a name that is used in host names, topics and unit names.
pub(crate) fn name(text: &str) -> Result<String, ParseError> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fault = |why: &str| {
        ParseError::new(format!("the name {} {why}", quote(text))).with_hint(
            "use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as \"spot-07\"",
        )
    };
    match text {
        "" => Err(fault("is empty")),
        _ if !text.bytes().all(legal) => Err(fault("has characters other than a-z, 0-9 and `-`")),
        _ if text.len() > 32 => Err(fault("is longer than 32 characters")),
        _ if text.starts_with('-') || text.ends_with('-') => Err(fault("starts or ends with `-`")),
        _ => Ok(text.to_owned()),
    }
}

/// Checks an IP address.
pub(crate) fn ip(text: &str) -> Result<IpAddr, ParseError> {
    text.parse().map_err(|_| {
        let fault = ParseError::new(format!("{} is not an IP address", quote(text)));
        match text.parse::<Cidr>() {
            Ok(cidr) => fault.with_hint(format!("leave out the prefix length: \"{}\"", cidr.address)),
            Err(_) => {
                fault.with_hint("write four numbers with dots, such as \"192.168.50.3\", or an IPv6 address")
            }
        }
    })
}

/// Checks a string whose only rule is that it is not empty.
pub(crate) fn filled(text: &str) -> Result<String, ParseError> {
    if text.is_empty() {
        return Err(ParseError::new("the text is empty").with_hint("leave the key out, or give it a value"));
    }
    Ok(text.to_owned())
}

impl Device {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let mut device = Self::default();
        let Some(section) = reader.section(root, "device", "[device]") else { return device };
        reader.known(&section, &["name"]);
        if let Some(name) = reader.parsed(&section, "name", "`name = \"spot-07\"`", name) {
            device.name = name;
        }
        device
    }
}

const ALLOW: &str = "`allow = [\"tcp/554\"]`";

const KEYS: &[&str] =
    &["kind", "address", "interface", "own_address", "username", "password", "dhcp", "allow"];

impl Robot {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let mut robot = Self::default();
        let Some(section) = reader.section(root, "robot", "[robot]") else { return robot };
        reader.known(&section, KEYS);
        let kind = reader.parsed(&section, "kind", "`kind = \"spot\"`", |text| match text {
            "spot" => Ok(RobotKind::Spot),
            "go2" => Ok(RobotKind::Go2),
            "none" => Ok(RobotKind::None),
            other => Err(unknown_word("kind of robot", other, &["spot", "go2", "none"])),
        });
        robot.kind = kind.unwrap_or_default();
        let address = reader.parsed(&section, "address", "`address = \"192.168.50.3\"`", ip);
        let own = reader.parsed(&section, "own_address", "`own_address = \"192.168.50.10/24\"`", str::parse);
        let (usual_address, usual_own) = robot.kind.addresses().unzip();
        robot.address = address.or(usual_address);
        robot.own_address = own.or(usual_own.filter(|_| !address.is_some_and(|a: IpAddr| a.is_loopback())));
        if let Some(name) = reader.parsed(&section, "interface", "`interface = \"eth0\"`", interface) {
            robot.interface = name;
        }
        robot.username = reader.parsed(&section, "username", "`username = \"operator\"`", filled);
        robot.password =
            reader.secret(&section, "password", "`password = \"...\"`", |t| filled(t).map(|_| ()));
        let dhcp = reader.parsed(&section, "dhcp", "`dhcp = \"off\"`", |text| match text {
            "off" => Ok(Dhcp::Off),
            "client" => Ok(Dhcp::Client),
            "server" => Ok(Dhcp::Server),
            other => Err(unknown_word("value of `dhcp`", other, &["off", "client", "server"])),
        });
        robot.dhcp = dhcp.unwrap_or_default();
        for node in reader.list(&section, "allow", ALLOW) {
            let Some(text) = reader.text(&node, ALLOW) else { continue };
            match text.parse() {
                Ok(opening) => {
                    // The rules refer to entries by their position among the valid ones.
                    reader.spans.set(format!("robot.opening.{}", robot.allow.len()), node.span.clone());
                    robot.allow.push(opening);
                }
                Err(fault) => reader.fault(&node, fault),
            }
        }
        robot
    }
}
