//! `robocast`: the one command on the box, and the owner's on any system. It links no GStreamer: `camera` replaces
//! itself with `robocast-media`, which does. Off a box (without the feature `box`, or on another system than Linux) it
//! has only `check` and `stick`.

#[cfg(all(feature = "box", target_os = "linux"))]
mod appliance;
mod check;
mod cli;
mod output;
#[cfg(all(feature = "box", target_os = "linux"))]
mod program;
mod stick;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check { file } => check::check(&file),
        Command::Stick(stick) => stick::run(stick),
        #[cfg(all(feature = "box", target_os = "linux"))]
        Command::Appliance(command) => appliance::run_command(command),
    }
}
