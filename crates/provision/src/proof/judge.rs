//! What the facts say of one part, in words for somebody who stands before the box. Pure.

use super::Item;
use super::facts::{BrokerFault, Facts, NameFault, Network};
use robocast_bus::{NetStatus, SinkState, SinkStatus, SourceState, StreamState, UplinkState, UplinkStatus};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// A clock that far ahead of the image is as wrong as one behind it.
const AGES: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// What the facts say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Holds(String),
    /// It is not looked at, and need not be.
    Aside(String),
    /// Not yet.
    NotYet {
        /// What is lacking.
        text: String,
        /// What to do.
        mend: String,
    },
    /// It will not work by waiting.
    Never {
        /// What is wrong.
        text: String,
        /// What to do.
        mend: String,
    },
}

impl Verdict {
    /// Whether nothing is left to wait for.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self, Self::Holds(_) | Self::Aside(_))
    }
}

fn holds(text: impl Into<String>) -> Verdict {
    Verdict::Holds(text.into())
}

fn not_yet(text: impl Into<String>, mend: impl Into<String>) -> Verdict {
    Verdict::NotYet { text: text.into(), mend: mend.into() }
}

fn never(text: impl Into<String>, mend: impl Into<String>) -> Verdict {
    Verdict::Never { text: text.into(), mend: mend.into() }
}

/// A text of another program, or these words when it has none.
fn or(text: &str, words: &str) -> String {
    if text.is_empty() { words.to_owned() } else { text.to_owned() }
}

/// What the facts say of one item.
#[must_use]
pub fn judge(item: &Item, facts: &Facts) -> Verdict {
    match item {
        Item::Robot { interface, address, streams } => robot(interface, *address, streams, facts),
        Item::Uplink => uplink(&facts.net),
        Item::Name(host) => name(host, facts.names.get(host)),
        Item::Clock => clock(facts.now, facts.made),
        Item::Sink { asked: false, .. } => Verdict::Aside("on demand: nobody asks for it now".into()),
        Item::Sink { stream, place, .. } => sink(stream, *place, facts),
        Item::Broker => broker(facts.broker.as_ref()),
    }
}

fn robot(interface: &str, address: Option<IpAddr>, streams: &[String], facts: &Facts) -> Verdict {
    let own: Vec<_> = facts.streams.iter().filter(|stream| streams.contains(&stream.stream)).collect();
    if let Some(live) = own.iter().find(|stream| stream.source_state == SourceState::Live) {
        return holds(format!("sends video ({})", live.stream));
    }
    if let Some(failed) = own.iter().find(|stream| stream.source_state == SourceState::Failed) {
        let mend = "mend [robot] or the stream's `source` in robocast.toml";
        return never(or(&failed.text, "its video cannot be had as it is set"), mend);
    }
    let cable = match &facts.net {
        Network::Says(net) => Some(&net.robot),
        Network::Others | Network::Silent => None,
    };
    match cable {
        Some(side) if !side.present => {
            let text = or(&side.text, &format!("there is no interface {interface}"));
            return not_yet(text, "plug the adapter in, or name another one: `interface` in [robot]");
        }
        Some(side) if !side.carrier => {
            let text = format!("no cable at {interface}, or nothing alive at its other end");
            return not_yet(text, "plug the robot's cable in, and switch the robot on");
        }
        Some(side) if !side.address.is_empty() && own.iter().all(|s| s.state == StreamState::Stopped) => {
            return holds(format!("its cable at {interface} is alive; no stream asks for its video now"));
        }
        _ => {}
    }
    let said = own.iter().map(|stream| stream.text.as_str()).find(|text| !text.is_empty());
    let side = cable.map_or("", |side| side.text.as_str());
    let text = or(said.unwrap_or(side), "no video of it comes");
    let at = address.map(|address| format!(", at {address}")).unwrap_or_default();
    not_yet(text, format!("see that the robot is up{at}, and that its cable goes to {interface}"))
}

fn uplink(net: &Network) -> Verdict {
    let net = match net {
        Network::Others => {
            return Verdict::Aside("not looked at: this machine's own network is used".into());
        }
        Network::Silent => {
            return not_yet(
                "the program that keeps the network does not answer",
                "switch the box off and on",
            );
        }
        Network::Says(net) => net,
    };
    if net.former {
        return never(
            "the new uplinks did not work; those that were proven last go on",
            "mend [uplink] in robocast.toml",
        );
    }
    let works = |uplink: &&UplinkStatus| {
        matches!(uplink.state, UplinkState::Ready | UplinkState::Carrying) && !uplink.address.is_empty()
    };
    if let Some(up) = net.uplinks.iter().find(|uplink| uplink.chosen && works(uplink)).or_else(|| {
        // Before the first stream goes out none is chosen.
        net.uplinks.iter().find(works)
    }) {
        if net.uplinks_proven {
            return holds(format!("{} ({}), {}", up.name, up.interface, up.address));
        }
        let text = or(&net.text, &format!("{} is up, and not yet as the settings want it", up.name));
        return not_yet(text, "mend [uplink] in robocast.toml");
    }
    if let Some(login) = net.uplinks.iter().find(|uplink| uplink.state == UplinkState::Captive) {
        return never(
            format!("{}: a login page stands before the world", login.name),
            "have the box let through at that network, or give it another one",
        );
    }
    not_yet(states(net), mend_of(net))
}

