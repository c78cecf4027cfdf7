//! When new uplinks do not work, the last proven ones are used again, and the other new settings stay in force.
//!
//! A file beside the settings records this. It holds the SHA-256 of the settings it applies to, and `robocast net`
//! reads it. It does not apply to other settings, so those of the next stick are always tried, whenever the power
//! fails.

use robocast_config::Settings;
use robocast_daemon::atomic::{self, WriteError};
use robocast_daemon::digest::sha256_hex;
use robocast_daemon::paths;
use std::io::{self, ErrorKind};

/// From its next reload on, the network program uses the uplinks of the settings that were proven last, as long as `settings`,
/// with the file `bytes`, are in force. Returns whether there are others to return to.
///
/// # Errors
/// When the file cannot be written.
pub fn roll_back(settings: &Settings, bytes: &[u8]) -> Result<bool, WriteError> {
    match robocast_config::load(&paths::proven_settings()) {
        Ok(proven) if proven.settings.uplink != settings.uplink => {}
        // The same uplinks, which may work again in an hour; or none.
        _ => return Ok(false),
    }
    atomic::write(&paths::former_uplinks(), format!("{}\n", sha256_hex(bytes)).as_bytes(), 0o600)?;
    Ok(true)
}

/// From its next reload on, the network program tries the uplinks of the settings in force again.
///
/// # Errors
/// When the rollback file cannot be removed.
pub fn cancel_roll_back() -> io::Result<()> {
    match std::fs::remove_file(paths::former_uplinks()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
