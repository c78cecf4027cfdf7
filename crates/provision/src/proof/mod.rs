//! Whether new settings work: robot, uplink, names, clock, each server, the broker. Pure: facts and the time since the proof
//! began come in, [`Part`]s of a receipt go out.
//!
//! | module | owns |
//! |---|---|
//! | this | what is to be shown, and when the proof is over |
//! | [`facts`] | what is known of the box at one moment |
//! | [`judge`] | what the facts say of one part, in words for a field technician: pure |
//! | [`look`] | gathering facts on the box, until the proof is over |
//! | [`broker`] | whether the MQTT broker takes the box |
//!
//! It ends as soon as all parts hold at one moment. A part that does not hold *yet* is waited for, up to a deadline of its
//! own; one that cannot (a server that refuses the key) only until it has said so for [`SURE`]. What needs an uplink is not
//! waited for when there is none.

pub mod broker;
pub mod facts;
pub mod judge;
pub mod look;

use facts::Facts;
use judge::Verdict;
use robocast_config::{RobotKind, Settings, Source, Start, Stream};
use robocast_stick::receipt::Part;
use std::net::IpAddr;
use std::time::Duration;

/// Who says no may have said so of what was before: a server may still hold the last session.
pub const SURE: Duration = Duration::from_secs(6);
/// The name of the uplink's part in a receipt.
pub const UPLINK: &str = "uplink";

/// Something to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The robot sends video, or at least its cable is alive.
    Robot {
        /// Its interface.
        interface: String,
        /// Its address.
        address: Option<IpAddr>,
        /// The streams whose video is the robot's.
        streams: Vec<String>,
    },
    /// An uplink is up, has an address, and is what the settings want.
    Uplink,
    /// A host's name is known to a name server.
    Name(String),
    /// The clock is not before the image, nor ages after it.
    Clock,
    /// A server takes a stream.
    Sink {
        /// The stream.
        stream: String,
        /// The URL without its secrets, as the push program shows it.
        url: String,
        /// Its place among the stream's servers.
        place: usize,
        /// Whether the stream pushes by itself.
        asked: bool,
    },
    /// The broker takes the box.
    Broker,
}

impl Item {
    /// What settings promise, in the order in which one thing needs another.
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
            Self::Uplink => UPLINK.into(),
            Self::Name(host) => format!("name {host}"),
            Self::Clock => "clock".into(),
            Self::Sink { stream, url, .. } => format!("{stream} {url}"),
            Self::Broker => "mqtt".into(),
        }
    }

    /// How long it is waited for, from the start of the proof on.
    const fn deadline(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Robot { .. } => 40,
            // As long as the network's program gives new uplinks, and a little.
            Self::Uplink | Self::Clock => 60,
            Self::Name(_) => 75,
            Self::Sink { .. } | Self::Broker => 90,
        })
    }

    const fn needs_uplink(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Sink { .. } | Self::Broker)
    }
}

/// The streams whose video is the robot's: its own sources; where none is, whatever comes by a network.
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

/// A proof under way.
#[derive(Debug)]
pub struct Proof {
    items: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    item: Item,
    /// Since when it has been said that it cannot be.
    never: Option<Duration>,
}

impl Proof {
    /// Of these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let watched = |item| Watched { item, never: None };
        Self { items: Item::of(settings).into_iter().map(watched).collect() }
    }

    /// What is to be shown.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().map(|watched| &watched.item)
    }

    /// Takes in what is known `at` so long after the start; the parts, once it is over.
    #[must_use]
    pub fn weigh(&mut self, at: Duration, facts: &Facts) -> Option<Vec<Part>> {
        let verdicts: Vec<_> = self.items().map(|item| judge::judge(item, facts)).collect();
        for (watched, verdict) in self.items.iter_mut().zip(&verdicts) {
            let never = matches!(verdict, Verdict::Never { .. });
            watched.never = never.then(|| watched.never.unwrap_or(at));
        }
        let lost = |(watched, verdict): (&Watched, &Verdict)| watched.lost(at, verdict);
        let without_uplink =
            self.items.iter().zip(&verdicts).any(|both| both.0.item == Item::Uplink && lost(both));
        let over = self.items.iter().zip(&verdicts).all(|(watched, verdict)| {
            let vain = without_uplink && watched.item.needs_uplink();
            verdict.holds() || vain || watched.lost(at, verdict)
        });
        over.then(|| {
            let both = self.items().zip(verdicts);
            both.map(|(item, verdict)| part(item, verdict, without_uplink)).collect()
        })
    }
}

impl Watched {
    /// Whether it does not hold, and is no longer waited for.
    fn lost(&self, at: Duration, verdict: &Verdict) -> bool {
        let sure = self.never.is_some_and(|since| at >= since + SURE);
        !verdict.holds() && (sure || at >= self.item.deadline())
    }
}

fn part(item: &Item, verdict: Verdict, without_uplink: bool) -> Part {
    let (ok, text, mend) = match verdict {
        Verdict::Holds(text) | Verdict::Aside(text) => (true, text, None),
        Verdict::NotYet { .. } if without_uplink && item.needs_uplink() => {
            (false, "not looked at, since no uplink works".into(), None)
        }
        Verdict::NotYet { text, mend } | Verdict::Never { text, mend } => (false, text, Some(mend)),
    };
    let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Part { what: item.what(), ok, text: line(text), mend: mend.map(line) }
}

/// Whether the uplink is what did not prove itself: then the network goes back.
#[must_use]
pub fn uplink_failed(parts: &[Part]) -> bool {
    parts.iter().any(|part| part.what == UPLINK && !part.ok)
}

#[cfg(test)]
mod tests;
