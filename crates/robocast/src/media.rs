//! `robocast-media`: the part of robocast that links GStreamer. `robocast camera` replaces itself with it; push runs it to
//! have a slate encoded.

mod program;

use clap::{Parser, Subcommand};
use program::{ProgramArgs, run_in_runtime};
use robocast_config::Size;
use robocast_daemon::journal;
use robocast_gst::slate::{self, Slate};
use robocast_video::slate::write;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "robocast-media",
    version,
    about = "The part of robocast that links GStreamer",
    disable_help_subcommand = true
)]
struct MediaCli {
    #[command(subcommand)]
    command: MediaCommand,
}

#[derive(Debug, Subcommand)]
enum MediaCommand {
    /// The camera program of one stream
    Camera(ProgramArgs),
    /// Look at the installed plugins once, so that `GST_REGISTRY` names a complete list of them
    Registry,
    /// Encode a slate to standard output
    Slate {
        /// Its size, such as 1280x720
        size: Size,
        /// The keyframe interval in ms
        interval: u64,
        /// The line of text
        text: String,
    },
}

fn main() -> ExitCode {
    match MediaCli::parse().command {
        MediaCommand::Camera(program) => run_in_runtime("camera", run_camera(&program)),
        MediaCommand::Registry => match robocast_gst::pipeline::init() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("robocast-media: {}", journal::chain(&error));
                ExitCode::FAILURE
            }
        },
        MediaCommand::Slate { size, interval, text } => {
            journal::start("slate");
            encode_slate(&Slate { size, text, keyframe_interval: Duration::from_millis(interval) })
        }
    }
}

async fn run_camera(program: &ProgramArgs) -> ExitCode {
    match robocast_camera::program::run(&program.name, &program.settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("camera: {}", journal::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn encode_slate(slate: &Slate) -> ExitCode {
    let frames = match slate::encode(slate) {
        Ok(frames) => frames,
        Err(error) => {
            tracing::error!("{}", journal::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    match write(&frames, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
