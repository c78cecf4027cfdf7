//! [`Host`] on a real system: controls systemd and the update program over D-Bus. Without systemd it applies nothing
//! (`robocast run` reloads on its own), but it can still verify the settings.

use crate::apply::programs::{self, Applied};
use crate::apply::{plan_changes, uplinks};
use crate::host::{Answer, Change, Host};
use crate::led::{Led, LedSign};
use crate::problem::ProvisionProblem;
use crate::support;
use crate::verification::{VerificationResult, observer};
use robocast_bus::update::{InstallError, install_bundle};
use robocast_daemon::{atomic, journal, paths};
use robocast_stick::names::AUTHORIZED_KEYS;
use robocast_system::systemd;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::time::{interval, timeout};
use zbus::{Connection, connection};

/// The SSH server, where an image has one.
const SSHD: &str = "/usr/sbin/sshd";
/// A `robocast run` that is started for the new settings is there within this.
const RUN: Duration = Duration::from_secs(10);
/// A bus that takes longer counts as missing.
const BUS: Duration = Duration::from_secs(5);

/// This machine.
pub struct SystemdHost {
    runtime: Runtime,
    bus: Option<Connection>,
    /// Whether systemd runs the programs.
    systemd: bool,
    /// Where it does not: whether a `robocast run` is waited for.
    await_run: bool,
    led: Led,
}

