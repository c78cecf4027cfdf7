//! Where a program can be reached. `ROBOCAST_BUS` sets it: `robocast run` sets it for its children.

use robocast_daemon::paths;
use std::ffi::OsStr;
use std::path::PathBuf;

/// The variable that sets it.
pub const VARIABLE: &str = "ROBOCAST_BUS";

/// Where a program can be reached, and looks for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusMode {
    /// On the system bus.
    System,
    /// At its own socket (`sockets`): no bus is needed.
    Sockets,
    /// At both (`sockets+system`).
    Both,
    /// Nowhere (`off`).
    Off,
}

impl BusMode {
    /// As the environment sets it.
    #[must_use]
    pub fn from_env() -> Self {
        Self::parse(std::env::var_os(VARIABLE).as_deref())
    }

    fn parse(value: Option<&OsStr>) -> Self {
        let modes = [Self::Sockets, Self::Both, Self::Off];
        modes.into_iter().find(|mode| value == Some(OsStr::new(mode.word()))).unwrap_or(Self::System)
    }

    /// The value of the variable.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Sockets => "sockets",
            Self::Both => "sockets+system",
            Self::Off => "off",
        }
    }

    /// Whether the system bus is used.
    #[must_use]
    pub const fn uses_system_bus(self) -> bool {
        matches!(self, Self::System | Self::Both)
    }

    /// Whether sockets are used.
    #[must_use]
    pub const fn uses_sockets(self) -> bool {
        matches!(self, Self::Sockets | Self::Both)
    }
}

/// The folder of the programs' sockets.
#[must_use]
pub fn sockets_folder() -> PathBuf {
    paths::run().join("bus")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_its_word_and_anything_else_means_the_system_bus() {
        for mode in [BusMode::System, BusMode::Sockets, BusMode::Both, BusMode::Off] {
            assert_eq!(BusMode::parse(Some(OsStr::new(mode.word()))), mode);
        }
        for value in [None, Some(""), Some("on"), Some("OFF")] {
            assert_eq!(BusMode::parse(value.map(OsStr::new)), BusMode::System, "{value:?}");
        }
    }

    #[test]
    fn a_mode_says_what_is_used() {
        let uses = |mode: BusMode| (mode.uses_system_bus(), mode.uses_sockets());
        let modes = [BusMode::System, BusMode::Sockets, BusMode::Both, BusMode::Off];
        assert_eq!(modes.map(uses), [(true, false), (false, true), (true, true), (false, false)]);
    }
}
