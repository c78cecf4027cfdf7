//! `robocast push NAME`: the push program of one stream, in the foreground.

use crate::program::ProgramArgs;
use robocast_daemon::journal;
use std::process::ExitCode;

/// Runs until SIGTERM.
pub async fn push(program: &ProgramArgs) -> ExitCode {
    match robocast_push::program::run(&program.name, &program.settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("push: {}", journal::chain(&error));
            ExitCode::FAILURE
        }
    }
}
