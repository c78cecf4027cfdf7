//! The names of programs, objects and interfaces on D-Bus.

use zbus::OwnedObjectPath;

/// The interface of camera programs, and the start of their bus names.
pub const CAMERA: &str = "org.robocast.Camera1";
/// The interface of push programs, and the start of their bus names.
pub const PUSH: &str = "org.robocast.Push1";
/// The net program, of which there is one: its interface and its bus name.
pub const NET: &str = "org.robocast.Net1";
/// The object of the net program.
pub const NET_PATH: &str = "/org/robocast/Net1";
/// The update program, of which there is one: its interface and its bus name.
pub const UPDATE: &str = "org.robocast.Update1";
/// The object of the update program.
pub const UPDATE_PATH: &str = "/org/robocast/Update1";

/// A program as others see it: on a bus under its name, or at its own socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The camera program of a stream.
    Camera(String),
    /// The push program of a stream.
    Push(String),
    /// The net program.
    Net,
    /// The update program.
    Update,
}

impl Service {
    /// The interface of its object, and the start of its bus name.
    #[must_use]
    pub const fn interface(&self) -> &'static str {
        match self {
            Self::Camera(_) => Program::Camera.interface(),
            Self::Push(_) => Program::Push.interface(),
            Self::Net => NET,
            Self::Update => UPDATE,
        }
    }

    /// Its bus name.
    #[must_use]
    pub fn bus_name(&self) -> String {
        match self {
            Self::Camera(stream) => Program::Camera.bus_name(stream),
            Self::Push(stream) => Program::Push.bus_name(stream),
            Self::Net | Self::Update => self.interface().to_owned(),
        }
    }

    /// The path of its object.
    #[must_use]
    pub fn path(&self) -> OwnedObjectPath {
        match self {
            Self::Camera(stream) => Program::Camera.path(stream),
            Self::Push(stream) => Program::Push.path(stream),
            Self::Net => OwnedObjectPath::try_from(NET_PATH).expect("a path"),
            Self::Update => OwnedObjectPath::try_from(UPDATE_PATH).expect("a path"),
        }
    }

    /// The program with this bus name.
    #[must_use]
    pub fn of_bus_name(name: &str) -> Option<Self> {
        match name {
            NET => Some(Self::Net),
            UPDATE => Some(Self::Update),
            name => Program::Camera
                .stream_of(name)
                .map(|stream| Self::Camera(stream.to_owned()))
                .or_else(|| Program::Push.stream_of(name).map(|stream| Self::Push(stream.to_owned()))),
        }
    }

    /// The file name of its socket, such as `Camera1.front.sock`.
    #[must_use]
    pub fn socket_name(&self) -> String {
        let kind = self.interface().trim_start_matches("org.robocast.");
        match self {
            Self::Camera(stream) | Self::Push(stream) => format!("{kind}.{stream}.sock"),
            Self::Net | Self::Update => format!("{kind}.sock"),
        }
    }

    /// The program whose socket has this file name.
    #[must_use]
    pub fn of_socket_name(name: &str) -> Option<Self> {
        let (kind, stream) = match name.strip_suffix(".sock")?.split_once('.') {
            Some((kind, stream)) => (kind, Some(stream.to_owned())),
            None => (name.strip_suffix(".sock")?, None),
        };
        match (kind, stream) {
            ("Camera1", Some(stream)) => Some(Self::Camera(stream)),
            ("Push1", Some(stream)) => Some(Self::Push(stream)),
            ("Net1", None) => Some(Self::Net),
            ("Update1", None) => Some(Self::Update),
            _ => None,
        }
    }
}

/// A program of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
            Self::Camera => CAMERA,
            Self::Push => PUSH,
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

    /// This program of `stream`, as others see it.
    #[must_use]
    pub fn service(self, stream: &str) -> Service {
        match self {
            Self::Camera => Service::Camera(stream.to_owned()),
            Self::Push => Service::Push(stream.to_owned()),
        }
    }

    /// Its name on the command line, and in the unit.
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

    /// The object path. It may not contain `-`: `_` replaces it.
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

/// A text as the instance of a unit, as `systemd-escape` writes it: `%I` in the unit gives it back.
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
    use proptest::prelude::*;

    #[test]
    fn every_service_has_a_bus_name_and_a_socket_by_which_it_is_known() {
        let services = [
            Service::Camera("front".into()),
            Service::Push("4k-cam".into()),
            Service::Push("sock".into()),
            Service::Net,
            Service::Update,
        ];
        for service in services {
            assert_eq!(Service::of_bus_name(&service.bus_name()), Some(service.clone()));
            assert_eq!(Service::of_socket_name(&service.socket_name()), Some(service.clone()));
            assert!(service.bus_name().starts_with(service.interface()));
        }
        assert_eq!(Service::Camera("4k".into()).socket_name(), "Camera1.4k.sock");
        assert_eq!(Service::Net.socket_name(), "Net1.sock");
        for name in ["Camera1.sock", "Net1.front.sock", "front.sock", "Camera1.front", ".sock"] {
            assert_eq!(Service::of_socket_name(name), None, "{name}");
        }
        assert_eq!(Service::of_bus_name("org.robocast.Agent1"), None);
    }

    #[test]
    fn a_name_is_escaped_as_systemd_does() {
        for (text, escaped) in [
            ("front", "front"),
            ("left-arm-2", "left\\x2darm\\x2d2"),
            ("a/b c", "a-b\\x20c"),
            (".a.b:_", "\\x2ea.b:_"),
            ("ä", "\\xc3\\xa4"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    proptest! {
        #[test]
        fn an_escaped_name_has_no_slash_and_stays_one_word(text in "\\PC*") {
            let escaped = escape(&text);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b":_.-\\".contains(&b);
            prop_assert!(escaped.bytes().all(plain), "{escaped}");
        }
    }

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
