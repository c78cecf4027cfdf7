//! When new uplinks do not prove themselves, those that were proven last go on, and the rest of the new settings stands.
//!
//! A file beside the settings says so, by the SHA-256 of the settings that it means: `robocast net` reads it
//! (`net::former`). It says nothing of other settings, so the next stick's are always tried, whenever the power goes.

use robocast_config::Settings;
use robocast_daemon::atomic::{self, WriteError};
use robocast_daemon::paths;
use std::io::{self, ErrorKind};

/// From the next reading on, the network's program goes by the uplinks of the settings that were proven last, as long as
/// `settings`, which `bytes` hold, are those in force. Whether there are others to go back to.
///
/// # Errors
/// When that cannot be written down.
pub fn back(settings: &Settings, bytes: &[u8]) -> Result<bool, WriteError> {
    match robocast_config::load(&paths::proven_settings()) {
        Ok(proven) if proven.settings.uplink != settings.uplink => {}
        // The same uplinks, which may work again in an hour; or none.
        _ => return Ok(false),
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    atomic::write(&paths::former_uplinks(), format!("{hex}\n").as_bytes(), 0o600)?;
    Ok(true)
}

/// From the next reading on, the uplinks of the settings in force are tried again.
///
/// # Errors
/// When the file that says otherwise cannot be taken away.
pub fn forth() -> io::Result<()> {
    match std::fs::remove_file(paths::former_uplinks()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
