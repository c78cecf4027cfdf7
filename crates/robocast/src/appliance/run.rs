//! `robocast run FILE`: every stream here and now, without systemd and without privilege.

use crate::appliance::supervisor::Supervised;
use crate::appliance::view::View;
use robocast_bus::mode::sockets_folder;
use robocast_bus::{CameraStatus, PushStatus, SourceState, StreamState, StreamStatus};
use robocast_config::{LoadError, Settings};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Runs until a signal arrives or the time is up: 0. When nothing can be run: 1.
pub async fn run(file: &Path, seconds: Option<u64>, json: bool) -> ExitCode {
    match work(file, seconds, json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn work(file: &Path, seconds: Option<u64>, json: bool) -> Result<(), String> {
    let file =
        file.canonicalize().map_err(|error| format!("robocast: cannot read {}: {error}", file.display()))?;
    let settings = load(&file)?;
    if settings.streams.is_empty() {
        return Err(format!("{}: no [[stream]]: nothing to run", file.display()));
    }
    if settings.control.is_some() || settings.page.is_some() {
        tracing::warn!(
            "[control] and [page] need the agent, which this version does not have; streams run without"
        );
    }
    let mut signals =
        Signals::listen().map_err(|error| format!("robocast: cannot listen to signals: {error}"))?;
    let folder = RunFolder::take()?;
    let (logged, lines) = mpsc::unbounded_channel();
    let mut view = View::choose(json, &settings.device.name, lines);
    let mut streams = Streams { file, pairs: BTreeMap::new(), lines: view.live().then_some(logged) };
    streams.arrange(&settings).await;
    let status = watch::Sender::new(Vec::new());
    folder.serve_status(status.subscribe());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut tick = tokio::time::interval_at(Instant::now() + Duration::from_secs(1), Duration::from_secs(1));
    let done = loop {
        tokio::select! {
            event = signals.next() => match event {
                SignalEvent::Shutdown => break Ok(()),
                SignalEvent::Reload => streams.reload().await,
            },
            () = until(end) => break Ok(()),
            () = view.line() => {}
            _ = tick.tick() => {
                let now = streams.status();
                view.show(&now);
                status.send_replace(now);
                if let Some(why) = streams.failure() {
                    break Err(format!("robocast: {why}"));
                }
            }
        }
    };
    view.end();
    streams.stop().await;
    done
}

fn load(file: &Path) -> Result<Settings, String> {
    match robocast_config::load(file) {
        Ok(checked) => {
            for warning in &checked.warnings {
                eprintln!("{}", warning.display(&file.display().to_string()));
            }
            Ok(checked.settings)
        }
        Err(LoadError::Invalid { problems, .. }) => {
            Err(problems.display(&file.display().to_string()).to_string())
        }
        Err(error) => Err(format!("robocast: {}", journal::chain(&error))),
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// The two programs of one stream.
struct Pair {
    camera: Supervised<CameraStatus>,
    push: Supervised<PushStatus>,
}

struct Streams {
    file: PathBuf,
    pairs: BTreeMap<String, Pair>,
    lines: Option<mpsc::UnboundedSender<String>>,
}

impl Streams {
    /// Starts the streams that are new, ends those that are gone.
    async fn arrange(&mut self, settings: &Settings) {
        let gone: Vec<String> =
            self.pairs.keys().filter(|name| settings.stream(name).is_none()).cloned().collect();
        for name in gone {
            if let Some(pair) = self.pairs.remove(&name) {
                pair.stop().await;
            }
        }
        for stream in &settings.streams {
            self.pairs.entry(stream.name.clone()).or_insert_with(|| Pair {
                camera: Supervised::start(&stream.name, &self.file, self.lines.clone()),
                push: Supervised::start(&stream.name, &self.file, self.lines.clone()),
            });
        }
    }

    async fn reload(&mut self) {
        match load(&self.file) {
            Ok(settings) => {
                for pair in self.pairs.values() {
                    pair.camera.reload().await;
                    pair.push.reload().await;
                }
                self.arrange(&settings).await;
            }
            Err(why) => tracing::error!("settings not taken over; everything goes on as it was\n{why}"),
        }
    }

    fn status(&self) -> Vec<StreamStatus> {
        self.pairs.iter().map(|(name, pair)| pair.status(name)).collect()
    }

    /// Why nothing can run, when nothing can.
    fn failure(&self) -> Option<String> {
        let reasons: Vec<String> = self
            .pairs
            .values()
            .map(|pair| pair.camera.report().failure.and(pair.push.report().failure))
            .collect::<Option<_>>()?;
        reasons.into_iter().next()
    }

    async fn stop(self) {
        let mut stopping = tokio::task::JoinSet::new();
        for pair in self.pairs.into_values() {
            stopping.spawn(pair.stop());
        }
        while stopping.join_next().await.is_some() {}
    }
}

impl Pair {
    fn status(&self, name: &str) -> StreamStatus {
        let (camera_report, push_report, now) = (self.camera.report(), self.push.report(), Instant::now());
        let (camera, push) = (camera_report.status(now), push_report.status(now));
        let mut status = StreamStatus::of(name, camera.as_ref(), push.as_ref());
        status.restarts = camera_report.restarts + push_report.restarts;
        if let Some(why) = camera_report.failure.or(push_report.failure) {
            status.state = StreamState::Failed;
            status.source_state = if camera.is_none() { SourceState::Failed } else { status.source_state };
            status.text = why;
        }
        status
    }

    async fn stop(self) {
        // The sinks close their sessions while the camera still runs.
        self.push.stop().await;
        self.camera.stop().await;
    }
}

/// The run-time folder, held by one `robocast run` at a time.
struct RunFolder {
    _lock: nix::fcntl::Flock<std::fs::File>,
    first: bool,
}

impl RunFolder {
    /// Takes the folder, or a subfolder when another `robocast run` holds it.
    #[allow(unsafe_code)]
    fn take() -> Result<Self, String> {
        let folder = paths::run();
        let failed = |folder: &Path, error: std::io::Error| {
            format!(
                "robocast: cannot use {}: {error}; set ROBOCAST_RUN to a folder you may write to",
                folder.display()
            )
        };
        let lock = |folder: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let owner = folder.metadata()?.uid();
            if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
                // In a folder that another user made, that user could replace our sockets.
                return Err(std::io::Error::other("it belongs to another user"));
            }
            let file = std::fs::File::options().create(true).append(true).open(folder.join("run.lock"))?;
            Ok(nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).ok())
        };
        if let Some(lock) = lock(&folder).map_err(|error| failed(&folder, error))? {
            // Sockets of a run that was killed.
            let _ = std::fs::remove_dir_all(sockets_folder());
            return Ok(Self { _lock: lock, first: true });
        }
        let own = folder.join(format!("run-{}", std::process::id()));
        tracing::warn!("another `robocast run` uses {}; this one uses {}", folder.display(), own.display());
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var("ROBOCAST_RUN", &own) };
        match lock(&own).map_err(|error| failed(&own, error))? {
            Some(lock) => Ok(Self { _lock: lock, first: false }),
            None => Err(format!("robocast: {} is in use", own.display())),
        }
    }

    /// Answers `robocast status` with the last status of the streams.
    fn serve_status(&self, status: watch::Receiver<Vec<StreamStatus>>) {
        let path = paths::status_socket();
        let _ = std::fs::remove_file(&path);
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!("`robocast status` will not see this: {}: {error}", path.display());
                return;
            }
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let json = serde_json::to_vec(&*status.borrow()).unwrap_or_default();
                let answer = stream.write_all(&json);
                let _ = tokio::time::timeout(Duration::from_secs(1), answer).await;
            }
        });
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(paths::status_socket());
        if !self.first {
            let _ = std::fs::remove_dir_all(paths::run());
        }
    }
}
