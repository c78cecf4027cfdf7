//! `robocast check FILE`.

use crate::output::chain;
use robocast_config::{LoadError, Problem, Problems};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Exit code of a file that is not valid.
const INVALID: u8 = 1;
/// Exit code of a file that cannot be read, as of wrong usage.
const USAGE: u8 = 2;

/// Prints every error and warning; 0 when the file is valid, 1 when not, 2 when it cannot be read.
pub fn check(file: &Path) -> ExitCode {
    let text = match robocast_config::read(file) {
        Ok(text) => text,
        Err(LoadError::Invalid { problems, .. }) => return refuse(file, &[], &problems),
        Err(error) => {
            eprintln!("robocast: {}", chain(&error));
            return ExitCode::from(USAGE);
        }
    };
    match robocast_config::check(&text) {
        Ok(warnings) => {
            warnings.iter().for_each(|warning| show(file, &text, warning));
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{}: ok", file.display());
            ExitCode::SUCCESS
        }
        Err(problems) => refuse(file, &text, &problems),
    }
}

/// Prints all problems of a file of these bytes.
pub fn refuse(file: &Path, text: &[u8], problems: &Problems) -> ExitCode {
    problems.iter().for_each(|problem| show(file, text, problem));
    let _ = writeln!(std::io::stderr(), "{}", summary(problems.iter().count()));
    ExitCode::from(INVALID)
}

fn summary(count: usize) -> String {
    match count {
        1 => "1 problem; nothing was changed".into(),
        count => format!("{count} problems; nothing was changed"),
    }
}

/// Prints one problem; on a terminal with its line, and in colour.
pub fn show(file: &Path, text: &[u8], problem: &Problem) {
    let mut out = std::io::stdout().lock();
    let terminal = std::io::stdout().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    let name = file.display().to_string();
    let _ = match std::str::from_utf8(text) {
        Ok(text) if terminal => write!(out, "{}", problem.render(&name, text, colour)),
        _ => writeln!(out, "{}", problem.display(&name)),
    };
}