/// How each uplink is, on one line.
fn states(net: &NetStatus) -> String {
    let word = |uplink: &UplinkStatus| match uplink.state {
        UplinkState::Absent => "no such device",
        UplinkState::Down => "not connected",
        UplinkState::Connecting => "connecting",
        UplinkState::Captive => "a login page",
        UplinkState::Failing => "connected, and nothing comes through",
        UplinkState::Ready | UplinkState::Carrying => "no address",
    };
    let states: Vec<_> = net
        .uplinks
        .iter()
        .map(|uplink| format!("{}: {}", uplink.name, or(&uplink.text, word(uplink))))
        .collect();
    if states.is_empty() { or(&net.text, "there is no uplink") } else { states.join("; ") }
}

fn mend_of(net: &NetStatus) -> &'static str {
    match net.uplinks.iter().map(|uplink| uplink.state).min_by_key(|state| match state {
        UplinkState::Failing => 0,
        UplinkState::Down | UplinkState::Connecting => 1,
        _ => 2,
    }) {
        None => {
            "name an uplink in robocast.toml ([[uplink.wifi]], [uplink.lte], [uplink.ethernet]), or plug one in"
        }
        Some(UplinkState::Failing) => "see whether that network leads to the internet",
        Some(UplinkState::Down | UplinkState::Connecting) => {
            "see that the network is in reach, and that its name and password in robocast.toml are right"
        }
        Some(_) => "plug the modem or adapter in, or name another one in [uplink]",
    }
}

fn name(host: &str, known: Option<&Result<(), NameFault>>) -> Verdict {
    match known {
        Some(Ok(())) => holds("known"),
        None | Some(Err(NameFault::Silent)) => not_yet(
            "no name server answers",
            "see whether the uplink leads to the internet; name servers of your own go into `dns`",
        ),
        Some(Err(NameFault::Unknown)) => {
            never("the name servers know no such name", format!("see whether {host} is spelled right"))
        }
    }
}

fn clock(now: SystemTime, made: Option<SystemTime>) -> Verdict {
    let mend = "let the box reach a time server (UDP port 123), or name one in reach: [time] ntp";
    let Some(made) = made else {
        return Verdict::Aside("not looked at: this image does not say when it was made".into());
    };
    let year = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 31_556_952 + 1970;
    match now.duration_since(made) {
        Err(_) => not_yet(format!("it says {year}, before this image was made"), mend),
        Ok(later) if later > AGES => not_yet(format!("it says {year}, ages after this image was made"), mend),
        Ok(_) => holds(format!("plausible ({year})")),
    }
}

fn sink(stream: &str, place: usize, facts: &Facts) -> Verdict {
    let Some(status) = facts.streams.iter().find(|status| status.stream == stream) else {
        return not_yet("its programs do not answer yet", "switch the box off and on");
    };
    let Some(sink) = status.sinks.get(place) else {
        return not_yet("its push program does not answer yet", "switch the box off and on");
    };
    let SinkStatus { state, text, .. } = sink;
    let reach =
        "see whether the server is up and lets the box in, and whether its address in `push` is right";
    match state {
        SinkState::Publishing if status.state == StreamState::Slate => {
            holds("takes the stream; a slate for now, since the robot sends nothing")
        }
        SinkState::Publishing => holds("takes the stream"),
        SinkState::Idle => {
            not_yet(or(&status.text, "nothing to send yet"), "see what is said of the robot above")
        }
        SinkState::Connecting | SinkState::Waiting => not_yet(or(text, "not reached yet"), reach),
        SinkState::Refused => never(
            or(text, "the server says no"),
            "see whether the stream's key in `push` is right, still valid, and not in use elsewhere",
        ),
        SinkState::Failed => never(or(text, "cannot work as it is set"), "mend `push` in robocast.toml"),
    }
}

fn broker(said: Option<&Result<(), BrokerFault>>) -> Verdict {
    match said {
        Some(Ok(())) => holds("takes the box"),
        None => not_yet("not asked yet", "see whether the uplink leads to the broker"),
        Some(Err(BrokerFault::Away(why))) => not_yet(
            why.as_str(),
            "see whether the broker is up, and whether its address in [control] is right",
        ),
        Some(Err(BrokerFault::Refused(why))) => {
            never(why.as_str(), "see whether `username` and `password` in [control] are right")
        }
        Some(Err(BrokerFault::Tls(why))) => never(
            why.as_str(),
            "see whether the broker's certificate is valid for that name, and its authority in [tls] ca",
        ),
    }
}
