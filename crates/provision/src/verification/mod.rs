//! Whether new settings work: robot, uplink, names, clock, each server, the broker. Pure: observations and the time since the
//! start come in, [`Part`]s of a receipt go out.
//!
//! | module | owns |
//! |---|---|
//! | this | what is checked, and when the verification is over |
//! | [`observation`] | the known state of the box at one moment |
//! | [`assess`](mod@assess) | judges one part by an observation, in words for a field technician: pure |
//! | [`observer`] | observing the box until the verification is over |
//! | [`broker`], [`names`] | checks of the outside world: the MQTT broker, name servers |
//!
//! It ends as soon as all parts work at one moment. A part that does not work *yet* is waited for, up to its own
//! deadline; one that cannot work (a server that refuses the key) only until it has reported this for [`SURE`]. Parts
//! that need an uplink are not waited for when there is none.

pub mod assess;
pub mod broker;
pub mod names;
pub mod observation;
pub mod observer;

use assess::{Assessment, assess};
use observation::Observation;
use robocast_config::{RobotKind, Settings, Source, Start, Stream};
use robocast_stick::receipt::Part;
use std::net::IpAddr;
use std::time::Duration;

/// A refusal counts once it lasted for this long: at first it may be about the state before, such as a session that a
/// server still holds.
pub const SURE: Duration = Duration::from_secs(6);

/// How a verification ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerificationResult {
    /// Each part, for the receipt.
    pub parts: Vec<Part>,
    /// Whether the uplink was not seen to work: then the network is rolled back.
    pub uplink_failed: bool,
}

impl VerificationResult {
    /// Whether every part works.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.parts.iter().all(|part| part.ok)
    }
}

/// Something to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerificationItem {
    /// The robot sends video, or at least its cable is alive.
    Robot {
        /// Its interface.
        interface: String,
        /// Its address.
        address: Option<IpAddr>,
        /// The streams that carry the robot's video.
        streams: Vec<String>,
    },
    /// An uplink is up, has an address, and matches the settings.
    Uplink,
    /// A host's name is known to a name server.
    Name(String),
    /// The clock is not before the image, nor decades after it.
    Clock,
    /// A server accepts a stream.
    Sink {
        /// The stream.
        stream: String,
        /// The URL without its secrets, as the push program shows it.
        url: String,
        /// Its place among the stream's servers.
        place: usize,
        /// Whether the stream pushes without being asked.
        asked: bool,
    },
    /// The broker accepts the box.
    Broker,
}

impl VerificationItem {
    /// What settings promise, in the order of dependency.
    #[must_use]
    pub fn of(settings: &Settings) -> Vec<Self> {
        let mut items = Vec::new();
        let robot = &settings.robot;
        if robot.kind != RobotKind::None {
            items.push(Self::Robot {
                interface: robot.interface.clone(),
                address: robot.address,
                streams: of_robot(&settings.streams),
            });
        }
        items.push(Self::Uplink);
        items.extend(hosts(settings).into_iter().map(Self::Name));
        items.push(Self::Clock);
        for stream in &settings.streams {
            items.extend(stream.push.iter().enumerate().map(|(place, sink)| Self::Sink {
                stream: stream.name.clone(),
                url: sink.redacted(),
                place,
                asked: stream.start == Start::Always,
            }));
        }
        items.extend(settings.control.is_some().then_some(Self::Broker));
        items
    }

    /// The name of its part.
    fn what(&self) -> String {
        match self {
            Self::Robot { .. } => "robot".into(),
            Self::Uplink => "uplink".into(),
            Self::Name(host) => format!("name {host}"),
            Self::Clock => "clock".into(),
            Self::Sink { stream, url, .. } => format!("{stream} {url}"),
            Self::Broker => "mqtt".into(),
        }
    }

    /// How long it is waited for, from the start of the verification on.
    const fn deadline(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Robot { .. } => 40,
            // As long as the network program gives new uplinks, and a little.
            Self::Uplink | Self::Clock => 60,
            Self::Name(_) => 75,
            Self::Sink { .. } | Self::Broker => 90,
        })
    }

    const fn needs_uplink(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Sink { .. } | Self::Broker)
    }
}

