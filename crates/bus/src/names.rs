//! The names of programs, objects and interfaces on D-Bus.

use zbus::OwnedObjectPath;

/// The net program: there is one of it. Its interface, and its bus name.
pub const NET: &str = "org.robocast.Net1";
/// Its object.
pub const NET_PATH: &str = "/org/robocast/Net1";

/// A program of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `org.robocast.Camera1`
    Camera,
    /// `org.robocast.Push1`
    Push,
}

impl Program {
    /// The interface, and the start of the bus name.
    #[must_use]
    pub const fn interface(self) -> &'static str {
        match self {
            Self::Camera => "org.robocast.Camera1",
            Self::Push => "org.robocast.Push1",
        }
    }

    /// The bus name of this program for `stream`. An element of a bus name may not begin with a digit
    /// (D-Bus specification, "Bus names"): `_` is put before one.
    #[must_use]
    pub fn bus_name(self, stream: &str) -> String {
        let guard = if stream.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
        format!("{}.{guard}{stream}", self.interface())
    }

    /// The stream whose program has the bus name `name`.
    #[must_use]
    pub fn stream_of(self, name: &str) -> Option<&str> {
        let stream = name.strip_prefix(self.interface())?.strip_prefix('.')?;
        Some(stream.strip_prefix('_').unwrap_or(stream))
    }

    /// The word of the command line, and of the unit.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Push => "push",
        }
    }

    /// The unit of systemd that runs it: `robocast-camera@front.service`.
    #[must_use]
    pub fn unit(self, stream: &str) -> String {
        format!("robocast-{}@{}.service", self.word(), escape(stream))
    }

    /// The object path, in which `-` may not stand: `_` does instead.
    #[must_use]
    pub fn path(self, stream: &str) -> OwnedObjectPath {
        let kind = match self {
            Self::Camera => "Camera1",
            Self::Push => "Push1",
        };
        let path = format!("/org/robocast/{kind}/{}", stream.replace('-', "_"));
        OwnedObjectPath::try_from(path).expect("names of streams are letters, digits and dashes")
    }
}

/// A text as an instance of a unit, as `systemd-escape` writes it: `%I` in the unit gives it back.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            b'.' | b':' | b'_' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_stream_makes_valid_names_and_comes_back() {
        for stream in ["front", "left-arm", "4k", "a1"] {
            for program in [Program::Camera, Program::Push] {
                let name = program.bus_name(stream);
                assert!(zbus::names::WellKnownName::try_from(name.as_str()).is_ok(), "{name}");
                assert_eq!(program.stream_of(&name), Some(stream));
                assert!(program.path(stream).as_str().starts_with("/org/robocast/"));
            }
        }
        assert_eq!(Program::Push.stream_of("org.robocast.Camera1.front"), None);
    }
}