impl SystemdHost {
    /// Connects to the bus and looks for systemd. Must be called outside of a runtime. Without systemd, `await_run`
    /// means that a `robocast run` with the new settings is about to be started.
    ///
    /// # Errors
    /// When the system refuses a runtime.
    pub fn connect(await_run: bool) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (bus, systemd) = runtime.block_on(async {
            let bus = timeout(BUS, async { connection::Builder::system().build().await }).await;
            let Ok(Ok(bus)) = bus else { return (None, false) };
            let systemd = matches!(timeout(BUS, systemd::is_on_bus(&bus)).await, Ok(Ok(true)));
            (Some(bus), systemd)
        });
        Ok(Self { runtime, bus, systemd, await_run, led: Led::of_board() })
    }

    fn systemd_bus(&self) -> Option<&Connection> {
        self.bus.as_ref().filter(|_| self.systemd)
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> Answer {
    let problem = ProvisionProblem::new(format!("{what}: {}", journal::chain(error)));
    Answer::Failed(problem.with_hint("switch the box off and on: it resumes with the new settings"))
}

fn not_reloaded() -> ProvisionProblem {
    ProvisionProblem::new("the network program does not confirm that it has read the settings")
        .with_hint("switch the box off and on; if that does not help, ask for a support bundle")
}

impl Host for SystemdHost {
    fn apply(&mut self, change: Change<'_>) -> Answer {
        if let Err(error) = uplinks::cancel_roll_back() {
            return failed("the rollback of the uplinks cannot be cancelled", &error);
        }
        if let Err(error) = remove_keys_without_ssh(change) {
            return failed("the SSH keys cannot be removed", &error);
        }
        let Some(bus) = self.systemd_bus() else {
            return Answer::Unsupported("no systemd runs here: `robocast run` takes them".into());
        };
        let plan = plan_changes(change.before, change.settings);
        match self.runtime.block_on(programs::apply_plan(bus, &plan)) {
            Err(error) => failed("systemd cannot be asked", &error),
            Ok(Applied { network_reloaded: false, .. }) => Answer::Failed(not_reloaded()),
            Ok(Applied { failures, .. }) => {
                let [stopped, started, restarted] = [&plan.stop, &plan.start, &plan.restart].map(Vec::len);
                let done = format!("programs started: {started}, restarted: {restarted}, stopped: {stopped}");
                Answer::Done([vec![done], failures].concat().join("; "))
            }
        }
    }

    fn verify(&mut self, change: Change<'_>) -> Option<VerificationResult> {
        let verifying = observer::verify_settings(change.settings, self.bus.as_ref(), self.systemd);
        self.runtime.block_on(async {
            let runs = self.systemd || wait_for_run(self.await_run).await;
            if runs { Some(verifying.await) } else { None }
        })
    }

    fn commit(&mut self, _: Change<'_>) -> Answer {
        // The checkpoint is NetworkManager's, and the network program destroyed it once the uplinks worked.
        Answer::Done("kept".into())
    }

    fn roll_back(&mut self, change: Change<'_>, uplink_failed: bool) -> Answer {
        if !uplink_failed {
            return Answer::Unsupported("the network is not at fault".into());
        }
        match uplinks::roll_back(change.settings, change.bytes) {
            Err(error) => return failed("the uplinks that were proven last cannot be restored", &error),
            Ok(false) => {
                return Answer::Unsupported(
                    "no other uplinks were proven before: these are still tried".into(),
                );
            }
            Ok(true) => {}
        }
        let Some(bus) = self.systemd_bus() else {
            return Answer::Unsupported("no systemd runs here".into());
        };
        match self.runtime.block_on(programs::reload_network(bus)) {
            Err(error) => failed("systemd cannot be asked", &error),
            Ok(true) => Answer::Done(
                "the uplinks that were proven last are used again; the other new settings stay in force"
                    .into(),
            ),
            Ok(false) => Answer::Failed(not_reloaded()),
        }
    }

    fn install_update(&mut self, name: &OsStr, bundle: &File) -> Answer {
        let Some(bus) = &self.bus else {
            return Answer::Unsupported("no system bus, and so no RAUC here".into());
        };
        let name = name.to_string_lossy();
        match self.runtime.block_on(install_bundle(bus, bundle.as_fd())) {
            Ok(()) => Answer::Done(format!("{name} is installed; it runs once the box was switched off and on")),
            Err(error @ (InstallError::NoProgram | InstallError::NoRauc)) => Answer::Unsupported(error.to_string()),
            Err(InstallError::Busy) => Answer::Failed(
                ProvisionProblem::new(format!("{name} is not installed: another update is being installed"))
                    .with_hint("wait until it is done, then insert the stick again"),
            ),
            Err(InstallError::Refused(why)) => Answer::Failed(
                ProvisionProblem::new(format!("RAUC does not install {name}: {why}"))
                    .with_hint("check that the update is for this board, complete, and signed by the maker of this image"),
            ),
        }
    }

    fn install_authorized_keys(&mut self, file: &[u8]) -> Answer {
        if !Path::new(SSHD).exists() {
            return Answer::Unsupported("this image has no SSH server".into());
        }
        if let Err(error) = atomic::write(&paths::state().join(AUTHORIZED_KEYS), file, 0o600) {
            return failed("the SSH keys cannot be written", &error);
        }
        let units = ["ssh.service", "sshd.service"];
        let started = self.systemd_bus().is_some_and(|bus| {
            units.iter().any(|unit| self.runtime.block_on(programs::start_unit(bus, unit)).is_ok())
        });
        Answer::Done(if started {
            "they are let in".into()
        } else {
            "they are let in from the next start on".into()
        })
    }

    fn write_support_bundle(&mut self, to: &mut dyn Write) -> Answer {
        let files = self.runtime.block_on(support::gather_files());
        let device = robocast_config::load(&paths::settings())
            .map(|checked| checked.settings.device.name)
            .unwrap_or_else(|_| "robocast".into());
        match support::pack_files(&files, &support::bundle_name(&device), to) {
            Ok(()) => Answer::Done(format!("{} files, without secrets", files.len())),
            Err(error) => Answer::Failed(
                ProvisionProblem::new(format!("the support bundle cannot be written: {error}"))
                    .with_hint("make room on the stick: 8 MiB are enough"),
            ),
        }
    }

    fn show_sign(&mut self, sign: LedSign) {
        self.led.show_sign(sign);
    }
}

/// Nobody may log in by SSH unless the settings allow it.
fn remove_keys_without_ssh(change: Change<'_>) -> io::Result<()> {
    if change.settings.debug.ssh {
        return Ok(());
    }
    match std::fs::remove_file(paths::state().join(AUTHORIZED_KEYS)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a `robocast run` is there, or appears when it is waited for.
async fn wait_for_run(wait: bool) -> bool {
    let mut tick = interval(Duration::from_millis(200));
    let looking = async {
        loop {
            tick.tick().await;
            if UnixStream::connect(paths::status_socket()).await.is_ok() {
                return;
            }
        }
    };
    let patience = if wait { RUN } else { Duration::from_millis(100) };
    timeout(patience, looking).await.is_ok()
}
