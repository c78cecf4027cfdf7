//! `robocast stick`: the owner's commands on a laptop. Files are read and written here; their contents are handled by
//! `robocast_stick`.

mod check;
mod files;
mod init;
mod keys;
mod receipt;
mod seal;
mod terminal;

use crate::cli::StickCommand;
use std::process::ExitCode;

/// Exit code of something that is not as it should be.
const BAD: u8 = 1;
/// Exit code of a file that cannot be read or written, as of wrong usage.
const USAGE: u8 = 2;

/// Does it.
pub fn run(stick: StickCommand) -> ExitCode {
    match stick {
        StickCommand::Init(init) => init::init(*init),
        StickCommand::Check { file } => check::check(&file),
        StickCommand::Seal { file, to, in_place } => seal::seal(&file, &to, in_place),
        StickCommand::Key { path } => keys::key(&path),
        StickCommand::Sign { file, key, serial } => keys::sign(&file, &key, serial),
        StickCommand::Receipt { path } => receipt::receipt(&path),
    }
}
