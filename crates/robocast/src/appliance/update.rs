//! `robocast update gate`: whether the slot that runs is kept.

use robocast_daemon::{journal, paths};
use robocast_update::watch::{self, Outcome};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// 0 when the slot is marked good, or there is no RAUC; 1 when it is not good within `patience`.
pub async fn gate(patience: Duration) -> ExitCode {
    let line = match watch::gate(patience, &paths::settings(), &paths::state()).await {
        Ok(Outcome::NoRauc) => "no RAUC here: nothing to mark".to_owned(),
        Ok(Outcome::Good { slot, before: true }) => format!("{slot} is good, as it was before"),
        Ok(Outcome::Good { slot, before: false }) => format!("{slot} is good"),
        Ok(Outcome::NotGood { slot, lacking }) => {
            let time = robocast_config::duration::format(patience);
            eprintln!("robocast: {slot} was not found good within {time}");
            lacking.iter().for_each(|line| eprintln!("robocast: {line}"));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("robocast: {}", journal::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let _ = writeln!(std::io::stdout(), "robocast: {line}");
    ExitCode::SUCCESS
}
