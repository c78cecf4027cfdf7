//! The words of a box: each starts one of its programs, or asks them.

pub mod cli;

mod children;
mod generate;
mod net;
mod provision;
mod push;
mod run;
mod settings;
mod status;
mod support;
mod units;
mod update;
mod view;

use cli::{Command, Look, Program, Settings, Update};
use robocast_daemon::{journal, spawn};
use std::process::ExitCode;

/// Does what a box does.
pub fn run_word(command: Command) -> ExitCode {
    match command {
        Command::Run { file, seconds, json } => in_runtime("run", run::run(&file, seconds, json)),
        Command::Status { json, watch } => in_runtime("status", status::status(json, watch)),
        Command::Camera(program) => run_camera(&program),
        Command::Push(program) => in_runtime("push", push::push(&program)),
        Command::Net(net) => match net.look {
            None => in_runtime("net", net::keep(&net.settings)),
            Some(Look::Plan { file }) => in_runtime("net plan", net::plan(&file)),
            Some(Look::Clock { settings }) => in_runtime("net clock", net::clock(&settings)),
            Some(Look::Check { settings }) => in_runtime("net check", net::check(&settings)),
        },
        Command::Update(Update::Gate { timeout }) => in_runtime("update", update::gate(timeout)),
        Command::Support { folder } => in_runtime("support", support::support(&folder)),
        Command::Provision { path, await_run, .. } => provision::provision(path.as_deref(), await_run),
        Command::Settings(Settings::Keep { copy }) => settings::keep(&copy),
        Command::Settings(Settings::Restore { copy }) => settings::restore(&copy),
        Command::Settings(Settings::Name) => settings::name(),
        Command::Generate { normal, log, .. } => generate::generate(&normal, &log),
    }
}

fn in_runtime(program: &'static str, work: impl Future<Output = ExitCode>) -> ExitCode {
    journal::start(program);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("robocast: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Replaces this process with the program that links GStreamer.
fn run_camera(program: &Program) -> ExitCode {
    let media = spawn::sibling("robocast-media");
    let error = spawn::Program::new(&media, "robocast")
        .arg("camera")
        .arg(&program.name)
        .arg("--settings")
        .arg(&program.settings)
        .exec();
    eprintln!("robocast: cannot run {}: {error}; it belongs beside this executable", media.display());
    ExitCode::FAILURE
}
