//! The shell of the gate: gathers what the bus says, carries out what the gate decides.

use crate::gate::{Effect, Event, Expected, Gate, Proof, Verdict};
use crate::proof::{self, Proofs};
use crate::rauc::{self, InstallerProxy, Slot};
use crate::systemd::{ManagerProxy, UnitProxy};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use robocast_bus::client;
use robocast_bus::names::Program;
use robocast_config::{LoadError, Settings, Start};
use robocast_daemon::{atomic, journal};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};
use zbus::{Connection, MatchRule, MessageStream, connection};

/// The unit that stands when the box's networks do.
const NETWORK: &str = "robocast-network.target";
/// What the image says of itself.
const OS_RELEASE: &str = "/usr/lib/os-release";
/// Whoever does not answer a call within this does not answer. RAUC writes to the boot loader's environment meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// The gate cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is no system bus, or it failed.
    #[error("the system bus fails")]
    Bus(#[from] zbus::Error),
    /// The bus itself refuses a call.
    #[error("the system bus refuses")]
    Refused(#[from] zbus::fdo::Error),
    /// RAUC is there but cannot say what was booted.
    #[error("RAUC cannot be asked: {0}")]
    Rauc(String),
    /// RAUC knows no slot that was booted.
    #[error("RAUC knows no slot that was booted (it says `{0}`)")]
    NoSlot(String),
    /// The settings that an earlier image took are not taken by this one.
    #[error("the settings are not valid for this image")]
    Settings(#[source] LoadError),
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No RAUC on this machine: there are no slots.
    NoRauc,
    /// The slot is marked good.
    Good {
        /// Its name.
        slot: String,
        /// Whether it was so before.
        before: bool,
    },
    /// The time is up.
    NotGood {
        /// Its name.
        slot: String,
        /// What was lacking, one line each.
        lacking: Vec<String>,
    },
}

/// Waits until the slot that runs has shown that it is good, and has RAUC mark it so.
///
/// `settings` are those of the box; `state` is the folder of the file `proven`.
///
/// # Errors
/// When it cannot be found out.
pub async fn gate(patience: Duration, settings: &Path, state: &Path) -> Result<Outcome, GateError> {
    let deadline = Instant::now() + patience;
    let bus = connection::Builder::system().build().await?;
    let installer = InstallerProxy::new(&bus).await?;
    let Some(slot) = ask(&installer, deadline).await? else { return Ok(Outcome::NoRauc) };
    let ledger = Ledger::open(state, &slot);
    let before = ledger.holds();
    let proof = if before { Proof::Earlier } else { wanted(settings)? };
    tracing::info!(slot = slot.name, "{}", told(&proof));
    let (gate, first) = Gate::new(proof.clone());
    let mut shell = Shell { bus, installer, ledger, gate };
    let verdict = match shell.carry_out(first).await {
        Some(verdict) => verdict,
        None => shell.watch(&proof, deadline).await?,
    };
    Ok(match verdict {
        Verdict::Good => Outcome::Good { slot: slot.name, before },
        Verdict::Lacking(lacking) => Outcome::NotGood { slot: slot.name, lacking },
    })
}

fn told(proof: &Proof) -> String {
    match proof {
        Proof::Earlier => "this image was good before".into(),
        Proof::Network => format!("nothing to stream: {NETWORK} makes this slot good"),
        Proof::Streams(streams) => format!("a new image: {} streams have to show it good", streams.len()),
    }
}

/// The slot that runs; none where there is no RAUC. One that is busy is asked again until the deadline.
async fn ask(installer: &InstallerProxy<'_>, deadline: Instant) -> Result<Option<Slot>, GateError> {
    let mut told = String::new();
    loop {
        let asking = async {
            let slots = installer.get_slot_status().await?;
            Ok::<_, zbus::fdo::Error>((slots, installer.boot_slot().await?))
        };
        let why = match timeout(PATIENCE, asking).await {
            Ok(Ok((slots, boot_slot))) => {
                return rauc::booted(slots, &boot_slot).map(Some).ok_or(GateError::NoSlot(boot_slot));
            }
            Ok(Err(error)) if rauc::absent(&error) => return Ok(None),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".into(),
        };
        if Instant::now() + Duration::from_secs(1) >= deadline {
            return Err(GateError::Rauc(why));
        }
        if why != told {
            tracing::info!("RAUC cannot be asked yet: {why}");
            told = why;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What a new image has to show with these settings.
fn wanted(path: &Path) -> Result<Proof, GateError> {
    match robocast_config::load(path) {
        Ok(checked) => Ok(proof_of(&checked.settings)),
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Proof::Network),
        Err(error) => Err(GateError::Settings(error)),
    }
}

fn proof_of(settings: &Settings) -> Proof {
    if settings.streams.is_empty() {
        return Proof::Network;
    }
    let expected = settings.streams.iter().map(|stream| Expected {
        name: stream.name.clone(),
        pushes: stream.start == Start::Always && !stream.push.is_empty(),
    });
    Proof::Streams(expected.collect())
}

/// The file `proven`, and the image that runs.
struct Ledger {
    path: PathBuf,
    slot: String,
    image: Option<String>,
}

impl Ledger {
    fn open(state: &Path, slot: &Slot) -> Self {
        let os_release = std::fs::read_to_string(OS_RELEASE).unwrap_or_default();
        let image = proof::image(&slot.told, &os_release);
        Self { path: state.join("proven"), slot: slot.name.clone(), image }
    }

    fn proofs(&self) -> Proofs {
        Proofs::parse(&std::fs::read_to_string(&self.path).unwrap_or_default())
    }

    fn holds(&self) -> bool {
        self.image.as_ref().is_some_and(|image| self.proofs().holds(&self.slot, image))
    }

    /// Writes it down. What fails here costs the next boot its short way, no more.
    fn remember(&self) {
        let Some(image) = &self.image else {
            tracing::warn!("this image has no id by which it could be known again; every boot will test it");
            return;
        };
        let mut proofs = self.proofs();
        proofs.add(&self.slot, image);
        if let Err(error) = atomic::write(&self.path, proofs.render().as_bytes(), 0o644) {
            tracing::warn!("not written down that this slot is good: {}", journal::chain(&error));
        }
    }
}

struct Shell {
    bus: Connection,
    installer: InstallerProxy<'static>,
    ledger: Ledger,
    gate: Gate,
}

impl Shell {
    /// Feeds the gate until it has decided.
    async fn watch(&mut self, proof: &Proof, deadline: Instant) -> Result<Verdict, GateError> {
        let names: Vec<&str> = match proof {
            Proof::Streams(streams) => streams.iter().map(|stream| stream.name.as_str()).collect(),
            Proof::Earlier | Proof::Network => Vec::new(),
        };
        // Signals first, then what is there already: nothing may come in between.
        let daemon = DBusProxy::new(&self.bus).await?;
        let mut owners: NameOwnerChangedStream = daemon.receive_name_owner_changed().await?;
        let mut changes = push_changes(&self.bus).await?;
        let mut network =
            if self.gate.needs_network() { networks(&self.bus).await? } else { stream::pending().boxed() };
        for name in daemon.list_names().await? {
            if let Some((program, stream)) = program_of(&name)
                && let Some(verdict) = self.feed(Event::Came(program, stream)).await
            {
                return Ok(verdict);
            }
        }
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                Some(signal) = owners.next() => {
                    let Ok(args) = signal.args() else { continue };
                    let Some((program, stream)) = program_of(args.name()) else { continue };
                    match args.new_owner().as_ref() {
                        Some(_) => Event::Came(program, stream),
                        None => Event::Left(program, stream),
                    }
                }
                Some(path) = changes.next() => {
                    let of = |name: &&&str| Program::Push.path(name).as_str() == path;
                    let Some(name) = names.iter().find(of) else { continue };
                    Event::Changed((*name).to_owned())
                }
                Some(up) = network.next() => Event::Network(up),
                _ = tick.tick() => Event::Tick,
                () = tokio::time::sleep_until(deadline) => Event::TimeUp,
            };
            if let Some(verdict) = self.feed(event).await {
                return Ok(verdict);
            }
        }
    }

    async fn feed(&mut self, event: Event) -> Option<Verdict> {
        let effects = self.gate.on(event);
        self.carry_out(effects).await
    }

    /// Carries effects out, and those that follow from them; the verdict when there is one.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> Option<Verdict> {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let event = match effect {
                Effect::Look(stream) => self.look(&stream).await.map(|status| Event::Said(stream, status)),
                Effect::MarkGood => Some(self.mark().await),
                Effect::Remember => {
                    self.ledger.remember();
                    None
                }
                Effect::End(verdict) => return Some(verdict),
            };
            queue.extend(event.into_iter().flat_map(|event| self.gate.on(event)));
        }
        None
    }

    async fn look(&self, stream: &str) -> Option<robocast_bus::PushStatus> {
        // One that leaves meanwhile is told of by its name.
        timeout(PATIENCE, client::push_status(&self.bus, stream)).await.ok()?.ok()
    }

    async fn mark(&self) -> Event {
        match timeout(PATIENCE, self.installer.mark("good", "booted")).await {
            Ok(Ok((slot, message))) => {
                tracing::info!(slot, "RAUC: {message}");
                Event::Marked
            }
            Ok(Err(error)) => Event::NotMarked(error.to_string()),
            Err(_) => Event::NotMarked("no answer".into()),
        }
    }
}

