//! Observes the box, by D-Bus signals and once a second, until the verification is over.

use super::observation::{BrokerError, NameError, NetworkReport, Observation};
use super::{Verification, VerificationItem, VerificationResult, broker, names};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, pending};
use robocast_bus::client;
use robocast_config::Settings;
use robocast_daemon::epoch;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zbus::{Connection, MatchRule, MessageStream, message};

/// A program that does not answer within this counts as silent.
const PATIENCE: Duration = Duration::from_secs(3);
/// The clock, names and the broker have no signals.
const TICK: Duration = Duration::from_secs(1);

/// Verifies settings that are in force; each part of them, in the order of need.
///
/// `bus` is where the programs are, if there is one. `managed`: a program of the box manages the network here, so its
/// silence is a fault. It ends at once when everything works, otherwise at the parts' deadlines.
pub async fn verify_settings(
    settings: &Settings,
    bus: Option<&Connection>,
    managed: bool,
) -> VerificationResult {
    let mut verification = Verification::of(settings);
    let hosts: Vec<_> = verification
        .items()
        .filter_map(|item| if let VerificationItem::Name(host) = item { Some(host.clone()) } else { None })
        .collect();
    let mut checks = WorldChecks::new(settings.clone(), hosts, bus.cloned());
    let mut changes = watch_programs(bus).await;
    let began = Instant::now();
    let image_epoch = epoch::image_epoch();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        checks.start_missing();
        let seen = Observation {
            net: query_net(bus, managed).await,
            // One that left during the query is queried again in a moment.
            streams: client::streams_here_on(bus).await.unwrap_or_default(),
            names: checks.names.clone(),
            now: SystemTime::now(),
            image_epoch,
            broker: checks.broker.clone(),
        };
        if let Some(result) = verification.evaluate(began.elapsed(), &seen) {
            return result;
        }
        tokio::select! {
            _ = tick.tick() => {}
            () = checks.take_result() => {}
            Some(()) = changes.next() => {}
        }
    }
}

/// Every signal of the box's programs.
async fn watch_programs(bus: Option<&Connection>) -> BoxStream<'static, ()> {
    let Some(bus) = bus else { return pending().boxed() };
    let rule = MatchRule::builder().msg_type(message::Type::Signal).path_namespace("/org/robocast").build();
    let listening = async { MessageStream::for_match_rule(rule?, bus, None).await };
    match listening.await {
        Ok(signals) => signals.map(drop).chain(pending()).boxed(),
        Err(error) => {
            tracing::info!("no signals of the box's programs: {error}");
            pending().boxed()
        }
    }
}

async fn query_net(bus: Option<&Connection>, managed: bool) -> NetworkReport {
    let missing = if managed { NetworkReport::Silent } else { NetworkReport::Unmanaged };
    let Some(bus) = bus else { return missing };
    match timeout(PATIENCE, client::net(bus)).await {
        Ok(Ok(Some(net))) => NetworkReport::Status(net.into()),
        _ => missing,
    }
}

/// Checks of the outside world, which take some time: one of each kind at a time; failed ones are repeated.
struct WorldChecks {
    settings: Settings,
    hosts: Vec<String>,
    bus: Option<Connection>,
    names: BTreeMap<String, Result<(), NameError>>,
    broker: Option<Result<(), BrokerError>>,
    running: JoinSet<CheckResult>,
    running_names: Vec<String>,
    running_broker: bool,
}

enum CheckResult {
    Name(String, Result<(), NameError>),
    Broker(Result<(), BrokerError>),
}

impl WorldChecks {
    fn new(settings: Settings, hosts: Vec<String>, bus: Option<Connection>) -> Self {
        Self {
            settings,
            hosts,
            bus,
            names: BTreeMap::new(),
            broker: None,
            running: JoinSet::new(),
            running_names: Vec::new(),
            running_broker: false,
        }
    }

    /// Starts the checks that have not succeeded and do not run.
    fn start_missing(&mut self) {
        for host in &self.hosts {
            let known = matches!(self.names.get(host), Some(Ok(())));
            if !known && !self.running_names.contains(host) {
                self.running_names.push(host.clone());
                let (bus, host) = (self.bus.clone(), host.clone());
                self.running.spawn(async move {
                    let result = names::check_name(bus.as_ref(), &host).await;
                    if result.is_err() {
                        tokio::time::sleep(TICK).await;
                    }
                    CheckResult::Name(host, result)
                });
            }
        }
        if self.settings.control.is_some() && !matches!(self.broker, Some(Ok(()))) && !self.running_broker {
            self.running_broker = true;
            let settings = self.settings.clone();
            self.running.spawn(async move {
                let result = broker::check_broker(&settings).await;
                if result.is_err() {
                    // Not in a hurry: brokers lock out clients that connect too often.
                    tokio::time::sleep(2 * TICK).await;
                }
                CheckResult::Broker(result)
            });
        }
    }

    /// Waits for the next result. Cancel safe.
    async fn take_result(&mut self) {
        match self.running.join_next().await {
            Some(Ok(CheckResult::Name(host, result))) => {
                self.running_names.retain(|running| *running != host);
                self.names.insert(host, result);
            }
            Some(Ok(CheckResult::Broker(result))) => {
                self.running_broker = false;
                self.broker = Some(result);
            }
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}
