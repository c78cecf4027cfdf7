//! A robot with the real protocol: `robocast-sim`.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::Certificate;
use crate::flv::Recording;
use crate::machine::{self, free_group, free_port, scratch};
use crate::passing;
use crate::process::{Process, command};
use crate::programs::program;
use crate::slices::{self, Sent, Slice};
use crate::waiting::{SOON, wait};

/// Real footage: 1280x720, 25 pictures a second, a keyframe every 5.28 s, over and over.
pub const FILM: [&str; 2] =
    ["--file", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bigbuckbunny-720p25.mp4")];
/// A pattern that costs little, with a keyframe a second.
pub const SMALL: [&str; 7] =
    ["--pattern", "--size", "640x360", "--bitrate", "600", "--keyframe-interval", "1s"];
/// A pattern as large as a Go2's picture, with a keyframe a second.
pub const LARGE: [&str; 9] =
    ["--pattern", "--size", "1280x720", "--fps", "15", "--bitrate", "1500", "--keyframe-interval", "1s"];

/// The robot. Ends when dropped.
#[derive(Debug)]
pub struct Robot {
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Process>,
    source: String,
}

impl Robot {
    /// A Go2 that sends to its own group.
    pub fn go2(footage: &[&str]) -> Self {
        let mut robot = Self::go2_switched_off(footage);
        robot.start();
        robot
    }

    /// The same, not switched on yet.
    pub fn go2_switched_off(footage: &[&str]) -> Self {
        let (group, port) = free_group();
        let (group, port) = (group.to_string(), port.to_string());
        let source = format!("rtp://{group}:{port}?interface=lo&payload=96");
        Self::new(&["go2", "--group", &group, "--port", &port], footage, source)
    }

    /// A Go2 that sends where a Go2 does, over the loopback interface.
    pub fn real_go2(footage: &[&str]) -> Self {
        let mut robot = Self::new(&["go2"], footage, "go2:".into());
        robot.start();
        robot
    }

    /// An RTSP camera, asked over TCP.
    pub fn rtsp(footage: &[&str]) -> Self {
        Self::camera(&[], footage, "?transport=tcp")
    }

    /// An RTSP camera, asked over UDP.
    pub fn rtsp_over_udp(footage: &[&str]) -> Self {
        Self::camera(&[], footage, "?transport=udp")
    }

    /// An RTSP camera that uses TLS with its `own` certificate.
    pub fn rtsps(footage: &[&str], own: &Certificate) -> Self {
        let files = [own.certificate.to_str().unwrap(), own.key.to_str().unwrap()];
        Self::camera(&["--tls", files[0], files[1]], footage, "")
    }

    fn camera(more: &[&str], footage: &[&str], options: &str) -> Self {
        // At the same port when it starts again.
        let listen = format!("127.0.0.1:{}", free_port());
        let place = [&["rtsp", "--listen", &listen], more].concat();
        let mut robot = Self::new(&place, footage, String::new());
        let ready = robot.start();
        robot.source = format!("{}{options}", ready["urls"][0].as_str().unwrap());
        robot
    }

    fn new(place: &[&str], footage: &[&str], source: String) -> Self {
        let folder = scratch("robot");
        let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
        let files = ["--log".to_owned(), path("slices"), "--control".to_owned(), path("control")];
        let words = place.iter().chain(footage).map(|word| (*word).to_owned());
        let arguments = words.chain(files).collect();
        Self { folder, arguments, process: None, source }
    }

    /// Switches it on; returns its first line once it sends, or listens.
    pub fn start(&mut self) -> Value {
        let mut sim = command(program("robocast-sim"));
        sim.args(&self.arguments);
        let process = Process::start("the robot", sim);
        let ready =
            wait(SOON, "the robot to be ready", || process.told.all().first().cloned().ok_or("nothing"));
        self.process = Some(process);
        serde_json::from_str(&ready).unwrap()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The source of its video, for the settings.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Gives it a command.
    #[track_caller]
    pub fn tell(&self, order: &str) {
        let mut socket = UnixStream::connect(self.folder.path().join("control")).unwrap();
        writeln!(socket, "{order}").unwrap();
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer).unwrap();
        assert_eq!(answer, "ok\n", "{order}");
    }

    /// All coded slices that it ever sent, and when.
    pub fn record(&self) -> Vec<Sent> {
        slices::sent(&self.log())
    }

    /// Only the slices.
    pub fn sent(&self) -> Vec<Slice> {
        self.record().into_iter().map(|sent| sent.slice).collect()
    }

    /// The same, to look up.
    pub fn all_sent(&self) -> HashSet<Slice> {
        self.sent().into_iter().collect()
    }

    /// Checks that the recording, from this robot's first frame on, is what it sent: in order, none missing, none
    /// extra; except where it was silent for long (see `passing`).
    ///
    /// # Errors
    /// The difference.
    pub fn sent_exactly(&self, recording: &Recording) -> Result<(), String> {
        self.sent_exactly_in(std::slice::from_ref(recording))
    }

    /// The same of several recordings, one behind the other.
    ///
    /// # Errors
    /// The difference.
    pub fn sent_exactly_in(&self, recordings: &[Recording]) -> Result<(), String> {
        passing::exactly(recordings, &self.record(), &machine::held_up)
    }

    fn log(&self) -> PathBuf {
        // A camera with one path: the log's name is as given.
        self.folder.path().join("slices")
    }
}
