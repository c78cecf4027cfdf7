//! `robocast net`: keeps both sides of the network; `net plan` and `net check` only look.

use robocast_config::Settings;
use robocast_daemon::journal;
use robocast_net::{check, clock, inspect, program};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Until SIGTERM.
pub async fn keep(settings: &Path) -> ExitCode {
    match program::run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", journal::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Until SIGTERM.
pub async fn clock(settings: &Path) -> ExitCode {
    match clock::run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", journal::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Prints the planned steps; 0 when they are known, 1 when the file is not valid or a side cannot be queried.
pub async fn plan(file: &Path) -> ExitCode {
    let Some(settings) = read(file) else { return ExitCode::FAILURE };
    let inspect::BothPlans { robot, uplinks } = inspect::plan_both(&settings).await;
    let mut code = ExitCode::SUCCESS;
    let mut out = std::io::stdout().lock();
    for (side, steps) in [("the robot's side", robot), ("the uplinks", uplinks)] {
        match steps {
            Ok(steps) if steps.is_empty() => {
                let _ = writeln!(out, "{side}: nothing to do");
            }
            Ok(steps) => {
                let _ = writeln!(out, "{side}:");
                for step in steps {
                    let _ = writeln!(out, "  {step}");
                }
            }
            Err(error) => {
                eprintln!("robocast: {side}: {}", journal::chain(&error));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Prints what holds and what does not; 0 when all holds.
pub async fn check(file: &Path) -> ExitCode {
    let Some(settings) = read(file) else { return ExitCode::FAILURE };
    let checks = inspect::check_both(&settings).await;
    let terminal = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = std::io::stdout().lock();
    for check::Check { ok, text: line } in &checks {
        let _ = match (ok, terminal) {
            (true, true) => writeln!(out, "\x1b[32mok\x1b[0m      {line}"),
            (true, false) => writeln!(out, "ok      {line}"),
            (false, true) => writeln!(out, "\x1b[31mFAILED\x1b[0m  {line}"),
            (false, false) => writeln!(out, "FAILED  {line}"),
        };
    }
    if check::all_ok(&checks) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(file: &Path) -> Option<Settings> {
    match robocast_config::load(file) {
        Ok(checked) => Some(checked.settings),
        Err(error) => {
            eprintln!("robocast: {}", journal::chain(&error));
            None
        }
    }
}
