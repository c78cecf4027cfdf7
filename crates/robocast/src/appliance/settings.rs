//! `robocast settings keep`, `restore` and `name`: how the image handles the settings file.

use crate::output::{print_error, print_line};
use robocast_daemon::paths;
use robocast_provision::backup::{self, BackedUp, Restored};
use std::path::Path;
use std::process::ExitCode;

/// Copies the settings to the partition. 0 also when there is nothing to copy, 1 when they are not valid or it fails.
pub fn keep(copy: &Path) -> ExitCode {
    match backup::back_up_settings(&paths::settings(), copy) {
        Ok(BackedUp::Nothing | BackedUp::Same) => ExitCode::SUCCESS,
        Ok(BackedUp::Written { sequence }) => {
            print_line(&format!("robocast: the settings are copied to {} (copy {sequence})", copy.display()));
            ExitCode::SUCCESS
        }
        Err(error) => print_error(&error, 1),
    }
}

/// Puts lost settings back. 0 when the settings are good or there never were any, 1 when the box has no usable ones.
pub fn restore(copy: &Path) -> ExitCode {
    let settings = paths::settings();
    match backup::restore_settings(&settings, copy) {
        Ok(Restored::Fine | Restored::NeverProvisioned) => ExitCode::SUCCESS,
        Ok(Restored::Back { fault, sequence }) => {
            print_line(&format!(
                "robocast: the settings {} were {fault}; they are put back from {} (copy {sequence})",
                settings.display(),
                copy.display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => print_error(&error, 1),
    }
}

/// Prints the name of the box, or nothing when there are no valid settings. Always 0.
pub fn name() -> ExitCode {
    if let Ok(checked) = robocast_config::load(&paths::settings()) {
        print_line(&checked.settings.device.name);
    }
    ExitCode::SUCCESS
}
