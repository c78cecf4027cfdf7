//! The settings files on the box: the settings in force, and the last that were proven. Each is replaced whole or not at all.

use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use robocast_daemon::paths;

/// The settings in force, if there are any.
///
/// # Errors
/// The disk of the box fails.
pub fn read_current(state: &StateDir) -> Result<Option<Vec<u8>>, ProvisionProblem> {
    state.read(paths::SETTINGS, robocast_config::LIMIT)
}

/// The last settings that were proven, if any were.
///
/// # Errors
/// The disk of the box fails.
pub fn read_proven(state: &StateDir) -> Result<Option<Vec<u8>>, ProvisionProblem> {
    state.read(paths::PROVEN_SETTINGS, robocast_config::LIMIT)
}

/// Puts settings in force.
///
/// # Errors
/// The disk of the box fails; the old ones stay in force.
pub fn write_current(state: &StateDir, settings: &[u8]) -> Result<(), ProvisionProblem> {
    state.write(paths::SETTINGS, settings)
}

/// Records that these settings are proven.
///
/// # Errors
/// The disk of the box fails.
pub fn mark_proven(state: &StateDir, settings: &[u8]) -> Result<(), ProvisionProblem> {
    if read_proven(state)?.as_deref() == Some(settings) {
        return Ok(());
    }
    state.write(paths::PROVEN_SETTINGS, settings)
}
