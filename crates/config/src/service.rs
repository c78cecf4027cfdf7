//! `[control]`, `[page]`, `[update]`, `[time]`, `[tls]` and `[debug]`: what the box offers and relies on.

use url::Url;

use crate::parse_error::{ParseError, nearest, quote};
use crate::reader::{Reader, Section};
use crate::redaction::dissect;
use crate::robot::filled;
use crate::secret::Secret;
use crate::window::Window;

/// Control over MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The broker: `mqtt://HOST` or `mqtts://HOST`, without user, password or path.
    pub mqtt: Url,
    /// User at the broker.
    pub username: Option<String>,
    /// Password at the broker; never without a user.
    pub password: Option<Secret<String>>,
    /// Where topics start: default `robocast/DEVICE`.
    pub topic: String,
}

/// What is open to whoever mends the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Debugging {
    /// Whether the box runs an SSH server for the keys in the stick's `authorized_keys`; default false.
    pub ssh: bool,
}

impl Control {
    /// Whether the broker is spoken to over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.mqtt.scheme() == "mqtts"
    }

    /// The broker's port: the written one, else 8883 with TLS and 1883 without.
    pub fn port(&self) -> u16 {
        self.mqtt.port().unwrap_or(if self.is_encrypted() { 8883 } else { 1883 })
    }
}

/// The local page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At least 6 characters.
    pub password: Secret<String>,
}

/// Where updates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// `https://` alone, without user and password.
    pub url: Url,
    /// When an update may be installed; any time when absent.
    pub window: Option<Window>,
}

/// The clock.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Time {
    /// Names or addresses of NTP servers; the system's own when empty.
    pub ntp: Vec<String>,
}

/// Trust.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tls {
    /// One or more root certificates in PEM, trusted besides the system's.
    pub ca: Option<String>,
}

impl Control {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>, device: &str) -> Option<Self> {
        let section = reader.section(root, "control", "[control]")?;
        reader.known(&section, &["mqtt", "username", "password", "topic"]);
        let url = reader.required(&section, "mqtt", "`mqtt = \"mqtts://broker.example.net\"`", broker);
        let username = reader.parsed(&section, "username", "`username = \"robot\"`", filled);
        let password = reader.secret(&section, "password", "`password = \"...\"`", |t| filled(t).map(|_| ()));
        let topic = reader.parsed(&section, "topic", "`topic = \"robocast/spot-07\"`", topic);
        let topic = topic.unwrap_or_else(|| format!("robocast/{device}"));
        Some(Self { mqtt: url?, username, password, topic })
    }
}

fn broker(text: &str) -> Result<Url, ParseError> {
    const FORM: &str = "mqtts://HOST or mqtt://HOST, with :PORT if it is not 8883 or 1883";
    let (parts, url) = dissect(text, FORM)?;
    let fault = |message: &str| Err(ParseError::new(message));
    match url.scheme() {
        "mqtt" | "mqtts" => {}
        other => {
            let fault = ParseError::new(format!("no broker speaks {}", quote(&format!("{other}://"))));
            return Err(match nearest(other, &["mqtts", "mqtt"]) {
                Some(meant) => fault.hint(format!("did you mean `{meant}://`?")),
                None => fault.hint(format!("the form is {FORM}")),
            });
        }
    }
    if parts.user.is_some() {
        return fault("the broker's URL has a user in it")
            .map_err(|f: ParseError| f.hint("use the keys `username` and `password`"));
    }
    if !parts.path.trim_matches('/').is_empty() || parts.query.is_some() || parts.fragment.is_some() {
        return fault("the broker's URL has more than host and port")
            .map_err(|f: ParseError| f.hint(format!("the form is {FORM}")));
    }
    Ok(url)
}

fn topic(text: &str) -> Result<String, ParseError> {
    let fault = |why: &str| {
        Err(ParseError::new(format!("the topic {} {why}", quote(text)))
            .hint("words with `/` between them, such as \"robocast/spot-07\""))
    };
    match text {
        "" => fault("is empty"),
        _ if text.len() > 200 => fault("is longer than 200 bytes"),
        _ if text.contains(['+', '#']) => fault("has a wildcard"),
        _ if text.chars().any(char::is_control) => fault("has a control character"),
        _ if text.starts_with('$') => fault("starts with `$`, which belongs to the broker"),
        _ if text.split('/').any(str::is_empty) => fault("has an empty word"),
        _ => Ok(text.to_owned()),
    }
}

