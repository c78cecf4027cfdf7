//! Judges one part by an observation, in words for a person at the box. Pure.

use super::VerificationItem as Item;
use super::observation::{BrokerError, NameError, NetworkReport, Observation};
use robocast_bus::{NetStatus, SinkState, SinkStatus, SourceState, StreamState, UplinkState, UplinkStatus};
use robocast_daemon::epoch::plausible_after;
use std::net::IpAddr;
use std::time::SystemTime;

/// The judgement of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// It works.
    Works(String),
    /// It is not checked, and need not be.
    NotChecked(String),
    /// Not yet.
    NotYet {
        /// What is missing.
        message: String,
        /// How to fix it.
        hint: String,
    },
    /// Waiting will not make it work.
    Never {
        /// The problem.
        message: String,
        /// How to fix it.
        hint: String,
    },
}

impl Assessment {
    /// Whether nothing is left to wait for.
    #[must_use]
    pub const fn is_fine(&self) -> bool {
        matches!(self, Self::Works(_) | Self::NotChecked(_))
    }
}

fn works(text: impl Into<String>) -> Assessment {
    Assessment::Works(text.into())
}

fn not_yet(message: impl Into<String>, hint: impl Into<String>) -> Assessment {
    Assessment::NotYet { message: message.into(), hint: hint.into() }
}

fn never(message: impl Into<String>, hint: impl Into<String>) -> Assessment {
    Assessment::Never { message: message.into(), hint: hint.into() }
}

/// A text of another program, or this default when it has none.
fn or(text: &str, words: &str) -> String {
    if text.is_empty() { words.to_owned() } else { text.to_owned() }
}

/// The judgement of one item.
#[must_use]
pub fn assess(item: &Item, seen: &Observation) -> Assessment {
    match item {
        Item::Robot { interface, address, streams } => robot(interface, *address, streams, seen),
        Item::Uplink => uplink(&seen.net),
        Item::Name(host) => name(host, seen.names.get(host)),
        Item::Clock => clock(seen.now, seen.image_epoch),
        Item::Sink { asked: false, .. } => Assessment::NotChecked("on demand: nobody asks for it now".into()),
        Item::Sink { stream, place, .. } => sink(stream, *place, seen),
        Item::Broker => broker(seen.broker.as_ref()),
    }
}

fn robot(interface: &str, address: Option<IpAddr>, streams: &[String], seen: &Observation) -> Assessment {
    let own: Vec<_> = seen.streams.iter().filter(|stream| streams.contains(&stream.stream)).collect();
    if let Some(live) = own.iter().find(|stream| stream.source_state == SourceState::Live) {
        return works(format!("sends video ({})", live.stream));
    }
    if let Some(failed) = own.iter().find(|stream| stream.source_state == SourceState::Failed) {
        let hint = "correct [robot] or the stream's `source` in robocast.toml";
        return never(or(&failed.text, "its video cannot be received with these settings"), hint);
    }
    let cable = match &seen.net {
        NetworkReport::Status(net) => Some(&net.robot),
        NetworkReport::Unmanaged | NetworkReport::Silent => None,
    };
    match cable {
        Some(side) if !side.present => {
            let text = or(&side.text, &format!("there is no interface {interface}"));
            return not_yet(text, "plug the adapter in, or name another one: `interface` in [robot]");
        }
        Some(side) if !side.carrier => {
            let text = format!("no cable at {interface}, or nothing switched on at its other end");
            return not_yet(text, "plug in the robot's cable, and switch the robot on");
        }
        Some(side) if !side.address.is_empty() && own.iter().all(|s| s.state == StreamState::Stopped) => {
            return works(format!("its cable at {interface} is alive; no stream needs its video now"));
        }
        _ => {}
    }
    let said = own.iter().map(|stream| stream.text.as_str()).find(|text| !text.is_empty());
    let side = cable.map_or("", |side| side.text.as_str());
    let text = or(said.unwrap_or(side), "no video arrives from it");
    let at = address.map(|address| format!(", at {address}")).unwrap_or_default();
    not_yet(text, format!("check that the robot is up{at}, and that its cable is in {interface}"))
}

fn uplink(net: &NetworkReport) -> Assessment {
    let net = match net {
        NetworkReport::Unmanaged => {
            return Assessment::NotChecked("not checked: this machine's own network is used".into());
        }
        NetworkReport::Silent => {
            return not_yet("the network program does not answer", "switch the box off and on");
        }
        NetworkReport::Status(net) => net,
    };
    if net.former {
        return never(
            "the new uplinks did not work; those that were proven last are used again",
            "correct [uplink] in robocast.toml",
        );
    }
    let usable = |uplink: &&UplinkStatus| {
        matches!(uplink.state, UplinkState::Ready | UplinkState::Carrying) && !uplink.address.is_empty()
    };
    if let Some(up) = net.uplinks.iter().find(|uplink| uplink.chosen && usable(uplink)).or_else(|| {
        // Before the first stream is sent none is chosen.
        net.uplinks.iter().find(usable)
    }) {
        if net.uplinks_proven {
            return works(format!("{} ({}), {}", up.name, up.interface, up.address));
        }
        let text = or(&net.text, &format!("{} is up, but not yet as the settings say", up.name));
        return not_yet(text, "correct [uplink] in robocast.toml");
    }
    if let Some(login) = net.uplinks.iter().find(|uplink| uplink.state == UplinkState::Captive) {
        return never(
            format!("{}: this network requires a web login", login.name),
            "ask its operator to exempt the box's MAC address, or use another network",
        );
    }
    not_yet(uplink_states(net), uplink_hint(net))
}

