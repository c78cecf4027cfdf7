//! Where a stream's video comes from.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

use crate::parse_error::{ParseError, nearest, quote, unknown_word};
use crate::redaction::{Parts, PathRule, dissect, redact, unknown_scheme};
use crate::secret::Secret;

/// A source of H.264 video. `Display` shows the URI without its secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `spot:`: the cameras of the Spot under `[robot]`.
    Spot,
    /// `go2:`: the camera of the Go2 under `[robot]`.
    Go2 {
        /// `?interface=`: the network interface towards the robot, if it is not that of `[robot]`.
        interface: Option<String>,
    },
    /// `rtp://ADDRESS:PORT`: plain RTP, to a multicast group or to an address of the box.
    Rtp(RtpSource),
    /// `rtsp://` and `rtsps://`: an IP camera.
    Rtsp(RtspSource),
    /// `v4l2:/dev/video0`: a USB camera or capture device.
    V4l2 {
        /// Absolute path of the device node.
        device: PathBuf,
    },
    /// `libcamera:0`: a CSI camera of a Raspberry Pi.
    Libcamera {
        /// Number or name of the camera.
        camera: String,
    },
    /// `argus:0`: a CSI camera of a Jetson.
    Argus {
        /// Number of the sensor.
        sensor: u32,
    },
    /// `test:` or `test:ball`: a pattern with a running clock.
    Test {
        /// Name of the pattern; if absent, the program chooses.
        pattern: Option<String>,
    },
    /// `file:/path.mp4`: a file, played in a loop.
    File {
        /// Absolute path.
        path: PathBuf,
    },
}

/// An RTP source: `rtp://230.1.1.1:1720?interface=eth0&payload=96`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpSource {
    /// A multicast group, or the box's address to listen on (`0.0.0.0` for all).
    pub address: IpAddr,
    /// UDP port, not 0.
    pub port: u16,
    /// `?interface=`: the interface on which the group is joined.
    pub interface: Option<String>,
    /// `&payload=`: the only RTP payload type that is accepted, 0 to 127.
    pub payload_type: Option<u8>,
}

/// An RTSP source. The keys `transport`, `verify` and `interface` are removed from the query; the rest is sent to the
/// camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspSource {
    /// The URL to request from the camera, with user and password if it needs them.
    pub url: Secret<Url>,
    /// `?transport=tcp`, `udp` or `auto`.
    pub transport: RtspTransport,
    /// Whether a `rtsps://` camera must present a trusted certificate; `?verify=off` accepts any.
    pub verify: bool,
    /// `?interface=`: the network interface towards the camera.
    pub interface: Option<String>,
}

/// How an RTSP camera sends its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RtspTransport {
    /// UDP, or TCP if no packet arrives.
    #[default]
    Auto,
    /// Inside the RTSP connection.
    Tcp,
    /// Only UDP.
    Udp,
}

impl RtspSource {
    /// The URL without its secrets: user, password and query values become `***`.
    pub fn redacted(&self) -> String {
        Parts::of(self.url.expose().as_str())
            .map_or_else(|| "***".to_owned(), |p| redact(&p, PathRule::Plain))
    }
}

const KINDS: [&str; 10] =
    ["spot", "go2", "rtsp", "rtsps", "rtp", "v4l2", "libcamera", "argus", "test", "file"];
const FORMS: &str = "write one of spot:, go2:, rtsp://..., rtsps://..., rtp://ADDRESS:PORT, v4l2:/dev/video0, \
                     libcamera:0, argus:0, test: or file:/PATH";

