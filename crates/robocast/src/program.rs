//! What both executables need to run a program in the foreground.

use clap::Args;
use robocast_daemon::{journal, paths};
use std::path::PathBuf;
use std::process::ExitCode;

/// A program of one stream.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// The stream's name in the settings
    pub name: String,
    /// The settings file
    #[arg(long, default_value_os_t = paths::settings())]
    pub settings: PathBuf,
}

/// Runs `work`, with the journal of `program`.
pub fn run_in_runtime(program: &'static str, work: impl Future<Output = ExitCode>) -> ExitCode {
    journal::start(program);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A pipeline that hangs must not keep the process from ending.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("robocast: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
