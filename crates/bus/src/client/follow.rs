//! Follows the statuses of other programs, by signals: also when programs end and start again, and a bus restarts. On
//! the system bus, or without one at the programs' sockets.
//!
//! ```no_run
//! # use robocast_bus::{client, names};
//! # use tokio::sync::watch;
//! # async fn example() {
//! let (tell, mut snapshot) = watch::channel(client::Snapshot::default());
//! tokio::spawn(client::follow(&[names::NET, names::PUSH], tell));
//! while snapshot.changed().await.is_ok() {
//!     let now = snapshot.borrow_and_update().clone();
//!     println!("{} push programs; uplink {:?}", now.pushes.len(), now.net.map(|net| net.chosen));
//! }
//! # }
//! ```

use super::{Remote, properties, services_in};
use crate::dictionary::{Dictionary, from_dictionary};
use crate::mode::{BusMode, sockets_folder};
use crate::names::{NET, PUSH, Service};
use crate::{CameraStatus, Evidence, NetStatus, PushStatus};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use zbus::fdo::{DBusProxy, NameOwnerChanged, PropertiesChanged};
use zbus::{MatchRule, Message, MessageStream, connection, message};

/// A bus that is away is looked for this often.
const RETRY: Duration = Duration::from_secs(2);
/// A program that does not answer within this counts as silent.
const PATIENCE: Duration = Duration::from_secs(3);
/// New sockets are looked for this often.
const SCAN_EACH: Duration = Duration::from_millis(500);
/// The property that holds the whole status.
const STATUS: &str = "Status";

/// The programs on a bus, and the last status of each. Counters are as old as the last change of anything else.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// By stream.
    pub cameras: BTreeMap<String, CameraStatus>,
    /// By stream.
    pub pushes: BTreeMap<String, PushStatus>,
    /// None while the net program is not on the bus.
    pub net: Option<NetStatus>,
    /// All properties of the update program; none while it is not on the bus.
    pub update: Option<Dictionary>,
}

impl Snapshot {
    /// Whether `service` is on the bus.
    #[must_use]
    pub fn has(&self, service: &Service) -> bool {
        match service {
            Service::Camera(stream) => self.cameras.contains_key(stream),
            Service::Push(stream) => self.pushes.contains_key(stream),
            Service::Net => self.net.is_some(),
            Service::Update => self.update.is_some(),
        }
    }

    fn set(&mut self, service: &Service, said: &Dictionary) {
        match service {
            Service::Camera(stream) => drop(self.cameras.insert(stream.clone(), from_dictionary(said))),
            Service::Push(stream) => drop(self.pushes.insert(stream.clone(), from_dictionary(said))),
            Service::Net => self.net = Some(from_dictionary(said)),
            Service::Update => self.update = Some(said.clone()),
        }
    }

    fn remove(&mut self, service: &Service) {
        match service {
            Service::Camera(stream) => drop(self.cameras.remove(stream)),
            Service::Push(stream) => drop(self.pushes.remove(stream)),
            Service::Net => self.net = None,
            Service::Update => self.update = None,
        }
    }
}

/// Keeps a snapshot of the programs that have one of these interfaces: on the system bus, otherwise at their sockets,
/// as `ROBOCAST_BUS` sets. Empty while there is no bus. Ends when the receiver is dropped.
pub async fn follow(interfaces: &[&'static str], snapshot: watch::Sender<Snapshot>) {
    let mode = BusMode::from_env();
    if mode.uses_system_bus() {
        follow_on(connection::Builder::system, interfaces, snapshot).await;
    } else if mode.uses_sockets() {
        follow_at(&sockets_folder(), interfaces, snapshot).await;
    } else {
        snapshot.closed().await;
    }
}

/// The same of the programs that have a socket in `folder`, as under `robocast run`.
pub async fn follow_at(folder: &Path, interfaces: &[&'static str], snapshot: watch::Sender<Snapshot>) {
    let mut tick = interval(SCAN_EACH);
    let mut followed = BTreeSet::new();
    let mut programs = JoinSet::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let wanted = |service: &Service| interfaces.contains(&service.interface());
                for service in services_in(folder).into_iter().filter(wanted) {
                    if followed.insert(service.clone()) {
                        programs.spawn(follow_program(folder.to_owned(), service, snapshot.clone()));
                    }
                }
            }
            Some(Ok(gone)) = programs.join_next() => {
                followed.remove(&gone);
                update(&snapshot, |now| now.remove(&gone));
            }
            () = snapshot.closed() => return,
        }
    }
}

