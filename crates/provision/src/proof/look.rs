//! Gathers facts on the box, by D-Bus signals and once a second, until the proof is over.

use super::facts::{BrokerFault, Facts, NameFault, Network};
use super::{Item, Proof, broker};
use futures_util::StreamExt;
use robocast_bus::{StreamStatus, client};
use robocast_config::Settings;
use robocast_daemon::paths;
use robocast_stick::receipt::Part;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zbus::{Connection, MatchRule, MessageStream, message};

/// When the image was made.
const MADE: &str = "/usr/lib/clock-epoch";
/// Whoever does not answer within this does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// A name server that does not answer within this is asked again.
const NAME: Duration = Duration::from_secs(5);
/// The clock, names and the broker have no signals.
const TICK: Duration = Duration::from_secs(1);

/// Proves settings that have come into force; each part of them, in the order of need.
///
/// `bus` is where the programs are, if there is one. `kept` says that a program of the box keeps the network here, so that
/// its silence is a fault. It ends by itself: at once when all holds, else at the parts' deadlines.
pub async fn prove(settings: &Settings, bus: Option<&Connection>, kept: bool) -> Vec<Part> {
    let mut proof = Proof::of(settings);
    let hosts: Vec<_> = proof
        .items()
        .filter_map(|item| if let Item::Name(host) = item { Some(host.clone()) } else { None })
        .collect();
    let mut asking = Asking::new(settings.clone(), hosts);
    let mut changes = changes(bus).await;
    let began = Instant::now();
    let made = std::fs::metadata(Path::new(MADE)).and_then(|epoch| epoch.modified()).ok();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        asking.go_on();
        let facts = Facts {
            net: network(bus, kept).await,
            streams: streams(bus).await,
            names: asking.names.clone(),
            now: SystemTime::now(),
            made,
            broker: asking.broker.clone(),
        };
        if let Some(parts) = proof.weigh(began.elapsed(), &facts) {
            return parts;
        }
        tokio::select! {
            _ = tick.tick() => {}
            () = asking.answer() => {}
            Some(_) = changes.next() => {}
        }
    }
}

/// Every signal of the box's programs.
async fn changes(bus: Option<&Connection>) -> futures_util::stream::BoxStream<'static, ()> {
    let Some(bus) = bus else { return futures_util::stream::pending().boxed() };
    let rule = MatchRule::builder().msg_type(message::Type::Signal).path_namespace("/org/robocast").build();
    let listening = async { MessageStream::for_match_rule(rule?, bus, None).await };
    match listening.await {
        Ok(signals) => signals.map(drop).chain(futures_util::stream::pending()).boxed(),
        Err(error) => {
            tracing::info!("no signals of the box's programs: {error}");
            futures_util::stream::pending().boxed()
        }
    }
}

async fn network(bus: Option<&Connection>, kept: bool) -> Network {
    let missing = if kept { Network::Silent } else { Network::Others };
    let Some(bus) = bus else { return missing };
    match timeout(PATIENCE, client::net(bus)).await {
        Ok(Ok(Some(net))) => Network::Says(net.into()),
        _ => missing,
    }
}

/// Those of a `robocast run` on this machine; where there is none, of the programs that systemd runs.
pub(crate) async fn streams(bus: Option<&Connection>) -> Vec<StreamStatus> {
    if let Ok(Ok(streams)) = timeout(PATIENCE, of_run()).await {
        return streams;
    }
    let Some(bus) = bus else { return Vec::new() };
    match timeout(PATIENCE, client::streams_on(bus)).await {
        Ok(Ok(streams)) => streams,
        // One that left while it was asked: asked again in a moment.
        _ => Vec::new(),
    }
}

async fn of_run() -> std::io::Result<Vec<StreamStatus>> {
    let mut stream = UnixStream::connect(paths::status_socket()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Questions to the world that take their time, one of a kind under way; what is not well is asked again.
struct Asking {
    settings: Settings,
    hosts: Vec<String>,
    names: BTreeMap<String, Result<(), NameFault>>,
    broker: Option<Result<(), BrokerFault>>,
    under_way: JoinSet<Answer>,
    asked: Vec<String>,
    asked_broker: bool,
}

enum Answer {
    Name(String, Result<(), NameFault>),
    Broker(Result<(), BrokerFault>),
}

impl Asking {
    fn new(settings: Settings, hosts: Vec<String>) -> Self {
        Self {
            settings,
            hosts,
            names: BTreeMap::new(),
            broker: None,
            under_way: JoinSet::new(),
            asked: Vec::new(),
            asked_broker: false,
        }
    }

    /// Asks what is not known to be well, unless it is being asked.
    fn go_on(&mut self) {
        for host in &self.hosts {
            let well = matches!(self.names.get(host), Some(Ok(())));
            if !well && !self.asked.contains(host) {
                self.asked.push(host.clone());
                self.under_way.spawn(resolve(host.clone()));
            }
        }
        if self.settings.control.is_some() && !matches!(self.broker, Some(Ok(()))) && !self.asked_broker {
            self.asked_broker = true;
            let settings = self.settings.clone();
            self.under_way.spawn(async move {
                let said = broker::ask(&settings).await;
                if said.is_err() {
                    // Not in a hurry: brokers shut out who knocks too often.
                    tokio::time::sleep(2 * TICK).await;
                }
                Answer::Broker(said)
            });
        }
    }

    /// The next answer. Cancel safe.
    async fn answer(&mut self) {
        match self.under_way.join_next().await {
            Some(Ok(Answer::Name(host, said))) => {
                self.asked.retain(|asked| *asked != host);
                self.names.insert(host, said);
            }
            Some(Ok(Answer::Broker(said))) => {
                self.asked_broker = false;
                self.broker = Some(said);
            }
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

async fn resolve(host: String) -> Answer {
    let found = timeout(NAME, tokio::net::lookup_host((host.as_str(), 0))).await;
    let said = match found.map(|found| found.map(Iterator::count)) {
        Ok(Ok(1..)) => Ok(()),
        // The library gives its own code as words alone; these are glibc's and musl's for EAI_NONAME.
        Ok(Err(error)) if unknown(&error.to_string()) => Err(NameFault::Unknown),
        _ => Err(NameFault::Silent),
    };
    if said.is_err() {
        tokio::time::sleep(TICK).await;
    }
    Answer::Name(host, said)
}

fn unknown(words: &str) -> bool {
    ["Name or service not known", "Name does not resolve", "No address associated"]
        .iter()
        .any(|known| words.contains(known))
}