/// The streams that carry the robot's video: those with its own sources; where there are none, those that come over a
/// network.
fn of_robot(streams: &[Stream]) -> Vec<String> {
    let names = |of: fn(&Source) -> bool| {
        let those = streams.iter().filter(|stream| of(&stream.source));
        those.map(|stream| stream.name.clone()).collect::<Vec<_>>()
    };
    let own = names(|source| matches!(source, Source::Spot | Source::Go2 { .. }));
    if own.is_empty() { names(|source| matches!(source, Source::Rtp(_) | Source::Rtsp(_))) } else { own }
}

/// The hosts that are named, each once; addresses need no name server.
fn hosts(settings: &Settings) -> Vec<String> {
    let sinks = settings.streams.iter().flat_map(|stream| &stream.push);
    let urls = sinks
        .filter_map(|sink| sink.url.expose().host_str().map(str::to_owned))
        .chain(settings.control.iter().filter_map(|control| control.mqtt.host_str().map(str::to_owned)));
    let mut hosts = Vec::new();
    for host in urls {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if !address && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// A verification under way.
#[derive(Debug)]
pub struct Verification {
    items: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    item: VerificationItem,
    /// Since when it is reported that it cannot work.
    never: Option<Duration>,
}

impl Verification {
    /// Of these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let watched = |item| Watched { item, never: None };
        Self { items: VerificationItem::of(settings).into_iter().map(watched).collect() }
    }

    /// The parts to check.
    pub fn items(&self) -> impl Iterator<Item = &VerificationItem> {
        self.items.iter().map(|watched| &watched.item)
    }

    /// Evaluates an observation `at` this time after the start. Returns the result once it is over.
    #[must_use]
    pub fn evaluate(&mut self, at: Duration, seen: &Observation) -> Option<VerificationResult> {
        let assessments: Vec<_> = self.items().map(|item| assess(item, seen)).collect();
        for (watched, assessment) in self.items.iter_mut().zip(&assessments) {
            let never = matches!(assessment, Assessment::Never { .. });
            watched.never = never.then(|| watched.never.unwrap_or(at));
        }
        let both = || self.items.iter().zip(&assessments);
        let is_uplink = |watched: &Watched| watched.item == VerificationItem::Uplink;
        let without_uplink =
            both().any(|(watched, assessment)| is_uplink(watched) && watched.is_given_up(at, assessment));
        let over = both().all(|(watched, assessment)| {
            let in_vain = without_uplink && watched.item.needs_uplink();
            assessment.is_fine() || in_vain || watched.is_given_up(at, assessment)
        });
        if !over {
            return None;
        }
        let uplink_failed = both().any(|(watched, assessment)| is_uplink(watched) && !assessment.is_fine());
        let parts = self.items().zip(assessments);
        let parts = parts.map(|(item, assessment)| part(item, assessment, without_uplink)).collect();
        Some(VerificationResult { parts, uplink_failed })
    }
}

impl Watched {
    /// Whether it does not work, and is no longer waited for.
    fn is_given_up(&self, at: Duration, assessment: &Assessment) -> bool {
        let sure = self.never.is_some_and(|since| at >= since + SURE);
        !assessment.is_fine() && (sure || at >= self.item.deadline())
    }
}

fn part(item: &VerificationItem, assessment: Assessment, without_uplink: bool) -> Part {
    let (ok, text, hint) = match assessment {
        Assessment::Works(text) | Assessment::NotChecked(text) => (true, text, None),
        Assessment::NotYet { .. } if without_uplink && item.needs_uplink() => {
            (false, "not checked, since no uplink works".into(), None)
        }
        Assessment::NotYet { message, hint } | Assessment::Never { message, hint } => {
            (false, message, Some(hint))
        }
    };
    let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Part { what: item.what(), ok, text: line(text), hint: hint.map(line) }
}

#[cfg(test)]
mod tests;
