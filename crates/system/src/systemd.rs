//! systemd (`org.freedesktop.systemd1`, as in org.freedesktop.systemd1(5)).

use crate::ServiceError;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use zbus::fdo::DBusProxy;
use zbus::{Connection, OwnedObjectPath, fdo};

const SYSTEMD: &str = "systemd";
const NAME: &str = "org.freedesktop.systemd1";
/// systemd's error for a unit that is not loaded: it was never started.
pub const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// The manager.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait SystemdManager {
    /// Makes it send signals.
    fn subscribe(&self) -> fdo::Result<()>;
    /// Runs the generators and loads all units again. Answers when that is done.
    fn reload(&self) -> fdo::Result<()>;
    /// The object of a unit, which is loaded for it.
    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath>;
    /// The job.
    fn start_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// The job.
    fn stop_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// The job.
    fn restart_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// Sends a signal to the processes of a unit: `whom` is `main`, `control` or `all`.
    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> fdo::Result<()>;
    /// A job has ended; `result` is `done` when it went well.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: &str, result: &str) -> zbus::Result<()>;
}

/// A unit.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
trait SystemdUnit {
    /// `active`, `inactive`, `activating`, `failed` ...
    #[zbus(property)]
    fn active_state(&self) -> fdo::Result<String>;
}

/// The effect of a job on its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Starts it.
    Start,
    /// Stops it.
    Stop,
    /// Restarts it, or starts it when it does not run.
    Restart,
}

impl JobKind {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedJob {
    /// The job.
    pub job: OwnedObjectPath,
    /// Its unit.
    pub unit: String,
    /// `done` when it went well.
    pub result: String,
}

/// Whether systemd is on this bus: elsewhere others run the programs.
///
/// # Errors
/// The bus fails.
pub async fn is_on_bus(bus: &Connection) -> zbus::Result<bool> {
    Ok(DBusProxy::new(bus).await?.name_has_owner(NAME.try_into()?).await?)
}

/// systemd on a bus.
#[derive(Debug, Clone)]
pub struct Systemd(SystemdManagerProxy<'static>);

impl Systemd {
    /// systemd on `bus`. Whether it is there shows at the first call.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn on(bus: &Connection) -> Result<Self, ServiceError> {
        SystemdManagerProxy::new(bus).await.map(Self).map_err(failed)
    }

    /// Every job that ends from now on.
    ///
    /// # Errors
    /// systemd is not here, or the bus fails.
    pub async fn ended_jobs(&self) -> Result<impl Stream<Item = EndedJob> + Unpin + use<>, ServiceError> {
        self.0.subscribe().await.map_err(refused)?;
        let jobs = self.0.receive_job_removed().await.map_err(failed)?;
        let ended = |signal: JobRemoved| async move {
            let args = signal.args().ok()?;
            let (unit, result) = (args.unit.to_owned(), args.result.to_owned());
            Some(EndedJob { job: args.job, unit, result })
        };
        Ok(jobs.filter_map(ended).boxed())
    }

    /// Runs the generators and loads all units again; returns when that is done.
    ///
    /// # Errors
    /// systemd is not here, or refuses.
    pub async fn reload(&self) -> Result<(), ServiceError> {
        self.0.reload().await.map_err(refused)
    }

    /// Starts, stops or restarts a unit, in place of the job queued for it. Returns the job.
    ///
    /// # Errors
    /// There is no such unit, or systemd refuses.
    pub async fn queue_job(&self, kind: JobKind, unit: &str) -> Result<OwnedObjectPath, ServiceError> {
        const MODE: &str = "replace";
        match kind {
            JobKind::Start => self.0.start_unit(unit, MODE).await,
            JobKind::Stop => self.0.stop_unit(unit, MODE).await,
            JobKind::Restart => self.0.restart_unit(unit, MODE).await,
        }
        .map_err(refused)
    }

    /// Sends a signal to the main process of a unit.
    ///
    /// # Errors
    /// It does not run, or systemd refuses.
    pub async fn signal_unit(&self, unit: &str, signal: i32) -> Result<(), ServiceError> {
        self.0.kill_unit(unit, "main", signal).await.map_err(refused)
    }

    /// Whether a unit is active: now, and at each change.
    ///
    /// # Errors
    /// systemd is not here, or does not know the unit.
    pub async fn watch_active(&self, unit: &str) -> Result<BoxStream<'static, bool>, ServiceError> {
        self.0.subscribe().await.map_err(refused)?;
        let path = self.0.load_unit(unit).await.map_err(refused)?;
        let unit = SystemdUnitProxy::builder(self.0.inner().connection())
            .path(path)
            .build()
            .await
            .map_err(failed)?;
        let changes = unit.receive_active_state_changed().await;
        let now = unit.active_state().await.map_err(refused)? == "active";
        let later =
            changes.then(|change| async move { change.get().await.is_ok_and(|state| state == "active") });
        Ok(stream::iter([now]).chain(later).boxed())
    }
}

fn refused(error: fdo::Error) -> ServiceError {
    ServiceError::from_call(SYSTEMD, error)
}

fn failed(error: zbus::Error) -> ServiceError {
    ServiceError::from_bus(SYSTEMD, error)
}
