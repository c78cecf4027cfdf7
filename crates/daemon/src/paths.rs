//! The folders of state and of run-time sockets. `ROBOCAST_STATE` and `ROBOCAST_RUN` replace them.

use std::path::{Path, PathBuf};

/// What outlives a reboot: `/var/lib/robocast`, or `$ROBOCAST_STATE`.
#[must_use]
pub fn state() -> PathBuf {
    std::env::var_os("ROBOCAST_STATE").map_or_else(|| PathBuf::from("/var/lib/robocast"), PathBuf::from)
}

/// What lives as long as the machine is up: `/run/robocast`, or `$ROBOCAST_RUN`. Who may not write
/// there (a developer without privilege) uses a folder of their own.
#[must_use]
pub fn run() -> PathBuf {
    if let Some(folder) = std::env::var_os("ROBOCAST_RUN") {
        return PathBuf::from(folder);
    }
    let system = PathBuf::from("/run/robocast");
    let writable = |path: &Path| nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
    if writable(&system) || (!system.exists() && writable(Path::new("/run"))) {
        return system;
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(own) => PathBuf::from(own).join("robocast"),
        None => PathBuf::from(format!("/tmp/robocast-{}", nix::unistd::getuid())),
    }
}

/// The settings as they stand on the box.
#[must_use]
pub fn settings() -> PathBuf {
    state().join("settings.toml")
}

/// The last settings that were proven.
#[must_use]
pub fn proven_settings() -> PathBuf {
    state().join("settings.proven.toml")
}

/// Says of which settings the uplinks were taken back: their SHA-256 in hex.
#[must_use]
pub fn former_uplinks() -> PathBuf {
    state().join("uplink.former")
}

/// Who provisions holds this file locked: one at a time.
#[must_use]
pub fn provision_lock() -> PathBuf {
    run().join("provision.lock")
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
