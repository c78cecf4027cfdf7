//! The commands of a box: each starts one of its programs, or asks them.

pub mod commands;

mod generate;
mod net;
mod provision;
mod push;
mod run;
mod settings;
mod status;
mod supervisor;
mod support;
mod totals;
mod units;
mod update;
mod view;

use crate::program::{ProgramArgs, run_in_runtime};
use commands::{ApplianceCommand, NetCommand, SettingsCommand, UpdateCommand};
use robocast_daemon::spawn;
use std::process::ExitCode;

/// Runs a command.
pub fn run_command(command: ApplianceCommand) -> ExitCode {
    match command {
        ApplianceCommand::Run { file, seconds, json } => {
            run_in_runtime("run", run::run(&file, seconds, json))
        }
        ApplianceCommand::Status { json, watch } => run_in_runtime("status", status::status(json, watch)),
        ApplianceCommand::Camera(program) => run_camera(&program),
        ApplianceCommand::Push(program) => run_in_runtime("push", push::push(&program)),
        ApplianceCommand::Net(net) => match net.command {
            None => run_in_runtime("net", net::keep(&net.settings)),
            Some(NetCommand::Plan { file }) => run_in_runtime("net plan", net::plan(&file)),
            Some(NetCommand::Clock { settings }) => run_in_runtime("net clock", net::clock(&settings)),
            Some(NetCommand::Check { settings }) => run_in_runtime("net check", net::check(&settings)),
        },
        ApplianceCommand::Update(update) => match update.command {
            None => run_in_runtime("update", update::run(update.idle)),
            Some(UpdateCommand::Gate { timeout }) => run_in_runtime("update", update::gate(timeout)),
        },
        ApplianceCommand::Support { folder } => run_in_runtime("support", support::support(&folder)),
        ApplianceCommand::Provision { path, await_run, .. } => {
            provision::provision(path.as_deref(), await_run)
        }
        ApplianceCommand::Settings(SettingsCommand::Keep { copy }) => settings::keep(&copy),
        ApplianceCommand::Settings(SettingsCommand::Restore { copy }) => settings::restore(&copy),
        ApplianceCommand::Settings(SettingsCommand::Name) => settings::name(),
        ApplianceCommand::Generate { normal, log, .. } => generate::generate(&normal, &log),
    }
}

/// Replaces this process with the program that links GStreamer.
fn run_camera(program: &ProgramArgs) -> ExitCode {
    let media = spawn::sibling("robocast-media");
    let error = spawn::ChildCommand::new(&media, "robocast")
        .arg("camera")
        .arg(&program.name)
        .arg("--settings")
        .arg(&program.settings)
        .exec();
    eprintln!("robocast: cannot run {}: {error}; it belongs beside this executable", media.display());
    ExitCode::FAILURE
}
