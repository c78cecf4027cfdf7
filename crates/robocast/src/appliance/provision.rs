//! `robocast provision PATH`.

use nix::fcntl::{Flock, FlockArg};
use robocast_daemon::journal;
use robocast_provision::around::Around;
use robocast_provision::home::Home;
use robocast_provision::steps::{self, Ended};
use robocast_provision::the_box::{Nothing, TheBox};
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

/// Provisions from a device, an image or a folder; without one, goes on with what a power cut interrupted. 0 proven (or nothing was
/// interrupted), 1 refused, 4 kept but not proven. The receipt goes to the stick, to the box and to standard output.
pub fn provision(path: Option<&Path>, await_run: bool) -> ExitCode {
    journal::start("provision");
    let home = Home::of_box();
    // Two sticks at once: one after the other. The lock goes with the process.
    let _alone = match alone(&home) {
        Ok(lock) => lock,
        Err(error) => {
            eprintln!(
                "robocast: cannot tell whether another stick is under way, in {}: {error}",
                home.run.display()
            );
            return ExitCode::from(REFUSED);
        }
    };
    let mut the_box = the_box(await_run);
    let ended = match path {
        Some(path) => match steps::provision(path, &home, the_box.as_mut()) {
            Ok(ended) => ended,
            Err(nothing) => {
                eprintln!("robocast: {}: {nothing}", path.display());
                return ExitCode::from(REFUSED);
            }
        },
        None => match steps::resume(&home, the_box.as_mut()) {
            Some(ended) => ended,
            None => return ExitCode::SUCCESS,
        },
    };
    print_outcome(&ended)
}

/// Whoever applies and proves on this machine.
fn the_box(await_run: bool) -> Box<dyn TheBox> {
    match Around::here(await_run) {
        Ok(around) => Box::new(around),
        Err(error) => {
            tracing::error!("no program can be informed of the settings: {error}");
            Box::new(Nothing)
        }
    }
}

fn alone(home: &Home) -> io::Result<Flock<File>> {
    DirBuilder::new().recursive(true).mode(0o755).create(&home.run)?;
    let file = File::options().create(true).append(true).open(home.run.join("provision.lock"))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}

fn print_outcome(ended: &Ended) -> ExitCode {
    let Ended { receipt, on_stick, on_box } = ended;
    let _ = write!(io::stdout(), "{}", receipt.text());
    let on_stick = on_stick.as_ref().and_then(|written| written.as_ref().err());
    for trouble in [on_stick, on_box.as_ref().err()].into_iter().flatten() {
        tracing::warn!("{trouble}");
    }
    match receipt.outcome {
        Outcome::Proven => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::from(REFUSED),
        Outcome::Kept => ExitCode::from(KEPT),
    }
}
