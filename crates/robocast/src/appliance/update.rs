//! `robocast update`: installs bundles for any caller. `robocast update gate`: decides whether the running slot is
//! kept.

use crate::output::{print_error, print_line};
use robocast_daemon::paths;
use robocast_daemon::signals::Signals;
use robocast_update::gate_runner::{GateOutcome, run_gate};
use robocast_update::program::run_update;
use std::process::ExitCode;
use std::time::Duration;

/// 0 when the slot is marked good, or there is no RAUC; 1 when it is not good within `patience`.
pub async fn gate(patience: Duration) -> ExitCode {
    let line = match run_gate(patience, &paths::settings(), &paths::state()).await {
        Ok(GateOutcome::NoRauc) => "no RAUC here: nothing to mark".to_owned(),
        Ok(GateOutcome::Good { slot, before: true }) => format!("{slot} is good, as it was before"),
        Ok(GateOutcome::Good { slot, before: false }) => format!("{slot} is good"),
        Ok(GateOutcome::NotGood { slot, lacking }) => {
            let time = robocast_config::duration::format(patience);
            eprintln!("robocast: {slot} was not found good within {time}");
            lacking.iter().for_each(|line| eprintln!("robocast: {line}"));
            return ExitCode::FAILURE;
        }
        Err(error) => return print_error(&error, 1),
    };
    print_line(&format!("robocast: {line}"));
    ExitCode::SUCCESS
}

/// Serves updates on the system bus. 0 at SIGTERM, and after being idle for `idle`; 1 without a bus.
pub async fn run(idle: Option<Duration>) -> ExitCode {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return print_error(&error, 1),
    };
    match run_update(signals, idle).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print_error(&error, 1),
    }
}