impl FromStr for Source {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let kind_end = text.find(':').unwrap_or(text.len());
        let (kind, rest) = (&text[..kind_end], text[kind_end..].strip_prefix(':'));
        let plain =
            kind.len() <= 24 && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let Some(rest) = rest else {
            let fault = ParseError::new("the source has no `:`");
            return Err(match nearest(kind, &KINDS).filter(|_| plain) {
                Some(meant) => fault.with_hint(format!("did you mean `{meant}:`?")),
                None => fault.with_hint(FORMS),
            });
        };
        match kind.to_ascii_lowercase().as_str() {
            "spot" if rest.is_empty() => Ok(Self::Spot),
            "spot" => Err(ParseError::new("`spot:` takes nothing after the colon")
                .with_hint("give the robot's address, user and password under [robot]")),
            "go2" => go2(rest),
            "rtp" => rtp(text).map(Self::Rtp),
            "rtsp" | "rtsps" => rtsp(text).map(Self::Rtsp),
            "v4l2" => absolute("v4l2", rest, "v4l2:/dev/video0").map(|device| Self::V4l2 { device }),
            "file" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                absolute("file", path, "file:/media/clip.mp4").map(|path| Self::File { path })
            }
            "libcamera" if rest.is_empty() || rest.chars().any(char::is_control) => {
                Err(ParseError::new("`libcamera:` does not say which camera")
                    .with_hint("the form is libcamera:0"))
            }
            "libcamera" => Ok(Self::Libcamera { camera: rest.to_owned() }),
            "argus" => {
                match rest.parse() {
                    Ok(sensor) if !rest.starts_with('+') => Ok(Self::Argus { sensor }),
                    _ => Err(ParseError::new("`argus:` needs the number of a sensor")
                        .with_hint("the form is argus:0")),
                }
            }
            "test" if rest.is_empty() => Ok(Self::Test { pattern: None }),
            "test" if rest.len() <= 32 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                Ok(Self::Test { pattern: Some(rest.to_owned()) })
            }
            "test" => Err(ParseError::new(format!("{} is not the name of a pattern", quote(rest)))
                .with_hint("the form is test: or test:ball")),
            _ if !plain || kind.is_empty() => Err(ParseError::new("not a source").with_hint(FORMS)),
            other if rest.starts_with("//") => {
                Err(unknown_scheme(other, "source", &["rtsp", "rtsps", "rtp"]))
            }
            other => {
                let fault = ParseError::new(format!("unknown source {}", quote(&format!("{other}:"))));
                Err(match nearest(other, &KINDS) {
                    Some(meant) => fault.with_hint(format!("did you mean `{meant}:`?")),
                    None => fault.with_hint(FORMS),
                })
            }
        }
    }
}

fn absolute(kind: &str, path: &str, form: &str) -> Result<PathBuf, ParseError> {
    if path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
        return Ok(PathBuf::from(path));
    }
    Err(ParseError::new(format!("`{kind}:` needs an absolute path")).with_hint(format!("the form is {form}")))
}

/// The options in a query that are for robocast. Each may occur once.
struct Options<'t> {
    pairs: Vec<(&'t str, &'t str)>,
}

impl<'t> Options<'t> {
    /// Splits a query into the pairs named in `own` and the others, in order.
    fn split(query: Option<&'t str>, own: &[&str]) -> Result<(Self, Vec<&'t str>), ParseError> {
        let mut options = Self { pairs: Vec::new() };
        let mut others = Vec::new();
        for pair in query.into_iter().flat_map(|q| q.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !own.contains(&name) {
                others.push(pair);
            } else if options.get(name).is_some() {
                return Err(ParseError::new(format!("`{name}` is given twice in the URL"))
                    .with_hint("remove one of them"));
            } else {
                options.pairs.push((name, value));
            }
        }
        Ok((options, others))
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        self.pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn interface(&self) -> Result<Option<String>, ParseError> {
        self.get("interface").map(interface).transpose()
    }
}

fn unknown_option(pair: &str, own: &[&str]) -> ParseError {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    unknown_word("option", name, own)
}

/// Checks the name of a network interface: 1 to 15 bytes, as the kernel requires.
pub(crate) fn interface(name: &str) -> Result<String, ParseError> {
    let legal = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    if legal {
        return Ok(name.to_owned());
    }
    Err(ParseError::new(format!("{} is not the name of a network interface", quote(name)))
        .with_hint("1 to 15 letters, digits, `.`, `_` or `-`, such as \"eth0\""))
}

fn go2(rest: &str) -> Result<Source, ParseError> {
    let query = match rest.split_once('?') {
        None if rest.is_empty() => None,
        Some(("", query)) => Some(query),
        _ => {
            return Err(ParseError::new("`go2:` takes only `?interface=` after the colon")
                .with_hint("the form is go2: or go2:?interface=eth0"));
        }
    };
    let (options, others) = Options::split(query, &["interface"])?;
    match others.first() {
        Some(other) => Err(unknown_option(other, &["interface"])),
        None => Ok(Source::Go2 { interface: options.interface()? }),
    }
}

fn rtp(text: &str) -> Result<RtpSource, ParseError> {
    const OWN: [&str; 2] = ["interface", "payload"];
    const FORM: &str = "rtp://230.1.1.1:1720";
    let hint = || format!("the form is {FORM}, or rtp://0.0.0.0:5004 to listen");
    let (parts, url) = dissect(text, FORM)?;
    // The URL standard does not know this scheme, so the parser treats an IPv4 address as a name.
    let address = match url.host() {
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Domain(name)) => name.parse().ok(),
        None => None,
    };
    let address =
        address.ok_or_else(|| ParseError::new("an RTP source needs an IP address").with_hint(hint()))?;
    let port = url.port().ok_or_else(|| ParseError::new("the RTP URL has no port").with_hint(hint()))?;
    if parts.user.is_some() || !parts.path.trim_matches('/').is_empty() || parts.fragment.is_some() {
        return Err(ParseError::new("an RTP URL has only address, port and options").with_hint(hint()));
    }
    let (options, others) = Options::split(parts.query, &OWN)?;
    if let Some(other) = others.first() {
        return Err(unknown_option(other, &OWN));
    }
    let payload_type = options.get("payload").map(|text| {
        let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u8>().ok()).flatten();
        number.filter(|n| *n <= 127).ok_or_else(|| {
            ParseError::new(format!("{} is not an RTP payload type", quote(text)))
                .with_hint("write a number from 0 to 127, such as payload=96")
        })
    });
    Ok(RtpSource { address, port, interface: options.interface()?, payload_type: payload_type.transpose()? })
}

