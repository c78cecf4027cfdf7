//! `[control]`: control over MQTT.

use url::Url;

use crate::parse_error::{ParseError, nearest, quote};
use crate::reader::{Reader, Section};
use crate::redaction::dissect;
use crate::robot::filled;
use crate::secret::Secret;

/// Control over MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The broker: `mqtt://HOST` or `mqtts://HOST`, without user, password or path.
    pub mqtt: Url,
    /// User at the broker.
    pub username: Option<String>,
    /// Password at the broker; only with a user.
    pub password: Option<Secret<String>>,
    /// Prefix of all topics; default `robocast/DEVICE`.
    pub topic: String,
}

impl Control {
    /// Whether the connection to the broker uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.mqtt.scheme() == "mqtts"
    }

    /// The broker's port: the one in the URL, else 8883 with TLS and 1883 without.
    pub fn port(&self) -> u16 {
        self.mqtt.port().unwrap_or(if self.is_encrypted() { 8883 } else { 1883 })
    }
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
                Some(meant) => fault.with_hint(format!("did you mean `{meant}://`?")),
                None => fault.with_hint(format!("the form is {FORM}")),
            });
        }
    }
    if parts.user.is_some() {
        return fault("the broker's URL has a user in it")
            .map_err(|f: ParseError| f.with_hint("use the keys `username` and `password`"));
    }
    if !parts.path.trim_matches('/').is_empty() || parts.query.is_some() || parts.fragment.is_some() {
        return fault("the broker's URL has more than host and port")
            .map_err(|f: ParseError| f.with_hint(format!("the form is {FORM}")));
    }
    Ok(url)
}

fn topic(text: &str) -> Result<String, ParseError> {
    let fault = |why: &str| {
        Err(ParseError::new(format!("the topic {} {why}", quote(text)))
            .with_hint("write words separated by `/`, such as \"robocast/spot-07\""))
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
