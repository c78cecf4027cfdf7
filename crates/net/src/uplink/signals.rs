//! Reports changes of NetworkManager and ModemManager. There is no polling.

use crate::uplink::network_manager::{MODEMS, SERVICE};
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream, Variant};

/// Relevant signals, many of them as one. A separate task reads them: while a queue of signals is full, zbus receives nothing
/// more, replies included.
#[derive(Debug)]
pub(crate) struct BusChanges {
    changes: watch::Receiver<()>,
    reader: JoinHandle<()>,
}

impl Drop for BusChanges {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl BusChanges {
    pub async fn subscribe(bus: &Connection) -> zbus::Result<Self> {
        let mut streams = Vec::new();
        for service in [SERVICE, MODEMS] {
            let rule = MatchRule::builder().msg_type(Type::Signal).sender(service).build()?;
            streams.push(MessageStream::for_match_rule(rule, bus, None).await?);
            let owner = MatchRule::builder()
                .msg_type(Type::Signal)
                .sender("org.freedesktop.DBus")
                .member("NameOwnerChanged")
                .arg(0, service)
                .build()?;
            streams.push(MessageStream::for_match_rule(owner, bus, None).await?);
        }
        let (sender, changes) = watch::channel(());
        let reader = tokio::spawn(async move {
            let mut all = stream::select_all(streams);
            while let Some(Ok(message)) = all.next().await {
                if is_relevant(&message) {
                    sender.send_replace(());
                }
            }
        });
        Ok(Self { changes, reader })
    }

    /// Waits for a relevant signal; false when the connection to the bus is lost.
    pub async fn next(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }

    /// Ignores the signals that have arrived so far.
    pub fn mark_seen(&mut self) {
        self.changes.mark_unchanged();
    }
}

/// Not relevant: access points appear, vanish and change their strength all the time.
fn is_relevant(message: &Message) -> bool {
    let header = message.header();
    match header.member().map(zbus::names::MemberName::as_str) {
        Some("PropertiesChanged") => {
            let body = message.body();
            let told = body.deserialize::<(&str, HashMap<&str, Variant<'_>>, Vec<&str>)>();
            !told.is_ok_and(|(interface, ..)| {
                interface.ends_with(".AccessPoint") || interface.ends_with(".Device.Statistics")
            })
        }
        Some("InterfacesAdded" | "InterfacesRemoved") => {
            header.path().is_some_and(|path| path.as_str().contains("ModemManager"))
        }
        Some("AccessPointAdded" | "AccessPointRemoved") => false,
        _ => true,
    }
}
