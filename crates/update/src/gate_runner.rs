//! `robocast update gate`: feeds the gate with events from the bus, and carries out its decisions.

use crate::bus_events::{watch_programs, watch_push_changes};
use crate::gate::{GateEffect, GateEvent, Requirement, SlotGate, SlotVerdict};
use crate::good_slots::GoodSlotsFile;
use crate::stream::ExpectedStream;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use robocast_bus::{PushStatus, client};
use robocast_config::{LoadError, Settings, Start};
use robocast_system::ServiceError;
use robocast_system::rauc::{BootedSlot, Rauc, RaucSlot};
use robocast_system::systemd::Systemd;
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zbus::{Connection, connection};

/// The unit that is active when the box's networks are up.
const NETWORK: &str = "robocast-network.target";
/// A program that does not answer a call within this counts as silent. RAUC writes to the boot loader's environment
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
/// A RAUC that is busy is asked again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// A push program whose frames flow has a new status within this.
const NEW_WITHIN: Duration = Duration::from_millis(1500);

/// The gate cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is no system bus, or it failed.
    #[error("the system bus fails")]
    Bus(#[from] zbus::Error),
    /// RAUC is there but cannot report the booted slot.
    #[error("RAUC cannot be asked: {0}")]
    Rauc(String),
    /// RAUC knows no slot that was booted.
    #[error("RAUC knows no slot that was booted (it says `{0}`)")]
    NoSlot(String),
    /// systemd cannot report whether the networks are up.
    #[error(transparent)]
    Systemd(ServiceError),
    /// The settings that an earlier image took are not taken by this one.
    #[error("the settings are not valid for this image")]
    Settings(#[source] LoadError),
}

/// How the gate ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateOutcome {
    /// No RAUC on this machine: there are no slots.
    NoRauc,
    /// The slot is marked good.
    Good {
        /// Its name.
        slot: String,
        /// Whether it was good before.
        before: bool,
    },
    /// The time is up.
    NotGood {
        /// Its name.
        slot: String,
        /// What was missing, one line each.
        lacking: Vec<String>,
    },
}

/// Waits until the slot that runs has shown that it is good, and has RAUC mark it so.
///
/// `settings` are those of the box; `state` is the folder of the file `proven`.
///
/// # Errors
/// When it cannot be found out.
pub async fn run_gate(patience: Duration, settings: &Path, state: &Path) -> Result<GateOutcome, GateError> {
    let deadline = Instant::now() + patience;
    let bus = connection::Builder::system().build().await?;
    let rauc = Rauc::on(&bus).await.map_err(|error| GateError::Rauc(error.to_string()))?;
    let Some(slot) = ask_booted_slot(&rauc, deadline).await? else { return Ok(GateOutcome::NoRauc) };
    let good_slots = GoodSlotsFile::of(state, &slot);
    let before = good_slots.contains_booted();
    let requirement = if before { Requirement::Nothing } else { load_requirement(settings)? };
    tracing::info!(slot = slot.name, "{}", describe(&requirement));
    let (gate, first) = SlotGate::new(requirement.clone());
    let mut runner = GateRunner { bus, rauc, good_slots, gate, seen: SeenStatuses::default() };
    let verdict = match runner.carry_out(first).await {
        Some(verdict) => verdict,
        None => runner.run(&requirement, deadline).await?,
    };
    Ok(match verdict {
        SlotVerdict::Good => GateOutcome::Good { slot: slot.name, before },
        SlotVerdict::Lacking(lacking) => GateOutcome::NotGood { slot: slot.name, lacking },
    })
}

fn describe(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Nothing => "this image was good before".into(),
        Requirement::Network => format!("nothing to stream: {NETWORK} makes this slot good"),
        Requirement::Streams(streams) => {
            format!("a new image: {} streams have to show it good", streams.len())
        }
    }
}

