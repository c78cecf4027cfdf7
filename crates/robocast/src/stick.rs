//! `robocast stick`: what the owner does on a laptop. Files are read and written here; what is in them is `robocast_stick`'s.

mod check;
mod files;
mod init;
mod keys;
mod receipt;
mod seal;
mod terminal;

use crate::words::Stick;
use std::process::ExitCode;

/// Exit code of something that is not as it should be.
const BAD: u8 = 1;
/// Exit code of a file that cannot be read or written, as of wrong usage.
const USAGE: u8 = 2;

/// Does it.
pub fn run(stick: Stick) -> ExitCode {
    match stick {
        Stick::Init(init) => init::init(*init),
        Stick::Check { file } => check::check(&file),
        Stick::Seal { file, to, in_place } => seal::seal(&file, &to, in_place),
        Stick::Key { path } => keys::key(&path),
        Stick::Sign { file, key, serial } => keys::sign(&file, &key, serial),
        Stick::Receipt { path } => receipt::receipt(&path),
    }
}
