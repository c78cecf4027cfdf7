//! A real nginx with the RTMP module, which records everything published to it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::certificates::Certificate;
use crate::flv::{Frame, Recording};
use crate::machine::{free_port, scratch};
use crate::process::{Process, command};
use crate::waiting::{SOON, wait};

/// The programs it needs.
pub const NEEDED: [&str; 3] = ["nginx", "/usr/lib/nginx/modules/ngx_rtmp_module.so", "ffmpeg"];
/// ... and also for RTMPS.
pub const NEEDED_FOR_TLS: [&str; 5] = [
    "nginx",
    "/usr/lib/nginx/modules/ngx_rtmp_module.so",
    "ffmpeg",
    "/usr/lib/nginx/modules/ngx_stream_module.so",
    "openssl",
];

/// The server: application `live` records, application `closed` lets nobody publish. It runs as a single process, so
/// that killing it kills all of it.
#[derive(Debug)]
pub struct Nginx {
    folder: TempDir,
    process: Option<Process>,
    host: String,
    port: u16,
    tls_port: u16,
    /// The command that starts it, such as `ip netns exec NAME`.
    by: Vec<String>,
    /// The part of its recordings read so far: they grow while tests look.
    read: Mutex<BTreeMap<PathBuf, Recording>>,
}

impl Nginx {
    pub fn start() -> Self {
        Self::configure("")
    }

    /// With TLS in front of it, as RTMPS.
    pub fn start_with_tls(own: &Certificate) -> Self {
        Self::configure(&format!(
            "ssl_certificate {}; ssl_certificate_key {};",
            own.certificate.display(),
            own.key.display()
        ))
    }

    /// On another host, started by `by`, such as `ip netns exec NAME`, with `more` in its application `live`.
    pub fn start_on(host: &str, by: &[&str], more: &str) -> Self {
        let by = by.iter().map(|word| (*word).to_owned()).collect();
        Self::with(host, 1935, by, "", more)
    }

    fn configure(tls: &str) -> Self {
        Self::with("127.0.0.1", free_port(), Vec::new(), tls, "")
    }

    fn with(host: &str, port: u16, by: Vec<String>, tls: &str, more: &str) -> Self {
        let tls_port = free_port();
        let folder = scratch("nginx");
        let at = folder.path().display();
        let (module, proxy) = match tls {
            "" => (String::new(), String::new()),
            _ => (
                "load_module /usr/lib/nginx/modules/ngx_stream_module.so;".to_owned(),
                format!(
                    "stream {{ server {{ listen {host}:{tls_port} ssl; {tls} proxy_pass {host}:{port}; }} }}"
                ),
            ),
        };
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n{module}\n\
             daemon off; master_process off; pid {at}/pid; error_log {at}/log info;\n\
             events {{ worker_connections 64; }}\n{proxy}\n\
             rtmp {{ server {{ listen {host}:{port} so_keepalive=2s:1s:3;\n\
               application live {{ live on; {more} record all; record_path {at}; record_unique on; }}\n\
               application closed {{ live on; deny publish all; }}\n\
             }} }}\n"
        );
        write(&folder.path().join("conf"), &text);
        let mut nginx =
            Self { folder, process: None, host: host.to_owned(), port, tls_port, by, read: Mutex::default() };
        nginx.start_again();
        nginx
    }

    /// Starts it at the same place; returns when it listens.
    pub fn start_again(&mut self) {
        let words: Vec<&str> = self.by.iter().map(String::as_str).chain(["nginx"]).collect();
        let mut nginx = command(words[0]);
        nginx.args(&words[1..]);
        nginx.arg("-p").arg(self.folder.path()).arg("-c").arg(self.folder.path().join("conf"));
        nginx.arg("-e").arg(self.folder.path().join("log"));
        let mut process = Process::start("nginx", nginx);
        wait(SOON, "nginx to listen", || {
            assert_eq!(process.ended(), None, "nginx ended: {}", process.output());
            TcpStream::connect((self.host.as_str(), self.port))
        });
        self.process = Some(process);
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.as_ref().expect("it runs").pid()
    }

    /// Makes it neither receive nor send anything, with its connections open; or lets it continue.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Where to publish under `key`.
    pub fn url(&self, key: &str) -> String {
        format!("rtmp://{}:{}/live/{key}", self.host, self.port)
    }

    /// Where to publish and be refused.
    pub fn closed_url(&self, key: &str) -> String {
        format!("rtmp://{}:{}/closed/{key}", self.host, self.port)
    }

    /// Where to publish over TLS, to `host`.
    pub fn tls_url(&self, host: &str, key: &str) -> String {
        format!("rtmps://{host}:{}/live/{key}", self.tls_port)
    }

    /// The recordings under `key`, one a publication, oldest first.
    pub fn recordings(&self, key: &str) -> Vec<PathBuf> {
        let start = format!("{key}-");
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            name.strip_prefix(&start).is_some_and(|rest| rest.trim_end_matches(".flv").parse::<u64>().is_ok())
        };
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).filter(ours).collect();
        files.sort();
        files
    }

    /// The only recording under `key`.
    #[track_caller]
    pub fn recording(&self, key: &str) -> (PathBuf, Recording) {
        let files = self.recordings(key);
        assert_eq!(files.len(), 1, "one recording of {key}");
        (files[0].clone(), Recording::read(&files[0]))
    }

    /// How many frames were recorded under `key`, over all publications.
    pub fn frames(&self, key: &str) -> usize {
        self.frames_that(key, |_| true)
    }

    /// Of those, how many fit.
    pub fn frames_that(&self, key: &str, fit: impl Fn(&Frame) -> bool) -> usize {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for path in self.recordings(key) {
            let recording = read.entry(path.clone()).or_default();
            recording.read_on(&path);
            count += recording.frames.iter().filter(|frame| fit(frame)).count();
        }
        count
    }

    /// The connections over which `key` was published so far, oldest first, as nginx numbers them: `PID#*NUMBER`.
    pub fn connections(&self, key: &str) -> Vec<String> {
        self.log()
            .lines()
            .filter(|line| line.contains(&format!(" publish: name='{key}'")))
            .filter_map(id)
            .collect()
    }

    /// Of those, the ones that ended.
    pub fn ended_connections(&self, key: &str) -> Vec<String> {
        let ended: Vec<_> =
            self.log().lines().filter(|line| line.contains(" disconnect,")).filter_map(id).collect();
        self.connections(key).into_iter().filter(|connection| ended.contains(connection)).collect()
    }

    /// Checks that `key` is being published over the only connection it was ever published over.
    ///
    /// # Errors
    /// The actual state instead.
    pub fn one_connection(&self, key: &str) -> Result<String, String> {
        let (all, ended) = (self.connections(key), self.ended_connections(key));
        match (&all[..], &ended[..]) {
            ([one], []) => Ok(one.clone()),
            _ => Err(format!("{key} was published over {all:?}, of which ended {ended:?}")),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// `2026/11/21 04:39:47 [info] 123#0: *1 publish: ...`
fn id(line: &str) -> Option<String> {
    let mut words = line.split(' ').skip(3);
    let pid = words.next()?.split('#').next()?;
    Some(format!("{pid}#{}", words.next()?))
}

/// A file of a test needs no care for power cuts.
#[allow(clippy::disallowed_methods)]
pub fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
