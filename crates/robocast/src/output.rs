//! The output of a command.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

/// An error with all its causes on one line, outermost first.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

/// Prints a line. A reader that has left is not an error.
pub fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints an error, and returns the exit code `code`.
pub fn print_error(error: &dyn Error, code: u8) -> ExitCode {
    eprintln!("robocast: {}", chain(error));
    ExitCode::from(code)
}