/// How each uplink is, on one line.
fn uplink_states(net: &NetStatus) -> String {
    let word = |uplink: &UplinkStatus| match uplink.state {
        UplinkState::Absent => "no such device",
        UplinkState::Down => "not connected",
        UplinkState::Connecting => "connecting",
        UplinkState::Captive => "a web login is required",
        UplinkState::Failing => "connected, but nothing gets through",
        UplinkState::Ready | UplinkState::Carrying => "no address",
    };
    let states: Vec<_> = net
        .uplinks
        .iter()
        .map(|uplink| format!("{}: {}", uplink.name, or(&uplink.text, word(uplink))))
        .collect();
    if states.is_empty() { or(&net.text, "there is no uplink") } else { states.join("; ") }
}

fn uplink_hint(net: &NetStatus) -> &'static str {
    match net.uplinks.iter().map(|uplink| uplink.state).min_by_key(|state| match state {
        UplinkState::Failing => 0,
        UplinkState::Down | UplinkState::Connecting => 1,
        _ => 2,
    }) {
        None => {
            "name an uplink in robocast.toml ([[uplink.wifi]], [uplink.lte], [uplink.ethernet]), or plug one in"
        }
        Some(UplinkState::Failing) => "check whether that network has internet access",
        Some(UplinkState::Down | UplinkState::Connecting) => {
            "check that the network is in reach, and that its name and password in robocast.toml are right"
        }
        Some(_) => "plug the modem or adapter in, or name another one in [uplink]",
    }
}

fn name(host: &str, known: Option<&Result<(), NameError>>) -> Assessment {
    match known {
        Some(Ok(())) => works("known"),
        None | Some(Err(NameError::NoAnswer)) => not_yet(
            "no name server answers",
            "check whether the uplink has internet access; name servers of your own go into `dns`",
        ),
        Some(Err(NameError::NoSuchName)) => {
            never("the name servers know no such name", format!("check the spelling of {host}"))
        }
    }
}

fn clock(now: SystemTime, image_epoch: Option<SystemTime>) -> Assessment {
    let hint = "let the box reach a time server (UDP port 123), or set one that it can reach: [time] ntp";
    let Some(made) = image_epoch else {
        return Assessment::NotChecked("not checked: this image does not say when it was made".into());
    };
    let year = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 31_556_952 + 1970;
    if plausible_after(now, image_epoch) {
        return works(format!("plausible ({year})"));
    }
    let when = if now < made { "before" } else { "decades after" };
    not_yet(format!("it says {year}, {when} this image was made"), hint)
}

fn sink(stream: &str, place: usize, seen: &Observation) -> Assessment {
    let Some(status) = seen.streams.iter().find(|status| status.stream == stream) else {
        return not_yet("its programs do not answer yet", "switch the box off and on");
    };
    let Some(sink) = status.sinks.get(place) else {
        return not_yet("its push program does not answer yet", "switch the box off and on");
    };
    let SinkStatus { state, text, .. } = sink;
    let reach = "check that the server is up and lets the box in, and that its address in `push` is right";
    match state {
        SinkState::Publishing if status.state == StreamState::Slate => {
            works("accepts the stream; a slate for now, since the robot sends nothing")
        }
        SinkState::Publishing => works("accepts the stream"),
        SinkState::Idle => not_yet(or(&status.text, "nothing to send yet"), "see the robot above"),
        SinkState::Connecting | SinkState::Waiting => not_yet(or(text, "not reached yet"), reach),
        SinkState::Refused => never(
            or(text, "the server refuses the stream"),
            "check that the stream's key in `push` is right, still valid and not in use elsewhere",
        ),
        SinkState::Failed => {
            never(or(text, "cannot work with these settings"), "correct `push` in robocast.toml")
        }
    }
}

fn broker(said: Option<&Result<(), BrokerError>>) -> Assessment {
    match said {
        Some(Ok(())) => works("accepts the box"),
        None => not_yet("not asked yet", "check whether the broker can be reached through the uplink"),
        Some(Err(BrokerError::Unreachable(why))) => {
            not_yet(why.as_str(), "check that the broker is up, and that its address in [control] is right")
        }
        Some(Err(BrokerError::Refused(why))) => {
            never(why.as_str(), "check that `username` and `password` in [control] are right")
        }
        Some(Err(BrokerError::Tls(why))) => never(
            why.as_str(),
            "check that the broker's certificate is valid for that name, and that its authority is in [tls] ca",
        ),
    }
}
