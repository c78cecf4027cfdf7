//! What is told to whoever typed a command.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

/// An error with all its causes on one line, outermost first.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

/// A line of output; whoever stopped listening is not told.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says what went wrong, and ends with `code`.
pub fn complain(error: &dyn Error, code: u8) -> ExitCode {
    eprintln!("robocast: {}", chain(error));
    ExitCode::from(code)
}