/// The running slot; `None` where there is no RAUC. A busy RAUC is asked again until the deadline.
async fn ask_booted_slot(rauc: &Rauc, deadline: Instant) -> Result<Option<RaucSlot>, GateError> {
    let mut logged = String::new();
    loop {
        let why = match timeout(PATIENCE, rauc.booted_slot()).await {
            Ok(Ok(BootedSlot::Known(slot))) => return Ok(Some(slot)),
            Ok(Ok(BootedSlot::Unknown(boot_slot))) => return Err(GateError::NoSlot(boot_slot)),
            Ok(Err(error)) if error.is_not_here() => return Ok(None),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".into(),
        };
        if Instant::now() + AGAIN >= deadline {
            return Err(GateError::Rauc(why));
        }
        if why != logged {
            tracing::info!("RAUC cannot be asked yet: {why}");
            logged = why;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What a new image must show with these settings.
fn load_requirement(path: &Path) -> Result<Requirement, GateError> {
    match robocast_config::load(path) {
        Ok(checked) => Ok(requirement_of(&checked.settings)),
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(Requirement::Network)
        }
        Err(error) => Err(GateError::Settings(error)),
    }
}

fn requirement_of(settings: &Settings) -> Requirement {
    if settings.streams.is_empty() {
        return Requirement::Network;
    }
    let expected = settings.streams.iter().map(|stream| ExpectedStream {
        name: stream.name.clone(),
        pushes: stream.start == Start::Always && !stream.push.is_empty(),
    });
    Requirement::Streams(expected.collect())
}

struct GateRunner {
    bus: Connection,
    rauc: Rauc,
    good_slots: GoodSlotsFile,
    gate: SlotGate,
    seen: SeenStatuses,
}

/// By stream, the last status of its push program, and when it was new. Pure.
#[derive(Debug, Default)]
struct SeenStatuses(HashMap<String, (PushStatus, Instant)>);

impl SeenStatuses {
    /// Whether a status says something: it is another than the last, or still the same after so long that a program whose
    /// frames flow would have had another.
    fn is_news(&mut self, stream: &str, status: &PushStatus, now: Instant) -> bool {
        match self.0.get(stream) {
            Some((last, at)) if last == status => now.duration_since(*at) >= NEW_WITHIN,
            _ => {
                self.0.insert(stream.to_owned(), (status.clone(), now));
                true
            }
        }
    }
}

impl GateRunner {
    /// Feeds the gate until it has decided.
    async fn run(&mut self, requirement: &Requirement, deadline: Instant) -> Result<SlotVerdict, GateError> {
        let names = match requirement {
            Requirement::Streams(streams) => streams.iter().map(|stream| stream.name.clone()).collect(),
            Requirement::Nothing | Requirement::Network => Vec::new(),
        };
        let mut changes = watch_push_changes(&self.bus, names).await?;
        let mut programs = watch_programs(&self.bus).await?;
        let mut network = self.watch_network().await?;
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                // Programs that are there already come first.
                biased;
                () = tokio::time::sleep_until(deadline) => GateEvent::TimeUp,
                Some(event) = programs.next() => event,
                Some(event) = changes.next() => event,
                Some(up) = network.next() => GateEvent::Network(up),
                _ = tick.tick() => GateEvent::Tick,
            };
            let effects = self.gate.on(event);
            if let Some(verdict) = self.carry_out(effects).await {
                return Ok(verdict);
            }
        }
    }

    /// Whether the networks are up: now, and at each change. Silent when the gate does not need to know.
    async fn watch_network(&self) -> Result<BoxStream<'static, bool>, GateError> {
        if !self.gate.needs_network() {
            return Ok(stream::pending().boxed());
        }
        let systemd = Systemd::on(&self.bus).await.map_err(GateError::Systemd)?;
        systemd.watch_active(NETWORK).await.map_err(GateError::Systemd)
    }

    /// Carries effects out, and those that follow from them; returns the verdict when there is one.
    async fn carry_out(&mut self, effects: Vec<GateEffect>) -> Option<SlotVerdict> {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let event = match effect {
                GateEffect::QueryPush(stream) => {
                    self.query_push(&stream).await.map(|status| GateEvent::Reported(stream, status))
                }
                GateEffect::MarkGood => Some(self.mark_good().await),
                GateEffect::Remember => {
                    self.good_slots.add_booted();
                    None
                }
                GateEffect::End(verdict) => return Some(verdict),
            };
            queue.extend(event.into_iter().flat_map(|event| self.gate.on(event)));
        }
        None
    }

    /// The status of a push program, unless it is the one that the gate knows already: several changes lead to several
    /// queries, and a program counts its frames once a second.
    async fn query_push(&mut self, stream: &str) -> Option<PushStatus> {
        // One that leaves the bus meanwhile is reported as vanished.
        let status = timeout(PATIENCE, client::push_status(&self.bus, stream)).await.ok()?.ok()?;
        self.seen.is_news(stream, &status, Instant::now()).then_some(status)
    }

    async fn mark_good(&self) -> GateEvent {
        match timeout(PATIENCE, self.rauc.mark_booted_good()).await {
            Ok(Ok((slot, message))) => {
                tracing::info!(slot, "RAUC: {message}");
                GateEvent::Marked
            }
            Ok(Err(ServiceError::Refused { message, .. })) => GateEvent::NotMarked(message),
            Ok(Err(error)) => GateEvent::NotMarked(error.to_string()),
            Err(_) => GateEvent::NotMarked("no answer".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_status_asked_for_twice_is_news_only_once_it_is_old() {
        let (mut seen, began) = (SeenStatuses::default(), Instant::now());
        let status = |ms: f64| PushStatus { latency_ms: Some(ms), ..PushStatus::default() };
        let mut news = |at: u64, stream: &str, ms: f64| {
            seen.is_news(stream, &status(ms), began + Duration::from_millis(at))
        };
        for (at, stream, ms, expected) in [
            (0, "a", 1.0, true),
            (10, "a", 1.0, false),
            (20, "b", 1.0, true),
            (900, "a", 1.0, false),
            (1_000, "a", 2.0, true),
            (2_400, "a", 2.0, false),
            (2_500, "a", 2.0, true),
            (2_600, "a", 2.0, true),
        ] {
            assert_eq!(news(at, stream, ms), expected, "{at} {stream} {ms}");
        }
    }

    #[test]
    fn a_stream_that_waits_to_be_asked_or_has_no_server_is_not_expected_to_push() {
        let text = "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\npush = [\"rtmp://h/a/k\"]\n\
                    [[stream]]\nname = \"b\"\nsource = \"test:\"\n\
                    [[stream]]\nname = \"c\"\nsource = \"test:\"\npush = [\"rtmp://h/a/l\"]\nstart = \"on-demand\"\n";
        let settings = robocast_config::parse(text.as_bytes()).unwrap().settings;
        let expected = [("a", true), ("b", false), ("c", false)];
        let expected = expected.map(|(name, pushes)| ExpectedStream { name: name.into(), pushes });
        assert_eq!(requirement_of(&settings), Requirement::Streams(expected.into()));
        let settings = robocast_config::parse(b"schema = 1\n").unwrap().settings;
        assert_eq!(requirement_of(&settings), Requirement::Network);
    }
}
