//! Runs a program to its end.

use robocast_daemon::spawn::ChildCommand;
use std::io;

/// A program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It cannot be started.
    #[error("`{program}` cannot be started")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It fails.
    #[error("`{command}`: {status} {text}")]
    Failed {
        /// The program with its arguments.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its messages.
        text: String,
    },
    /// Its output is not understood.
    #[error("`{command}` prints something that is not understood: {source}")]
    Output {
        /// The program with its arguments.
        command: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// Runs a program; returns what it printed.
///
/// # Errors
/// When it cannot be started, or fails.
pub(crate) async fn run_command(program: &str, arguments: &[&str]) -> Result<String, CommandError> {
    let failed = |source| CommandError::Start { program: program.to_owned(), source };
    let with = arguments.iter().fold(ChildCommand::new(program, program), |program, arg| program.arg(arg));
    let child = with.piped().errors_piped().start().map_err(failed)?;
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(CommandError::Failed {
        command: command_line(program, arguments),
        status: output.status,
        text: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

pub(crate) fn command_line(program: &str, arguments: &[&str]) -> String {
    [&[program], arguments].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_fails_says_which_it_was_and_why() {
        assert_eq!(run_command("sh", &["-c", "echo good"]).await.unwrap(), "good\n");
        let error = run_command("sh", &["-c", "echo bad >&2; exit 3"]).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh -c echo bad >&2; exit 3`: exit status: 3 bad");
        let error = run_command("no-such-program", &[]).await.unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
    }
}
