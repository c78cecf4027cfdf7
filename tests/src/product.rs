//! The product: `robocast run` with its own settings, folders and sockets.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::scratch;
use crate::nginx::write;
use crate::process::{Process, command};
use crate::programs::program;
use crate::waiting::{SOON, wait};

/// A running `robocast run FILE --json`. Ends when dropped, with its children.
#[derive(Debug)]
pub struct Product {
    folder: Place,
    /// Its process.
    pub process: Process,
}

/// The folders of one box.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// An empty box with a settings file.
    pub fn new(settings: &str) -> Self {
        let place = Self(scratch("box"));
        place.write_settings(settings);
        place
    }

    pub fn write_settings(&self, settings: &str) {
        write(&self.settings(), settings);
    }

    pub fn settings(&self) -> PathBuf {
        self.0.path().join("robocast.toml")
    }

    /// The folder that outlives a reboot; made on the first call.
    pub fn state(&self) -> PathBuf {
        let state = self.0.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        state
    }

    /// Puts settings to where a box that was provisioned has them; where that is.
    pub fn provision(&self, settings: &str) -> PathBuf {
        let path = self.state().join("settings.toml");
        write(&path, settings);
        path
    }

    /// The folder of the programs' sockets.
    pub fn sockets(&self) -> PathBuf {
        self.0.path().join("run/bus")
    }

    /// `robocast` on this box.
    pub fn robocast(&self, arguments: &[&str]) -> Command {
        let mut robocast = command(program("robocast"));
        robocast
            .env("ROBOCAST_RUN", self.0.path().join("run"))
            .env("ROBOCAST_STATE", self.0.path().join("state"));
        robocast.env_remove("ROBOCAST_LOG").env("NO_COLOR", "1").args(arguments);
        robocast
    }

    /// `robocast run` on the settings file.
    pub fn run(&self, more: &[&str]) -> Command {
        let mut run = self.robocast(&["run"]);
        run.arg(self.settings()).arg("--json").args(more);
        run
    }
}

/// `[[stream]]` with the usual keys and `more` lines.
pub fn stream(name: &str, source: &str, push: &[&str], more: &str) -> String {
    format!("[[stream]]\nname = {name:?}\nsource = {source:?}\npush = {push:?}\n{more}\n")
}

/// `[robot]` of a kind, reached over the loopback interface.
pub fn robot(kind: &str) -> String {
    format!("[robot]\nkind = {kind:?}\ninterface = \"lo\"\n")
}

/// A whole file of these sections.
pub fn settings(sections: &[String]) -> String {
    format!("schema = 1\n[device]\nname = \"box\"\n{}", sections.concat())
}

impl Product {
    /// Runs these sections.
    pub fn start(sections: &[String]) -> Self {
        Self::start_with(sections, |_| {})
    }

    /// Runs these sections with changes to the command, such as its environment.
    pub fn start_with(sections: &[String], change: impl FnOnce(&mut Command)) -> Self {
        let place = Place::new(&settings(sections));
        let mut run = place.run(&[]);
        change(&mut run);
        Self { process: Process::start("robocast run", run), folder: place }
    }

    pub fn place(&self) -> &Place {
        &self.folder
    }

    /// Other settings, and SIGHUP.
    pub fn reread(&self, text: &str) {
        self.folder.write_settings(text);
        self.process.signal(Signal::SIGHUP);
    }

    /// All statuses of a stream so far.
    pub fn history(&self, stream: &str) -> Vec<Value> {
        self.said_from(0).into_iter().filter(|state| state["stream"] == stream).collect()
    }

    fn said_from(&self, line: usize) -> Vec<Value> {
        let parse = |line: &String| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("a line of `run --json`: {error}: {line}"))
        };
        self.process.told.from(line).iter().map(parse).collect()
    }

    /// The last status of a stream; null before the first.
    pub fn state(&self, stream: &str) -> Value {
        self.history(stream).pop().unwrap_or_default()
    }

    /// Waits until a new status of a stream `fits`.
    #[track_caller]
    pub fn wait(&self, stream: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(SOON, stream, what, fits)
    }

    /// The same with another deadline.
    #[track_caller]
    pub fn wait_for(
        &self,
        deadline: Duration,
        stream: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = self.process.told.count();
        wait(deadline, &format!("{stream} to be {what}"), || {
            assert!(runs(self.process.pid()), "robocast ended while {stream} was to be {what}");
            let said = self.said_from(start);
            let mut ours: Vec<_> = said.into_iter().filter(|state| state["stream"] == stream).collect();
            match ours.iter().position(&fits) {
                Some(at) => Ok(ours.swap_remove(at)),
                None => Err(ours.last().map_or_else(|| self.state(stream).to_string(), Value::to_string)),
            }
        })
    }

    /// Waits until a stream is in this state.
    #[track_caller]
    pub fn wait_state(&self, stream: &str, state: &str) -> Value {
        self.wait(stream, state, |said| said["state"] == state)
    }

    /// Waits for a line in its log, or its children's.
    #[track_caller]
    pub fn wait_log(&self, from: usize, text: &str) -> String {
        wait(SOON, &format!("a log line with `{text}`"), || {
            let lines = self.process.logged.from(from);
            let last = lines.last().cloned().unwrap_or_default();
            lines.into_iter().find(|line| line.contains(text)).ok_or(last)
        })
    }

    /// Its child that shows as `robocast ROLE NAME`.
    pub fn child(&self, role: &str, name: &str) -> Option<Pid> {
        let named = |pid: &Pid| {
            let line = command_line(*pid);
            matches!(&line[..], [program, word, stream, ..] if program == "robocast" && word == role && stream == name)
        };
        children(self.process.pid()).into_iter().find(named)
    }

    /// Kills that child as `kill -9` does.
    #[track_caller]
    pub fn kill_child(&self, role: &str, name: &str) -> Pid {
        let pid = self.child(role, name).unwrap_or_else(|| panic!("no `robocast {role} {name}` runs"));
        kill(pid, Signal::SIGKILL).unwrap();
        pid
    }

    /// All its children, and theirs.
    pub fn descendants(&self) -> Vec<Pid> {
        descendants(self.process.pid())
    }

    /// SIGTERM and its result.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(SOON)
    }
}

/// Argument by argument; empty when it is gone.
pub fn command_line(pid: Pid) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Whether a process runs: neither gone nor waiting to be reaped. One that just started has no command line yet.
pub fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Children of every thread of a process.
fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = |path: &Path| std::fs::read_to_string(path.join("children")).unwrap_or_default();
    let texts = tasks.map(|task| listed(&task.path()));
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .map(Pid::from_raw)
        .collect()
}

/// A process's children, and theirs.
pub fn descendants(pid: Pid) -> Vec<Pid> {
    let own = children(pid);
    own.iter().copied().chain(own.iter().flat_map(|&child| descendants(child))).collect()
}
