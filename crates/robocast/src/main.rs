//! `robocast`: the one command on the box, and the owner's on any system. It holds no GStreamer: `camera` and `push` become
//! `robocast-media`, which does. Off a box (without the feature `box`, or on another system than Linux) it has `check` and
//! `stick` alone.

mod check;
mod say;
mod stick;
mod words;

#[cfg(all(feature = "box", target_os = "linux"))]
mod children;
#[cfg(all(feature = "box", target_os = "linux"))]
mod cli;
#[cfg(all(feature = "box", target_os = "linux"))]
mod generate;
#[cfg(all(feature = "box", target_os = "linux"))]
mod net;
#[cfg(all(feature = "box", target_os = "linux"))]
mod provision;
#[cfg(all(feature = "box", target_os = "linux"))]
mod run;
#[cfg(all(feature = "box", target_os = "linux"))]
mod settings;
#[cfg(all(feature = "box", target_os = "linux"))]
mod status;
#[cfg(all(feature = "box", target_os = "linux"))]
mod support;
#[cfg(all(feature = "box", target_os = "linux"))]
mod units;
#[cfg(all(feature = "box", target_os = "linux"))]
mod update;
#[cfg(all(feature = "box", target_os = "linux"))]
mod view;

use clap::Parser;
#[cfg(all(feature = "box", target_os = "linux"))]
use cli::{Command, Look, Program, Settings, Update};
#[cfg(all(feature = "box", target_os = "linux"))]
use robocast_daemon::{journal, spawn};
use std::process::ExitCode;
use words::{Cli, Word};

fn main() -> ExitCode {
    match Cli::parse().word {
        Word::Check { file } => check::check(&file),
        Word::Stick(stick) => stick::run(stick),
        #[cfg(all(feature = "box", target_os = "linux"))]
        Word::OnBox(command) => on_box(command),
    }
}

#[cfg(all(feature = "box", target_os = "linux"))]
fn on_box(command: Command) -> ExitCode {
    match command {
        Command::Run { file, seconds, json } => in_runtime("run", run::run(&file, seconds, json)),
        Command::Status { json, watch } => in_runtime("status", status::status(json, watch)),
        Command::Camera(program) => become_media("camera", &program),
        Command::Push(program) => become_media("push", &program),
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

#[cfg(all(feature = "box", target_os = "linux"))]
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

#[cfg(all(feature = "box", target_os = "linux"))]
fn become_media(word: &str, program: &Program) -> ExitCode {
    let media = spawn::sibling("robocast-media");
    let error = spawn::Program::new(&media, "robocast")
        .arg(word)
        .arg(&program.name)
        .arg("--settings")
        .arg(&program.settings)
        .become_it();
    eprintln!("robocast: cannot run {}: {error}; it belongs beside this executable", media.display());
    ExitCode::FAILURE
}
