//! The folders of state and of run-time sockets. `ROBOCAST_STATE` and `ROBOCAST_RUN` replace them.

use std::path::{Path, PathBuf};

/// The settings in force, in the folder of state.
pub const SETTINGS: &str = "settings.toml";
/// The last settings that were proven, in the folder of state.
pub const PROVEN_SETTINGS: &str = "settings.proven.toml";
/// The provisioning process holds this file locked, one at a time; in the folder of run-time files.
pub const PROVISION_LOCK: &str = "provision.lock";

/// The folder that outlives a reboot: `/var/lib/robocast`, or `$ROBOCAST_STATE`.
#[must_use]
pub fn state() -> PathBuf {
    std::env::var_os("ROBOCAST_STATE").map_or_else(|| PathBuf::from("/var/lib/robocast"), PathBuf::from)
}

/// The folder that is empty after a reboot: `/run/robocast`, or `$ROBOCAST_RUN`. A developer without privilege, who
/// cannot write there, uses a private folder.
#[must_use]
pub fn run() -> PathBuf {
    if let Some(folder) = std::env::var_os("ROBOCAST_RUN") {
        return PathBuf::from(folder);
    }
    run_below(Path::new("/run"), std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from))
}

/// `robocast` in the system's folder `/run` where this user can write it, otherwise in the user's own.
fn run_below(system: &Path, own: Option<PathBuf>) -> PathBuf {
    let folder = system.join("robocast");
    let writable = |path: &Path| nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
    if writable(&folder) || (!folder.exists() && writable(system)) {
        return folder;
    }
    match own {
        Some(own) => own.join("robocast"),
        None => PathBuf::from(format!("/tmp/robocast-{}", nix::unistd::getuid())),
    }
}

/// The settings in force.
#[must_use]
pub fn settings() -> PathBuf {
    state().join(SETTINGS)
}

/// The last settings that were proven.
#[must_use]
pub fn proven_settings() -> PathBuf {
    state().join(PROVEN_SETTINGS)
}

/// Records which settings have their uplinks rolled back: the SHA-256 of their file in hex.
#[must_use]
pub fn former_uplinks() -> PathBuf {
    state().join("uplink.former")
}

/// The socket on which the camera of stream `name` hands out access units.
#[must_use]
pub fn camera_socket(name: &str) -> PathBuf {
    run().join("camera").join(format!("{name}.sock"))
}

/// The socket on which `robocast run` reports its state.
#[must_use]
pub fn status_socket() -> PathBuf {
    run().join("status.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_write_the_systems_folder_has_one_of_their_own() {
        let system = tempfile::tempdir().unwrap();
        let own = Some(PathBuf::from("/run/user/7"));
        // It is made where it can be.
        assert_eq!(run_below(system.path(), own.clone()), system.path().join("robocast"));
        std::fs::create_dir(system.path().join("robocast")).unwrap();
        assert_eq!(run_below(system.path(), own.clone()), system.path().join("robocast"));
        // A folder that does not exist is not writable, not even for root.
        let missing = system.path().join("missing");
        assert_eq!(run_below(&missing, own), Path::new("/run/user/7/robocast"));
        assert!(run_below(&missing, None).starts_with("/tmp"));
    }

    #[test]
    fn files_are_in_the_folders_that_all_programs_share() {
        assert_eq!(settings(), state().join("settings.toml"));
        assert_eq!(proven_settings(), state().join("settings.proven.toml"));
        assert_eq!(camera_socket("front"), run().join("camera/front.sock"));
        assert_eq!(status_socket(), run().join("status.sock"));
    }
}