/// Follows the program at its socket until it is gone.
async fn follow_program(folder: PathBuf, service: Service, snapshot: watch::Sender<Snapshot>) -> Service {
    let following = async {
        let remote = timeout(PATIENCE, Remote::at_socket(&folder, service.clone())).await.ok()?.ok()?;
        // Subscribed before the query: nothing is missed in between.
        let mut changes = remote.changes().await.ok()?;
        let _ = read(&remote, &snapshot).await;
        while let Some(Ok(message)) = changes.next().await {
            take_change(&remote, message, &snapshot).await.ok()?;
        }
        Some(())
    };
    following.await;
    service
}

/// The same on the bus that `bus` connects to.
pub async fn follow_on(
    bus: impl Fn() -> connection::Builder<'static>,
    interfaces: &[&'static str],
    snapshot: watch::Sender<Snapshot>,
) {
    let following = async {
        loop {
            // Why it failed is reported where a program serves its own object on the same bus.
            let _ = follow_once(bus(), interfaces, &snapshot).await;
            update(&snapshot, |now| *now = Snapshot::default());
            sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = following => {}
        () = snapshot.closed() => {}
    }
}

/// Changes the snapshot. Listeners are woken only if that makes a difference.
fn update(snapshot: &watch::Sender<Snapshot>, change: impl FnOnce(&mut Snapshot)) {
    snapshot.send_if_modified(|now| {
        let before = now.clone();
        change(now);
        *now != before
    });
}

/// Follows on one connection, until that is lost.
async fn follow_once(
    bus: connection::Builder<'static>,
    interfaces: &[&'static str],
    snapshot: &watch::Sender<Snapshot>,
) -> zbus::Result<()> {
    let bus = bus.build().await?;
    let dbus = DBusProxy::new(&bus).await?;
    let followed =
        |name: &str| Service::of_bus_name(name).filter(|service| interfaces.contains(&service.interface()));
    let mut owner_changes = MessageStream::for_match_rule(owner_rule()?, &bus, None).await?;
    let mut property_changes = MessageStream::for_match_rule(properties_rule()?, &bus, None).await?;
    // Queried after subscribing to the signals: nothing is missed in between.
    let mut owners = HashMap::new();
    for name in dbus.list_names().await? {
        if let Some(service) = followed(&name)
            && let Ok(owner) = dbus.get_name_owner(name.as_ref()).await
        {
            let has_status = read(&Remote::on_bus(&bus, service.clone()), snapshot).await;
            owners.insert((owner.to_string(), service.path().to_string()), (service, has_status));
        }
    }
    loop {
        tokio::select! {
            biased;
            message = owner_changes.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let Some(signal) = NameOwnerChanged::from_message(message) else { continue };
                let arguments = signal.args()?;
                let Some(service) = followed(&arguments.name) else { continue };
                owners.retain(|_, (of, _)| *of != service);
                match arguments.new_owner.as_ref() {
                    Some(owner) => {
                        let has_status = read(&Remote::on_bus(&bus, service.clone()), snapshot).await;
                        owners.insert((owner.to_string(), service.path().to_string()), (service, has_status));
                    }
                    None => update(snapshot, |now| now.remove(&service)),
                }
            }
            message = property_changes.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let sender = message.header().sender().map(ToString::to_string).unwrap_or_default();
                // One connection may serve several objects.
                let path = message.header().path().map(ToString::to_string).unwrap_or_default();
                let Some((service, has_status)) = owners.get(&(sender, path)) else { continue };
                let remote = Remote::on_bus(&bus, service.clone());
                if *has_status {
                    take_change(&remote, message, snapshot).await?;
                } else {
                    read(&remote, snapshot).await;
                }
            }
        }
    }
}

/// Takes a change signal of a program into the snapshot.
async fn take_change(
    remote: &Remote,
    message: Message,
    snapshot: &watch::Sender<Snapshot>,
) -> zbus::Result<()> {
    let service = remote.service();
    let Some(signal) = PropertiesChanged::from_message(message) else { return Ok(()) };
    let arguments = signal.args()?;
    if arguments.interface_name != service.interface() {
        return Ok(());
    }
    match arguments.changed_properties.get(STATUS).map(|value| value.try_to_owned()) {
        Some(Ok(value)) => {
            let said = Dictionary::try_from(value)?;
            update(snapshot, |now| now.set(service, &said));
        }
        _ if *service == Service::Update => drop(read(remote, snapshot).await),
        _ => {}
    }
    Ok(())
}

/// Queries a program once; returns whether it has the property `Status`. One that does not answer counts as absent.
async fn read(remote: &Remote, snapshot: &watch::Sender<Snapshot>) -> bool {
    let service = remote.service();
    let all = timeout(PATIENCE, remote.all_properties()).await.ok().and_then(Result::ok);
    let has_status = all.as_ref().is_none_or(properties::has_status);
    let said = match service {
        Service::Update => all,
        _ => all.and_then(|all| properties::status_of(service, &all)),
    };
    match said {
        Some(said) => update(snapshot, |now| now.set(service, &said)),
        None => update(snapshot, |now| now.remove(service)),
    }
    has_status
}

fn owner_rule() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg0ns("org.robocast")
        .build()
}

