//! `[time]`: the clock.

use crate::parse_error::{ParseError, quote};
use crate::reader::{Reader, Section};

/// The clock.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Time {
    /// Names or addresses of NTP servers; if empty, the system's own are used.
    pub ntp: Vec<String>,
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
        .with_hint("write only a name or an address, such as \"pool.example.net\""))
}
