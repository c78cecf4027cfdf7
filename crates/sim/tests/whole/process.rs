//! The program under test as a child process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub const DEADLINE: Duration = Duration::from_secs(15);
pub const FOOTAGE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/bigbuckbunny-720p25.mp4");
/// Arguments for a pattern that needs little CPU time.
pub const SMALL: [&str; 5] = ["--pattern", "--size", "320x180", "--bitrate", "500"];

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_robocast-sim"))
}

/// A robot that reported that it is ready. Killed when dropped.
pub struct Robot {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    pub ready: Value,
}

impl Robot {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = program()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut robot = Self { child, stdin, lines, ready: Value::Null };
        robot.ready = serde_json::from_str(&robot.line()).expect("JSON");
        assert_eq!(robot.ready["ready"], true);
        robot
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line from the robot in time")
    }

    pub fn ask(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").expect("the robot reads");
        self.line()
    }

    #[track_caller]
    pub fn order(&mut self, command: &str) {
        assert_eq!(self.ask(command), "ok", "{command}");
    }

    pub fn stat(&mut self) -> Value {
        serde_json::from_str(&self.ask("stat")).expect("JSON")
    }

    pub fn url(&self, index: usize) -> String {
        self.ready["urls"][index].as_str().expect("a URL").to_owned()
    }

    /// Sends SIGTERM and returns the exit status.
    pub fn end(mut self) -> ExitStatus {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).expect("it runs");
        wait_for("the robot to end", || self.child.try_wait().expect("a child"))
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running probe. Killed when dropped.
pub struct Probe(Child);

impl Probe {
    pub fn start(url: &str, arguments: &[&str]) -> Self {
        let child = program()
            .args(["probe", url, "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self(child)
    }

    /// The report, and whether the probe saw a picture.
    pub fn report(mut self) -> (Value, bool) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("text");
        let status = wait_for("the probe to end", || self.0.try_wait().expect("a child"));
        (serde_json::from_str(&line).expect("JSON"), status.success())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls until there is a result.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(result) = look() {
            return result;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// The lines of a robot's log, without their times.
pub fn log_lines(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.rsplit_once(' ').expect("a time").0.to_owned()).collect()
}