fn properties_rule() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(message::Type::Signal)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .path_namespace("/org/robocast")
        .build()
}

/// Keeps the interface of the uplink that the net program chose in `chosen`. Empty, so that the kernel's routes decide,
/// while none is chosen, that program is away, or no bus is used. Ends when the receiver is dropped.
pub async fn follow_chosen(chosen: watch::Sender<String>) {
    let (snapshot, followed) = watch::channel(Snapshot::default());
    tokio::join!(follow(&[NET], snapshot), pass_chosen(followed, chosen));
}

/// The same on the bus that `bus` connects to.
pub async fn follow_chosen_on(bus: impl Fn() -> connection::Builder<'static>, chosen: watch::Sender<String>) {
    let (snapshot, followed) = watch::channel(Snapshot::default());
    tokio::join!(follow_on(bus, &[NET], snapshot), pass_chosen(followed, chosen));
}

async fn pass_chosen(mut followed: watch::Receiver<Snapshot>, chosen: watch::Sender<String>) {
    loop {
        tokio::select! {
            changed = followed.changed() => if changed.is_err() { return },
            () = chosen.closed() => return,
        }
        let now = followed.borrow_and_update().net.as_ref().map(|net| net.chosen.clone()).unwrap_or_default();
        chosen.send_if_modified(|last| {
            *last != now && {
                *last = now;
                true
            }
        });
    }
}

/// Sends what each stream's connections show of their uplinks, as it changes: the stream, and its rows; no rows when
/// that stream's push program is gone. Ends when the receiver is dropped.
pub async fn follow_evidence(evidence: mpsc::UnboundedSender<(String, Vec<Evidence>)>) {
    let (snapshot, followed) = watch::channel(Snapshot::default());
    tokio::join!(follow(&[PUSH], snapshot), pass_evidence(followed, evidence));
}

/// The same on the bus that `bus` connects to.
pub async fn follow_evidence_on(
    bus: impl Fn() -> connection::Builder<'static>,
    evidence: mpsc::UnboundedSender<(String, Vec<Evidence>)>,
) {
    let (snapshot, followed) = watch::channel(Snapshot::default());
    tokio::join!(follow_on(bus, &[PUSH], snapshot), pass_evidence(followed, evidence));
}

async fn pass_evidence(
    mut followed: watch::Receiver<Snapshot>,
    evidence: mpsc::UnboundedSender<(String, Vec<Evidence>)>,
) {
    let mut last: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
    loop {
        tokio::select! {
            changed = followed.changed() => if changed.is_err() { return },
            () = evidence.closed() => return,
        }
        let now: BTreeMap<String, Vec<Evidence>> = followed
            .borrow_and_update()
            .pushes
            .iter()
            .map(|(stream, push)| (stream.clone(), push.evidence.clone()))
            .collect();
        for stream in last.keys().filter(|stream| !now.contains_key(*stream)) {
            let _ = evidence.send((stream.clone(), Vec::new()));
        }
        for (stream, rows) in now.iter().filter(|(stream, rows)| last.get(*stream) != Some(rows)) {
            let _ = evidence.send((stream.clone(), rows.clone()));
        }
        last = now;
    }
}