fn program_of(name: &str) -> Option<(Program, String)> {
    let of = |program: Program| program.stream_of(name).map(|stream| (program, stream.to_owned()));
    of(Program::Camera).or_else(|| of(Program::Push))
}

/// The object paths of push programs that say that something changed in them.
async fn push_changes(bus: &Connection) -> zbus::Result<BoxStream<'static, String>> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .add_arg(Program::Push.interface())
        .build()?;
    let messages = MessageStream::for_match_rule(rule, bus, None).await?;
    let path = |message: zbus::Result<zbus::Message>| async move {
        message.ok()?.header().path().map(|path| path.as_str().to_owned())
    };
    Ok(messages.filter_map(path).boxed())
}

/// Whether the networks stand: now, and whenever that changes.
async fn networks(bus: &Connection) -> Result<BoxStream<'static, bool>, GateError> {
    let manager = ManagerProxy::new(bus).await?;
    manager.subscribe().await?;
    let path = manager.load_unit(NETWORK).await?;
    let unit = UnitProxy::builder(bus).path(path).build().await?;
    let changes = unit.receive_active_state_changed().await;
    let now = unit.active_state().await? == "active";
    let later = changes.then(|change| async move { change.get().await.is_ok_and(|state| state == "active") });
    Ok(stream::iter([now]).chain(later).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_waits_to_be_asked_or_has_no_server_is_not_expected_to_push() {
        let text = "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\npush = [\"rtmp://h/a/k\"]\n\
                    [[stream]]\nname = \"b\"\nsource = \"test:\"\n\
                    [[stream]]\nname = \"c\"\nsource = \"test:\"\npush = [\"rtmp://h/a/l\"]\nstart = \"on-demand\"\n";
        let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
        let expected = [("a", true), ("b", false), ("c", false)];
        let expected = expected.map(|(name, pushes)| Expected { name: name.into(), pushes });
        assert_eq!(proof_of(&settings), Proof::Streams(expected.into()));
        let settings = robocast_config::parse(b"schema = 1\n").unwrap().settings;
        assert_eq!(proof_of(&settings), Proof::Network);
    }

    #[test]
    fn names_on_the_bus_are_told_apart() {
        assert_eq!(program_of("org.robocast.Push1._4k"), Some((Program::Push, "4k".into())));
        assert_eq!(program_of("org.robocast.Camera1.a"), Some((Program::Camera, "a".into())));
        assert_eq!(program_of("org.robocast.Net1"), None);
    }
}