fn rtsp(text: &str) -> Result<RtspSource, ParseError> {
    let (parts, _) = dissect(text, "rtsp://USER:PASSWORD@HOST/PATH")?;
    if parts.fragment.is_some() {
        return Err(ParseError::new("the URL contains `#`, which ends it").with_hint("write `#` as %23"));
    }
    let (options, others) = Options::split(parts.query, &["transport", "verify", "interface"])?;
    let transport = match options.get("transport") {
        None | Some("auto") => RtspTransport::Auto,
        Some("tcp") => RtspTransport::Tcp,
        Some("udp") => RtspTransport::Udp,
        Some(other) => return Err(unknown_word("transport", other, &["tcp", "udp", "auto"])),
    };
    let verify = match options.get("verify") {
        None | Some("on") => true,
        Some("off") if parts.scheme.eq_ignore_ascii_case("rtsp") => {
            return Err(ParseError::new("`verify` has no effect without TLS")
                .with_hint("leave it out, or write `rtsps://`"));
        }
        Some("off") => false,
        Some(other) => return Err(unknown_word("value of `verify`", other, &["on", "off"])),
    };
    let interface = options.interface()?;
    let mut url = text.split('?').next().unwrap_or(text).to_owned();
    if parts.query.is_some() && !(others.is_empty()) {
        url.push('?');
        url.push_str(&others.join("&"));
    }
    let url = Url::parse(&url).map_err(|e| ParseError::new(format!("not a URL: {e}")))?;
    Ok(RtspSource { url: Secret::new(url), transport, verify, interface })
}

impl Source {
    /// The network interface that the source names.
    pub fn interface(&self) -> Option<&str> {
        match self {
            Self::Go2 { interface } => interface.as_deref(),
            Self::Rtp(rtp) => rtp.interface.as_deref(),
            Self::Rtsp(rtsp) => rtsp.interface.as_deref(),
            Self::Spot
            | Self::V4l2 { .. }
            | Self::Libcamera { .. }
            | Self::Argus { .. }
            | Self::Test { .. }
            | Self::File { .. } => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spot => f.write_str("spot:"),
            Self::Go2 { interface: None } => f.write_str("go2:"),
            Self::Go2 { interface: Some(interface) } => write!(f, "go2:?interface={interface}"),
            Self::Rtp(rtp) => rtp.fmt(f),
            Self::Rtsp(rtsp) => f.write_str(&rtsp.redacted()),
            Self::V4l2 { device } => write!(f, "v4l2:{}", device.display()),
            Self::Libcamera { camera } => write!(f, "libcamera:{camera}"),
            Self::Argus { sensor } => write!(f, "argus:{sensor}"),
            Self::Test { pattern } => write!(f, "test:{}", pattern.as_deref().unwrap_or("")),
            Self::File { path } => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Display for RtpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtp://{}", std::net::SocketAddr::new(self.address, self.port))?;
        let mut mark = '?';
        if let Some(interface) = &self.interface {
            write!(f, "{mark}interface={interface}")?;
            mark = '&';
        }
        if let Some(payload) = self.payload_type {
            write!(f, "{mark}payload={payload}")?;
        }
        Ok(())
    }
}