impl Page {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Self> {
        let section = reader.section(root, "page", "[page]")?;
        reader.known(&section, &["password"]);
        let example = "`password = \"...\"`";
        if !reader.has(&section, "password") {
            reader.missing(&section, "password", example);
        }
        let password =
            reader.secret(&section, "password", example, |text| match text.chars().count() {
                6.. => Ok(()),
                0 => Err(ParseError::new("the page's password is empty")
                    .hint("leave [page] out to turn the page off")),
                length => Err(ParseError::new(format!("the page's password has only {length} characters"))
                    .hint("use at least 6")),
            })?;
        Some(Self { password })
    }
}

impl Update {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Self> {
        let section = reader.section(root, "update", "[update]")?;
        reader.known(&section, &["url", "window"]);
        let url =
            reader.required(&section, "url", "`url = \"https://updates.example.net/robocast\"`", |text| {
                let (parts, url) = dissect(text, "https://HOST/PATH")?;
                if url.scheme() != "https" {
                    let scheme = quote(&format!("{}://", url.scheme()));
                    return Err(
                        ParseError::new(format!("updates do not come over {scheme}")).hint("use https://")
                    );
                }
                if parts.user.is_some() {
                    return Err(ParseError::new("the update URL has a user in it")
                        .hint("the URL is no secret: leave it out"));
                }
                Ok(url)
            });
        let window = reader.parsed(&section, "window", "`window = \"02:00-04:00\"`", str::parse);
        Some(Self { url: url?, window })
    }
}

impl Time {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let Some(section) = reader.section(root, "time", "[time]") else { return Self::default() };
        reader.known(&section, &["ntp"]);
        Self { ntp: reader.texts(&section, "ntp", "`ntp = [\"pool.example.net\"]`", server) }
    }
}

fn server(text: &str) -> Result<String, ParseError> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.parse::<std::net::IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label)) {
        return Ok(text.to_owned());
    }
    Err(ParseError::new(format!("{} is not the name of a server", quote(text)))
        .hint("write a name or an address alone, such as \"pool.example.net\""))
}

impl Tls {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let Some(section) = reader.section(root, "tls", "[tls]") else { return Self::default() };
        reader.known(&section, &["ca"]);
        let example = "`ca = \"\"\"` and the certificate's lines, `\"\"\"` at the end";
        Self { ca: reader.parsed(&section, "ca", example, certificates) }
    }
}

impl Debugging {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let Some(section) = reader.section(root, "debug", "[debug]") else { return Self::default() };
        reader.known(&section, &["ssh"]);
        Self { ssh: reader.flag(&section, "ssh", false) }
    }
}

/// Checks certificates in PEM.
pub(crate) fn certificates(text: &str) -> Result<String, ParseError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    const FORM: &str =
        "a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`";
    if text.contains("PRIVATE KEY") {
        return Err(ParseError::new("there is a private key among the certificates")
            .hint("take it out, and make a new one: this one has been handed around"));
    }
    let mut inside = false;
    let mut count = 0;
    for line in text.lines().map(str::trim) {
        match (line, inside) {
            (BEGIN, false) => inside = true,
            (END, true) => {
                inside = false;
                count += 1;
            }
            (BEGIN | END, _) => {
                return Err(ParseError::new("a certificate is cut off").hint(format!("write {FORM}")));
            }
            (line, true) if !line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) => {
                return Err(ParseError::new("a certificate is not in base64").hint(format!("write {FORM}")));
            }
            _ => {}
        }
    }
    match count {
        _ if inside => Err(ParseError::new("a certificate is cut off").hint(format!("write {FORM}"))),
        0 => Err(ParseError::new("there is no certificate here").hint(format!("write {FORM}"))),
        _ => Ok(text.to_owned()),
    }
}
