//! The box around: systemd runs its programs, RAUC installs its updates, both are spoken to over D-Bus. Where there is no
//! systemd, whoever runs `robocast run` takes the settings, and they can be proven all the same.

use crate::apply::rauc::{self, Fault};
use crate::apply::systemd::{self, Carried};
use crate::apply::{plan, uplinks};
use crate::led::{Led, Sign};
use crate::proof::{self, look};
use crate::support;
use crate::the_box::{Answer, New, TheBox};
use crate::trouble::Trouble;
use robocast_daemon::{atomic, journal, paths};
use robocast_stick::Part;
use robocast_stick::names::AUTHORIZED_KEYS;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
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
/// A bus that takes longer is none.
const BUS: Duration = Duration::from_secs(5);

/// This machine.
pub struct Around {
    runtime: Runtime,
    bus: Option<Connection>,
    /// Whether systemd runs the programs.
    systemd: bool,
    /// Where it does not: whether a `robocast run` is waited for.
    await_run: bool,
    led: Led,
}

impl Around {
    /// Looks who is there. Must be called outside of a runtime. Without systemd, `await_run` says that somebody is about to
    /// start a `robocast run` with the new settings.
    ///
    /// # Errors
    /// When the system refuses a runtime.
    pub fn here(await_run: bool) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (bus, systemd) = runtime.block_on(async {
            let bus = timeout(BUS, async { connection::Builder::system().build().await }).await;
            let Ok(Ok(bus)) = bus else { return (None, false) };
            let systemd = matches!(timeout(BUS, systemd::there(&bus)).await, Ok(Ok(true)));
            (Some(bus), systemd)
        });
        Ok(Self { runtime, bus, systemd, await_run, led: Led::of_board() })
    }

    fn on_systemd(&self) -> Option<&Connection> {
        self.bus.as_ref().filter(|_| self.systemd)
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> Answer {
    let trouble = Trouble::new(format!("{what}: {}", journal::chain(error)));
    Answer::Failed(trouble.mend("switch the box off and on: it goes on with the new settings"))
}

fn unread() -> Trouble {
    Trouble::new("the program that keeps the network does not say that it has read the settings")
        .mend("switch the box off and on; if it stays so, ask for a support bundle")
}

impl TheBox for Around {
    fn apply(&mut self, new: New<'_>) -> Answer {
        if let Err(error) = uplinks::forth() {
            return failed("the uplinks that were proven last cannot be let go", &error);
        }
        if let Err(error) = ssh_as(new) {
            return failed("the SSH keys cannot be taken away", &error);
        }
        let Some(bus) = self.on_systemd() else {
            return Answer::Nobody("no systemd runs here: whoever runs `robocast run` takes them".into());
        };
        let plan = plan(new.before, new.settings);
        match self.runtime.block_on(systemd::carry_out(bus, &plan)) {
            Err(error) => failed("systemd cannot be asked", &error),
            Ok(Carried { read: false, .. }) => Answer::Failed(unread()),
            Ok(Carried { troubles, .. }) => {
                let [stopped, started, again] = [&plan.stop, &plan.start, &plan.restart].map(Vec::len);
                let done = format!("programs started: {started}, started again: {again}, stopped: {stopped}");
                Answer::Done([vec![done], troubles].concat().join("; "))
            }
        }
    }

    fn prove(&mut self, new: New<'_>) -> Option<Vec<Part>> {
        let prove = look::prove(new.settings, self.bus.as_ref(), self.systemd);
        self.runtime.block_on(async {
            let there = self.systemd || somebody_runs(self.await_run).await;
            if there { Some(prove.await) } else { None }
        })
    }

    fn keep(&mut self, _: New<'_>) -> Answer {
        // The network's checkpoint is NetworkManager's, and went when the network's program had its proof.
        Answer::Done("kept".into())
    }

    fn back(&mut self, new: New<'_>, parts: &[Part]) -> Answer {
        if !proof::uplink_failed(parts) {
            return Answer::Nobody("the network is not at fault".into());
        }
        match uplinks::back(new.settings, new.bytes) {
            Err(error) => return failed("the uplinks that were proven last cannot be put back", &error),
            Ok(false) => {
                return Answer::Nobody("no other uplinks were proven before: these are tried on".into());
            }
            Ok(true) => {}
        }
        let Some(bus) = self.on_systemd() else {
            return Answer::Nobody("no systemd runs here".into());
        };
        match self.runtime.block_on(systemd::network(bus)) {
            Err(error) => failed("systemd cannot be asked", &error),
            Ok(true) => Answer::Done(
                "the uplinks that were proven last go on; the rest of the new settings stands".into(),
            ),
            Ok(false) => Answer::Failed(unread()),
        }
    }

    fn update(&mut self, name: &OsStr, bundle: &File) -> Answer {
        let Some(bus) = &self.bus else { return Answer::Nobody("no system bus, and so no RAUC here".into()) };
        let path = format!("/proc/{}/fd/{}", std::process::id(), bundle.as_raw_fd());
        let shown = name.to_string_lossy();
        match self.runtime.block_on(rauc::install(bus, &path)) {
            Ok(()) => {
                Answer::Done(format!("{shown} is installed; it runs once the box was switched off and on"))
            }
            Err(Fault::Nobody) => Answer::Nobody("there is no RAUC on this machine".into()),
            Err(Fault::Refused(why)) => {
                let why = why.replace(&path, &shown);
                let mend = "see that the update is for this board, whole, and signed by who made this image";
                Answer::Failed(Trouble::new(format!("RAUC does not install {shown}: {why}")).mend(mend))
            }
        }
    }

    fn authorized_keys(&mut self, file: &[u8]) -> Answer {
        if !Path::new(SSHD).exists() {
            return Answer::Nobody("this image has no SSH server".into());
        }
        if let Err(error) = atomic::write(&paths::state().join(AUTHORIZED_KEYS), file, 0o600) {
            return failed("the SSH keys cannot be written", &error);
        }
        let units = ["ssh.service", "sshd.service"];
        let started = self.on_systemd().is_some_and(|bus| {
            units.iter().any(|unit| self.runtime.block_on(systemd::start(bus, unit)).is_ok())
        });
        Answer::Done(if started {
            "they are let in".into()
        } else {
            "they are let in from the next start on".into()
        })
    }

    fn support(&mut self, to: &mut dyn Write) -> Answer {
        let files = self.runtime.block_on(support::gather());
        let device = robocast_config::load(&paths::settings())
            .map(|checked| checked.settings.device.name)
            .unwrap_or_else(|_| "robocast".into());
        match support::pack(&files, &support::name(&device), to) {
            Ok(()) => Answer::Done(format!("{} files, without secrets", files.len())),
            Err(error) => Answer::Failed(
                Trouble::new(format!("the support bundle cannot be written: {error}"))
                    .mend("make room on the stick: 8 MiB are enough"),
            ),
        }
    }

    fn show(&mut self, sign: Sign) {
        self.led.show(sign);
    }
}

/// Nobody is let in by SSH unless the settings say so.
fn ssh_as(new: New<'_>) -> io::Result<()> {
    if new.settings.debug.ssh {
        return Ok(());
    }
    match std::fs::remove_file(paths::state().join(AUTHORIZED_KEYS)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether there is a `robocast run`, or comes one when it is waited for.
async fn somebody_runs(wait: bool) -> bool {
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
