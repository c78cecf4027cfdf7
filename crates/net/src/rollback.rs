//! Settings whose uplinks were rolled back: until a stick brings other settings, the last proven uplinks stay in use.
//!
//! `robocast provision` records a rollback in the file [`paths::former_uplinks`]: the SHA-256, in hex, of the settings
//! in question. It does not apply to other settings: new ones are always tried, whenever power was lost.

use crate::digest::sha256_hex;
use robocast_config::Settings;
use robocast_daemon::{journal, paths};
use std::path::Path;

/// Replaces the uplinks of `settings`, read from `path`, by the last proven ones if theirs were rolled back; returns whether they
/// were.
pub fn apply_rollback(path: &Path, settings: &mut Settings) -> bool {
    apply_from(path, &paths::former_uplinks(), &paths::proven_settings(), settings)
}

fn apply_from(path: &Path, record: &Path, proven: &Path, settings: &mut Settings) -> bool {
    let Ok(recorded) = std::fs::read_to_string(record) else { return false };
    let Ok(bytes) = robocast_config::read(path) else { return false };
    if recorded.trim() != sha256_hex(&bytes) {
        return false;
    }
    match robocast_config::load(proven) {
        Ok(checked) => {
            settings.uplink = checked.settings.uplink;
            true
        }
        Err(error) => {
            tracing::error!("the last proven uplinks cannot be read: {}", journal::chain(&error));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_daemon::atomic;

    fn wifi(ssid: &str) -> String {
        format!("schema = 1\n[[uplink.wifi]]\nssid = \"{ssid}\"\npassword = \"12345678\"\ncountry = \"US\"\n")
    }

    #[test]
    fn the_last_proven_uplinks_replace_those_of_the_settings_that_were_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let put = |name: &str, text: &str| atomic::write(&file(name), text.as_bytes(), 0o600).unwrap();
        let ssid = || {
            let mut settings = robocast_config::load(&file("settings")).unwrap().settings;
            let rolled_back = apply_from(&file("settings"), &file("record"), &file("proven"), &mut settings);
            (rolled_back, settings.uplink.wifi[0].ssid.clone())
        };
        put("settings", &wifi("new"));
        assert_eq!(ssid(), (false, "new".into()), "nothing is recorded");
        put("record", &sha256_hex(wifi("new").as_bytes()));
        assert_eq!(ssid(), (false, "new".into()), "nothing was ever proven");
        put("proven", &wifi("old"));
        assert_eq!(ssid(), (true, "old".into()));
        put("settings", &wifi("newer"));
        assert_eq!(ssid(), (false, "newer".into()), "other settings are tried");
    }
}
