//! Says when NetworkManager or ModemManager have something new. Nothing is asked on a timer.

use crate::uplink::network_manager::{MODEMS, SERVICE};
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream, Variant};

/// Signals that matter, many of them as one. A task of its own reads them: zbus takes in nothing any more, answers included,
/// while a queue of signals is full.
#[derive(Debug)]
pub(crate) struct Signals {
    came: watch::Receiver<()>,
    reader: JoinHandle<()>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Signals {
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
        let (tell, came) = watch::channel(());
        let reader = tokio::spawn(async move {
            let mut all = stream::select_all(streams);
            while let Some(Ok(message)) = all.next().await {
                if matters(&message) {
                    tell.send_replace(());
                }
            }
        });
        Ok(Self { came, reader })
    }

    /// Waits for one that matters; false when the bus is gone.
    pub async fn next(&mut self) -> bool {
        self.came.changed().await.is_ok()
    }

    /// What came until now is known.
    pub fn seen(&mut self) {
        self.came.mark_unchanged();
    }
}

/// Access points come, go and change their strength all the time.
fn matters(message: &Message) -> bool {
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
