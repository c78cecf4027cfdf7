//! `robocast-media`: the part of robocast that links GStreamer. `robocast camera` replaces itself with it; push runs it to
//! have a slate encoded.

use clap::{Parser, Subcommand};
use robocast_config::Size;
use robocast_daemon::{journal, paths};
use robocast_gst::slate::{self, Slate};
use robocast_video::slate::write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "robocast-media",
    version,
    about = "The part of robocast that links GStreamer",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The camera program of one stream
    Camera(Program),
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

#[derive(Debug, clap::Args)]
struct Program {
    /// The stream's name in the settings
    name: String,
    /// The settings file
    #[arg(long, default_value_os_t = paths::settings())]
    settings: PathBuf,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Camera(program) => {
            journal::start("camera");
            in_runtime("camera", async move {
                robocast_camera::program::run(&program.name, &program.settings)
                    .await
                    .map_err(|e| journal::chain(&e))
            })
        }
        Command::Registry => match robocast_gst::pipeline::init() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("robocast-media: {}", journal::chain(&error));
                ExitCode::FAILURE
            }
        },
        Command::Slate { size, interval, text } => {
            journal::start("slate");
            encode_slate(&Slate { size, text, keyframe_interval: Duration::from_millis(interval) })
        }
    }
}

fn in_runtime(program: &str, work: impl Future<Output = Result<(), String>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let done = runtime.block_on(work);
        // A pipeline that hangs must not keep the process from ending.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{program}: {why}");
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
