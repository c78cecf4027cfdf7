//! The folders of state and of run-time sockets. `ROBOCAST_STATE` and `ROBOCAST_RUN` replace them.

use std::path::PathBuf;

/// What outlives a reboot: `/var/lib/robocast`, or `$ROBOCAST_STATE`.
#[must_use]
pub fn state() -> PathBuf {
    std::env::var_os("ROBOCAST_STATE").map_or_else(|| PathBuf::from("/var/lib/robocast"), PathBuf::from)
}

/// What lives as long as the machine is up: `/run/robocast`, or `$ROBOCAST_RUN`.
#[must_use]
pub fn run() -> PathBuf {
    std::env::var_os("ROBOCAST_RUN").map_or_else(|| PathBuf::from("/run/robocast"), PathBuf::from)
}

/// The settings as they stand on the box.
#[must_use]
pub fn settings() -> PathBuf {
    state().join("settings.toml")
}

/// The socket on which the camera of stream `name` hands out access units.
#[must_use]
pub fn camera_socket(name: &str) -> PathBuf {
    run().join("camera").join(format!("{name}.sock"))
}

/// The socket on which `robocast run` answers what it does now.
#[must_use]
pub fn status_socket() -> PathBuf {
    run().join("status.sock")
}
