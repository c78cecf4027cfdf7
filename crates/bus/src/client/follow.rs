//! Follows one property of other programs, by signals: through programs that end and start again, and
//! a bus that is away.

use super::Properties;
use crate::evidence::{Evidence, EvidenceRow};
use crate::names::{NET, NET_PATH, Program};
use crate::server;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use zbus::fdo::{DBusProxy, NameOwnerChanged, PropertiesChanged, PropertiesProxy};
use zbus::names::InterfaceName;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, connection, message};

/// A bus that is away is looked for this often.
const AGAIN: Duration = Duration::from_secs(2);
/// Whoever does not answer within this does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Tells the interface of the uplink that the net program chose, as it changes. Empty, so that the
/// kernel's routes decide, while none is chosen, that program is away, there is no bus, or
/// `ROBOCAST_BUS=off`. Ends when nobody listens any more.
pub async fn follow_chosen(tell: watch::Sender<String>) {
    follow_chosen_by(connection::Builder::system, tell).await;
}

/// The same on another bus.
pub async fn follow_chosen_by(bus: impl Fn() -> connection::Builder<'static>, tell: watch::Sender<String>) {
    let told = |_: &str, chosen: Option<OwnedVariant>| {
        let chosen = chosen.and_then(|value| String::try_from(value).ok()).unwrap_or_default();
        tell.send_if_modified(|last| {
            *last != chosen && {
                last.clone_from(&chosen);
                true
            }
        });
    };
    let which = Which { interface: NET, property: "Chosen", path: net_path };
    tokio::select! {
        () = follow(bus, which, told) => {}
        () = tell.closed() => {}
    }
}

fn net_path(name: &str) -> Option<OwnedObjectPath> {
    OwnedObjectPath::try_from(NET_PATH).ok().filter(|_| name == NET)
}

/// Tells what each stream's connections show of their uplinks, as it changes: the stream, and its rows.
/// No rows when that stream's push program is gone. Ends when nobody listens any more.
pub async fn follow_evidence(tell: mpsc::UnboundedSender<(String, Vec<Evidence>)>) {
    follow_evidence_by(connection::Builder::system, tell).await;
}

/// The same on another bus.
pub async fn follow_evidence_by(
    bus: impl Fn() -> connection::Builder<'static>,
    tell: mpsc::UnboundedSender<(String, Vec<Evidence>)>,
) {
    let told = |name: &str, rows: Option<OwnedVariant>| {
        let Some(stream) = Program::Push.stream_of(name) else { return };
        let rows = rows.and_then(|value| Vec::<EvidenceRow>::try_from(value).ok()).unwrap_or_default();
        let _ = tell.send((stream.to_owned(), rows.into_iter().map(Evidence::from).collect()));
    };
    let path = |name: &str| Program::Push.stream_of(name).map(|stream| Program::Push.path(stream));
    let which = Which { interface: Program::Push.interface(), property: "Evidence", path };
    tokio::select! {
        () = follow(bus, which, told) => {}
        () = tell.closed() => {}
    }
}

/// The property, and where a program with a bus name shows it. The interface is the start of that name.
#[derive(Clone, Copy)]
struct Which {
    interface: &'static str,
    property: &'static str,
    path: fn(&str) -> Option<OwnedObjectPath>,
}

/// Tells the property of every program that has it; none when the program or the bus is gone.
async fn follow(
    bus: impl Fn() -> connection::Builder<'static>,
    which: Which,
    mut told: impl FnMut(&str, Option<OwnedVariant>),
) {
    if !server::enabled() {
        return std::future::pending().await;
    }
    loop {
        let mut owners = HashMap::new();
        // Why it failed is said where a program shows itself on the same bus.
        let _ = follow_once(bus(), which, &mut owners, &mut told).await;
        for name in owners.keys() {
            told(name, None);
        }
        sleep(AGAIN).await;
    }
}

async fn follow_once(
    bus: connection::Builder<'static>,
    which: Which,
    owners: &mut HashMap<String, String>,
    told: &mut impl FnMut(&str, Option<OwnedVariant>),
) -> zbus::Result<()> {
    let bus = bus.build().await?;
    let (came, changed) = (names_of(which)?, changes_of(which)?);
    let mut came = MessageStream::for_match_rule(came, &bus, None).await?;
    let mut changed = MessageStream::for_match_rule(changed, &bus, None).await?;
    // Asked after the signals were subscribed to: nothing falls in between.
    let dbus = DBusProxy::new(&bus).await?;
    for name in dbus.list_names().await? {
        let name = name.to_string();
        if (which.path)(&name).is_some()
            && let Ok(owner) = dbus.get_name_owner(name.as_str().try_into()?).await
        {
            owners.insert(name.clone(), owner.to_string());
            told(&name, ask(&bus, which, &name).await);
        }
    }
    loop {
        tokio::select! {
            biased;
            message = came.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let Some(signal) = NameOwnerChanged::from_message(message) else { continue };
                let arguments = signal.args()?;
                let name = arguments.name.to_string();
                if (which.path)(&name).is_none() {
                    continue;
                }
                match arguments.new_owner.as_ref() {
                    Some(owner) => {
                        owners.insert(name.clone(), owner.to_string());
                        told(&name, ask(&bus, which, &name).await);
                    }
                    None => {
                        owners.remove(&name);
                        told(&name, None);
                    }
                }
            }
            message = changed.next() => {
                let Some(message) = message.transpose()? else { return Ok(()) };
                let sender = message.header().sender().map(ToString::to_string).unwrap_or_default();
                let Some(name) = owners.iter().find(|(_, owner)| **owner == sender).map(|(name, _)| name) else {
                    continue;
                };
                let Some(signal) = PropertiesChanged::from_message(message) else { continue };
                let arguments = signal.args()?;
                if let Some(value) = arguments.changed_properties.get(which.property) {
                    told(name, value.try_to_owned().ok());
                } else if arguments.invalidated_properties.contains(&which.property) {
                    told(name, ask(&bus, which, name).await);
                }
            }
        }
    }
}

fn names_of(which: Which) -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg0ns(which.interface)
        .build()
}

fn changes_of(which: Which) -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(message::Type::Signal)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .arg(0, which.interface)
        .build()
}

/// The property of the program with this bus name, if it answers.
async fn ask(bus: &Connection, which: Which, name: &str) -> Option<OwnedVariant> {
    let path = (which.path)(name)?;
    let asking = async {
        let proxy = PropertiesProxy::builder(bus).destination(name.to_owned()).path(path).build().await?;
        let all: Properties = proxy.get_all(InterfaceName::try_from(which.interface)?).await?;
        Ok::<_, zbus::Error>(all)
    };
    timeout(PATIENCE, asking).await.ok()?.ok()?.remove(which.property)
}
