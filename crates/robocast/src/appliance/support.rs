//! `robocast support`: the contents of a bug report, as one file without secrets.

use robocast_daemon::{atomic, paths};
use robocast_provision::support;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Writes it into `folder` and prints where; 1 when that fails.
pub async fn support(folder: &Path) -> ExitCode {
    let device = robocast_config::load(&paths::settings()).map(|checked| checked.settings.device.name);
    let name = support::bundle_name(device.as_deref().unwrap_or("robocast"));
    let files = support::gather_files().await;
    // At most as large as the limit of its texts, and compressed.
    let mut bytes = Vec::new();
    let path = folder.join(format!("{name}.tar.gz"));
    let written =
        support::pack_files(&files, &name, &mut bytes).map_err(|error| error.to_string()).and_then(|()| {
            atomic::write(&path, &bytes, 0o600).map_err(|error| robocast_daemon::journal::chain(&error))
        });
    match written {
        Ok(()) => {
            let _ = writeln!(std::io::stdout(), "{}", path.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("robocast: no support bundle: {why}");
            ExitCode::FAILURE
        }
    }
}
