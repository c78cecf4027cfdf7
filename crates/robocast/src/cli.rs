//! The words of the command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Pushes a robot's video to media servers, whatever happens to robot or uplink.
#[derive(Debug, Parser)]
#[command(name = "robocast", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a settings file: every error with its line, its column and the mend
    Check {
        /// The settings file
        file: PathBuf,
    },
    /// Run all streams of a settings file here and now, without systemd
    Run {
        /// The settings file
        file: PathBuf,
        /// End after so many seconds
        #[arg(long)]
        seconds: Option<u64>,
        /// Print one JSON object a second and stream
        #[arg(long)]
        json: bool,
    },
    /// Show what runs here and how it is
    Status {
        /// Print one JSON object a stream
        #[arg(long)]
        json: bool,
        /// Go on showing it, once a second
        #[arg(long)]
        watch: bool,
    },
    /// The camera program of one stream, in the foreground
    Camera(Program),
    /// The push program of one stream, in the foreground
    Push(Program),
}

/// A program of one stream.
#[derive(Debug, clap::Args)]
pub struct Program {
    /// The stream's name in the settings
    pub name: String,
    /// The settings file
    #[arg(long, default_value_os_t = robocast_daemon::places::settings())]
    pub settings: PathBuf,
}
