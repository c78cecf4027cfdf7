//! `robocast`: the one command on the box, and the owner's on any system. It links no GStreamer: `camera` replaces itself
//! with `robocast-media`, which does. Off a box (without the feature `box`, or on another system than Linux) it has `check` and
//! `stick` alone.

mod check;
#[cfg(all(feature = "box", target_os = "linux"))]
mod on_box;
mod say;
mod stick;
mod words;

use clap::Parser;
use std::process::ExitCode;
use words::{Cli, Word};

fn main() -> ExitCode {
    match Cli::parse().word {
        Word::Check { file } => check::check(&file),
        Word::Stick(stick) => stick::run(stick),
        #[cfg(all(feature = "box", target_os = "linux"))]
        Word::OnBox(command) => on_box::run_word(command),
    }
}
