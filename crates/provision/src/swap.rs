//! The settings on the box: those in force, and the last that were proven. Each is replaced whole or not at all.

use crate::home::Home;
use crate::trouble::Trouble;

/// Those in force.
pub const SETTINGS: &str = "settings.toml";
/// The last that were proven.
pub const PROVEN: &str = "settings.proven.toml";

/// The settings in force, if there are any.
///
/// # Errors
/// The disk of the box fails.
pub fn in_force(home: &Home) -> Result<Option<Vec<u8>>, Trouble> {
    home.read(SETTINGS, robocast_config::LIMIT)
}

/// The last settings that were proven, if any were.
///
/// # Errors
/// The disk of the box fails.
pub fn proven(home: &Home) -> Result<Option<Vec<u8>>, Trouble> {
    home.read(PROVEN, robocast_config::LIMIT)
}

/// Puts settings in force.
///
/// # Errors
/// The disk of the box fails; the old ones stand.
pub fn write(home: &Home, settings: &[u8]) -> Result<(), Trouble> {
    home.write(SETTINGS, settings)
}

/// The settings in force are proven.
///
/// # Errors
/// The disk of the box fails.
pub fn mark_proven(home: &Home, settings: &[u8]) -> Result<(), Trouble> {
    if proven(home)?.as_deref() == Some(settings) {
        return Ok(());
    }
    home.write(PROVEN, settings)
}
