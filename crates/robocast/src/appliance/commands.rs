//! The commands of a box.

use crate::program::ProgramArgs;
use clap::Subcommand;
use std::path::PathBuf;
use std::time::Duration;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ApplianceCommand {
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
    Camera(ProgramArgs),
    /// The push program of one stream, in the foreground
    Push(ProgramArgs),
    /// Keeps both sides of the box's network: the robot's, and the uplinks
    Net(NetArgs),
    /// Installs updates for whoever asks on the system bus, in the foreground
    Update(UpdateArgs),
    /// Write what a bug report needs, without secrets: robocast-support-DEVICE-DATE.tar.gz
    Support {
        /// The folder to write it to
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Take the settings on a stick, prove them, and write a receipt onto it
    Provision {
        /// A block device, an image file or a folder
        #[arg(required_unless_present = "resume")]
        path: Option<PathBuf>,
        /// Go on with what a power cut interrupted, if anything was
        #[arg(long, conflicts_with = "path")]
        resume: bool,
        /// Where there is no systemd: wait for a `robocast run` that takes the settings, and prove them by it
        #[arg(long, hide = true)]
        await_run: bool,
    },
    /// The settings file of this box: its second copy, its name
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// What systemd runs as a generator: writes the units that the settings want
    #[command(hide = true)]
    Generate {
        /// The folder for the units
        normal: PathBuf,
        /// Not used
        early: Option<PathBuf>,
        /// Not used
        late: Option<PathBuf>,
        /// The file that errors are appended to, one a line
        #[arg(long, default_value = "/dev/kmsg")]
        log: PathBuf,
    },
}

/// The network.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct NetArgs {
    /// Another command than to keep the network
    #[command(subcommand)]
    pub command: Option<NetCommand>,
    /// The settings file
    #[arg(long, default_value_os_t = robocast_daemon::paths::settings())]
    pub settings: PathBuf,
}

/// What `robocast net` can do besides keeping the network.
#[derive(Debug, Subcommand)]
pub enum NetCommand {
    /// Print what would be done for a settings file, and do nothing
    Plan {
        /// The settings file
        file: PathBuf,
    },
    /// Keep the clock believable until NTP does; on the robot's side
    #[command(hide = true)]
    Clock {
        /// The settings file
        #[arg(long, default_value_os_t = robocast_daemon::paths::settings())]
        settings: PathBuf,
    },
    /// Prove that both sides work
    Check {
        /// The settings file
        #[arg(long, default_value_os_t = robocast_daemon::paths::settings())]
        settings: PathBuf,
    },
}

/// The arguments of `robocast update`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct UpdateArgs {
    /// Not the program, but one thing alone
    #[command(subcommand)]
    pub command: Option<UpdateCommand>,
    /// End when nothing was asked of it for so long, such as 1min
    #[arg(long, value_parser = robocast_config::duration::parse)]
    pub idle: Option<Duration>,
}

/// What `robocast update` can do besides installing.
#[derive(Debug, Subcommand)]
pub enum UpdateCommand {
    /// Wait until the slot that runs has shown that it works, and have RAUC mark it good
    Gate {
        /// How long it may take, such as 10min
        #[arg(long, default_value = "10min", value_parser = robocast_config::duration::parse)]
        timeout: Duration,
    },
}

/// The settings file of this box.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// Copy the settings to a raw partition, where they outlive the file system
    Keep {
        /// The partition, or a file in its stead
        #[arg(long, default_value = robocast_provision::backup::DEVICE)]
        copy: PathBuf,
    },
    /// Put the settings back from that copy when they are missing, empty or not valid
    Restore {
        /// The partition, or a file in its stead
        #[arg(long, default_value = robocast_provision::backup::DEVICE)]
        copy: PathBuf,
    },
    /// Print the name of the box; nothing when it has no valid settings
    Name,
}
