//! `robocast provision PATH`.

use nix::fcntl::{Flock, FlockArg};
use robocast_daemon::{journal, paths};
use robocast_provision::host::{Host, NoHost};
use robocast_provision::provisioning::{self, ProvisionOutcome};
use robocast_provision::state_dir::StateDir;
use robocast_provision::systemd_host::SystemdHost;
use robocast_stick::Outcome;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

/// Exit code: nothing was changed.
const REFUSED: u8 = 1;
/// Exit code: the settings are in force, but not all was seen to work.
const KEPT: u8 = 4;

/// Provisions from a device, an image or a folder; without one, continues what a power cut interrupted. 0 proven (or
/// nothing was interrupted), 1 refused, 4 kept but not proven. The receipt goes to the stick, to the box and to
/// standard output.
pub fn provision(path: Option<&Path>, await_run: bool) -> ExitCode {
    journal::start("provision");
    let state = StateDir::of_host();
    // Two sticks at once are handled one after the other. The lock ends with the process.
    let _lock = match lock_provisioning(&state) {
        Ok(lock) => lock,
        Err(error) => {
            eprintln!(
                "robocast: cannot tell whether another stick is under way, in {}: {error}",
                state.run.display()
            );
            return ExitCode::from(REFUSED);
        }
    };
    let mut host = host(await_run);
    let ended = match path {
        Some(path) => match provisioning::provision(path, &state, host.as_mut()) {
            Ok(ended) => ended,
            Err(nothing) => {
                eprintln!("robocast: {}: {nothing}", path.display());
                return ExitCode::from(REFUSED);
            }
        },
        None => match provisioning::resume(&state, host.as_mut()) {
            Some(ended) => ended,
            None => return ExitCode::SUCCESS,
        },
    };
    print_outcome(&ended)
}

/// The host that applies and verifies settings on this machine.
fn host(await_run: bool) -> Box<dyn Host> {
    match SystemdHost::connect(await_run) {
        Ok(host) => Box::new(host),
        Err(error) => {
            tracing::error!("no program can be informed of the settings: {error}");
            Box::new(NoHost)
        }
    }
}

fn lock_provisioning(state: &StateDir) -> io::Result<Flock<File>> {
    DirBuilder::new().recursive(true).mode(0o755).create(&state.run)?;
    let file = File::options().create(true).append(true).open(state.run.join(paths::PROVISION_LOCK))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}

fn print_outcome(ended: &ProvisionOutcome) -> ExitCode {
    let ProvisionOutcome { receipt, on_stick, on_box } = ended;
    let _ = write!(io::stdout(), "{}", receipt.text());
    let on_stick = on_stick.as_ref().and_then(|written| written.as_ref().err());
    for problem in [on_stick, on_box.as_ref().err()].into_iter().flatten() {
        tracing::warn!("{problem}");
    }
    match receipt.outcome {
        Outcome::Proven => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::from(REFUSED),
        Outcome::Kept => ExitCode::from(KEPT),
    }
}
