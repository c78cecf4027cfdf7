//! The command line: the commands of any system, and those of a box.

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
    /// Check a settings file: every error with its line, its column and what helps
    Check {
        /// The settings file
        file: PathBuf,
    },
    /// Make a stick for a box, and read what the box wrote onto it
    #[command(subcommand)]
    Stick(StickCommand),
    /// A command of a box.
    #[cfg(all(feature = "box", target_os = "linux"))]
    #[command(flatten)]
    Appliance(crate::appliance::commands::ApplianceCommand),
}

/// The commands of a stick.
#[derive(Debug, Subcommand)]
pub enum StickCommand {
    /// Write a first settings file: by flags, and by questions on a terminal
    Init(Box<InitArgs>),
    /// Check a settings file that may hold sealed values, and the signature beside it
    Check {
        /// The settings file, or the stick's folder
        file: PathBuf,
    },
    /// Seal the secrets of a settings file, so that one box alone can read them
    Seal {
        /// The settings file, or the stick's folder
        file: PathBuf,
        /// The box: its receipt (a file or a stick's folder), or its public key age1...
        #[arg(long, value_name = "RECEIPT|age1...")]
        to: String,
        /// Replace the file instead of printing it
        #[arg(long)]
        in_place: bool,
    },
    /// Make the owner's key pair: PATH, which stays with the owner, and PATH.pub for the boxes
    Key {
        /// Where the secret key is written
        path: PathBuf,
    },
    /// Sign a settings file, a new owner's public key (*.pub), or authorized_keys: writes FILE.sig
    Sign {
        /// The file, or the stick's folder
        file: PathBuf,
        /// The owner's secret key
        #[arg(long)]
        key: PathBuf,
        /// A box takes no lower serial than the last; the time in s unless given
        #[arg(long)]
        serial: Option<u64>,
    },
    /// Explain a box's receipt; 0 proven, 1 refused, 4 kept but not proven
    Receipt {
        /// The receipt, or the stick's folder
        path: PathBuf,
    },
}

/// The values of a first settings file. On a terminal, missing ones are asked for.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// The file to write, or the stick's folder
    pub path: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
    /// Ask nothing: missing values have their defaults
    #[arg(long, short)]
    pub yes: bool,
    /// Name of the box: a-z, 0-9, -
    #[arg(long)]
    pub name: Option<String>,
    /// spot, go2 or none
    #[arg(long)]
    pub robot: Option<String>,
    /// User on the robot
    #[arg(long, value_name = "USER", requires = "robot")]
    pub robot_user: Option<String>,
    /// Password on the robot
    #[arg(long, value_name = "PASSWORD", requires = "robot")]
    pub robot_password: Option<String>,
    /// Name of the stream
    #[arg(long)]
    pub stream: Option<String>,
    /// Where the video comes from: spot:, go2:, rtsp://..., v4l2:/dev/video0, test: ...
    #[arg(long)]
    pub source: Option<String>,
    /// Where it is pushed to: twitch:KEY, youtube:KEY, mediamtx:[USER:PASSWORD@]HOST, or a URL; again for more
    #[arg(long, value_name = "PLACE")]
    pub to: Vec<String>,
    /// Name of the Wi-Fi network
    #[arg(long, value_name = "SSID")]
    pub wifi: Option<String>,
    /// Its password, 8 to 63 characters; none of an open network
    #[arg(long, value_name = "PASSWORD", requires = "wifi")]
    pub wifi_password: Option<String>,
    /// Whose radio rules apply: two letters, such as US
    #[arg(long, value_name = "CODE", requires = "wifi")]
    pub country: Option<String>,
    /// The network does not announce its name
    #[arg(long, requires = "wifi")]
    pub hidden: bool,
    /// Access point name of the mobile network
    #[arg(long)]
    pub apn: Option<String>,
    /// PIN of the SIM
    #[arg(long, requires = "apn")]
    pub pin: Option<String>,
    /// MQTT broker: mqtts://HOST
    #[arg(long, value_name = "URL")]
    pub mqtt: Option<String>,
    /// User at the broker
    #[arg(long, value_name = "USER", requires = "mqtt")]
    pub mqtt_user: Option<String>,
    /// Password at the broker
    #[arg(long, value_name = "PASSWORD", requires = "mqtt")]
    pub mqtt_password: Option<String>,
    /// Password of the box's own page; no page without
    #[arg(long, value_name = "PASSWORD")]
    pub page_password: Option<String>,
    /// The box seals the secrets on the stick once the settings work
    #[arg(long)]
    pub erase_secrets: bool,
}
