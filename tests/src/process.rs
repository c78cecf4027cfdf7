//! Child processes. The one place that starts any.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::machine;
use crate::waiting::wait;

/// How long reading a process's output may take after it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A command that the kernel kills when the test's thread ends, however that happens.
#[allow(clippy::disallowed_methods, unsafe_code)]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // SAFETY: between fork and exec one system call is made, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    command
}

/// The lines that a child printed so far.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// From the line with index `start` on.
    pub fn from(&self, start: usize) -> Vec<String> {
        self.lock().get(start..).unwrap_or_default().to_vec()
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn take_in(&self, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                lines.lock().push(String::from_utf8_lossy(&line).into_owned());
            }
        })
    }
}

/// A running child, its output captured. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// Its output on stdout.
    pub told: Lines,
    /// Its output on stderr.
    pub logged: Lines,
    readers: [JoinHandle<()>; 2],
}

impl Process {
    /// Starts it; `name` is its name when something fails.
    pub fn start(name: &str, mut command: Command) -> Self {
        machine::watch();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (told, logged) = (Lines::default(), Lines::default());
        let readers =
            [told.take_in(child.stdout.take().unwrap()), logged.take_in(child.stderr.take().unwrap())];
        Self { name: name.to_owned(), child, told, logged, readers }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap_or_else(|error| panic!("{} takes no {signal}: {error}", self.name));
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its exit status, if it ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end, and for its last lines.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let name = self.name.clone();
        let status = wait(deadline, &format!("{name} to end"), || self.ended().ok_or("it runs"));
        // Its child may hold its outputs open for longer.
        let ended = Instant::now();
        while self.readers.iter().any(|reader| !reader.is_finished()) && ended.elapsed() < LAST_WORDS {
            thread::park_timeout(Duration::from_millis(5));
        }
        status
    }

    /// Its output on stdout and stderr.
    pub fn output(&self) -> String {
        [self.told.all(), self.logged.all()].concat().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        self.kill();
        if thread::panicking() {
            let mut report =
                format!("--- {} ({})\n", self.name, ended.map_or("ran".into(), |s| s.to_string()));
            for (lines, most) in [(self.told.all(), 3), (self.logged.all(), 40)] {
                for line in &lines[lines.len().saturating_sub(most)..] {
                    report.push_str(&format!("{line}\n"));
                }
            }
            let _ = std::io::stderr().lock().flush();
            eprintln!("{report}");
        }
    }
}

/// Runs a program to its end: exit code, stdout, stderr.
pub fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
