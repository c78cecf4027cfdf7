//! Rules between several settings. Each rule checks resolved settings and reports at a place in the file. A value that could
//! not be read is not checked again.

mod wire;

use std::collections::HashMap;

use crate::bitrate::Bitrate;
use crate::parse_error::ParseError;
use crate::problem::Collector;
use crate::robot::{Robot, RobotKind};
use crate::settings::Settings;
use crate::sink::{SinkTarget, SinkUrl};
use crate::source::Source;
use crate::spans::Spans;
use crate::stream::{Encode, Stream};

/// Reports every broken rule.
pub(crate) fn check(settings: &Settings, spans: &Spans, out: &mut Collector) {
    let mut rules = Rules { spans, out };
    rules.robot(&settings.robot);
    rules.wire(&settings.robot);
    rules.names(&settings.streams);
    let mut pushed = HashMap::new();
    for (number, stream) in settings.streams.iter().enumerate() {
        let path = format!("stream.{number}");
        rules.source(&path, &stream.source, settings.robot.kind);
        rules.bitrate(&path, stream);
        rules.idle_encoder(&path, stream);
        rules.sinks(&path, number, &stream.push, &mut pushed);
    }
    rules.uplink(&settings.uplink, &settings.robot);
    rules.control(settings);
}

pub(crate) struct Rules<'a> {
    pub spans: &'a Spans,
    out: &'a mut Collector,
}

impl Rules<'_> {
    pub fn is_valid(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.spans.is_valid(path))
    }

    pub fn error(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.out.error(self.spans.at(path), ParseError::new(message).with_hint(hint));
    }

    pub fn warn(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.out.warning(self.spans.at(path), ParseError::new(message).with_hint(hint));
    }

    /// The robot and the box must have different addresses in the same network.
    fn robot(&mut self, robot: &Robot) {
        const OWN: &str = "robot.own_address";
        if !self.is_valid(&["robot.kind", "robot.address", OWN]) {
            return;
        }
        let (Some(address), Some(own)) = (robot.address, robot.own_address) else { return };
        let at = if self.spans.written("robot.address") { "robot.address" } else { OWN };
        if !own.contains(address) {
            let hint = if self.spans.written(OWN) {
                format!(
                    "give both an address of one network, such as own_address = \"{}\"",
                    neighbour(address)
                )
            } else {
                format!(
                    "add own_address = \"{}\", or another free address in that network",
                    neighbour(address)
                )
            };
            self.error(
                at,
                format!("the robot's address {address} is outside the network of own_address {own}"),
                hint,
            );
        } else if own.address == address {
            let hint = "own_address is the box's own address in the robot's network; it must differ from the robot's";
            self.error(at, format!("the robot and the box have the same address {address}"), hint);
        } else if own.reserves(own.address) {
            self.error(
                OWN,
                format!("{own} is the network or its broadcast, not a host"),
                "change its last number",
            );
        } else if own.reserves(address) {
            self.error(
                at,
                format!("{address} is the network or its broadcast, not a robot"),
                "change its last number",
            );
        }
    }

    fn names(&mut self, streams: &[Stream]) {
        let mut seen = HashMap::new();
        for (number, stream) in streams.iter().enumerate() {
            let path = format!("stream.{number}.name");
            if !self.spans.is_valid(&path) {
                continue;
            }
            if seen.insert(stream.name.as_str(), number).is_some() {
                let message = format!("a stream named `{}` is already given above", stream.name);
                self.error(&path, message, "give each stream its own name");
            }
        }
    }

    fn source(&mut self, stream: &str, source: &Source, kind: RobotKind) {
        let path = format!("{stream}.source");
        let (needed, word) = match source {
            Source::Spot => (RobotKind::Spot, "spot"),
            Source::Go2 { .. } => (RobotKind::Go2, "go2"),
            _ => return,
        };
        if kind != needed && self.is_valid(&[&path, "robot", "robot.kind"]) {
            let message = format!("the source `{word}:` needs a robot of kind \"{word}\"");
            let hint = if self.spans.written("robot") {
                format!("write `kind = \"{word}\"` under [robot]")
            } else {
                format!("add a table [robot] with `kind = \"{word}\"`")
            };
            self.error(&path, message, hint);
        } else if *source == Source::Spot {
            let hint = "until it does, the stream shows the slate";
            self.warn(&path, "this version does not read Spot's cameras yet", hint);
        }
    }

    fn bitrate(&mut self, stream: &str, found: &Stream) {
        let (min, max) = (format!("{stream}.bitrate.min"), format!("{stream}.bitrate.max"));
        let range = found.bitrate;
        if range.min <= range.max || !self.is_valid(&[&min, &max]) {
            return;
        }
        let at = if self.spans.written(&min) { &min } else { &max };
        let whose = |path: &str, rate: Bitrate| {
            if self.spans.written(path) { format!("{rate}") } else { format!("{rate} (the default)") }
        };
        let message =
            format!("bitrate min {} is above max {}", whose(&min, range.min), whose(&max, range.max));
        self.error(at, message, "write min and max, the lower one as min");
    }

    fn idle_encoder(&mut self, stream: &str, found: &Stream) {
        if found.encode != Encode::Never {
            return;
        }
        for key in ["size", "fps"] {
            let path = format!("{stream}.{key}");
            if self.spans.written(&path) {
                let message = format!("`{key}` has no effect with `encode = \"never\"`");
                self.warn(&path, message, "leave it out, or write `encode = \"auto\"`");
            }
        }
    }

    fn sinks<'s>(
        &mut self,
        stream: &str,
        number: usize,
        sinks: &'s [SinkUrl],
        pushed: &mut HashMap<&'s str, usize>,
    ) {
        for (index, sink) in sinks.iter().enumerate() {
            let path = format!("{stream}.sink.{index}");
            match pushed.insert(sink.url.expose().as_str(), number) {
                Some(other) if other == number => {
                    self.error(&path, format!("{sink} is pushed to twice"), "remove one of the two");
                }
                Some(_) => {
                    let message = format!("another stream is pushed to {sink} too");
                    self.warn(
                        &path,
                        message,
                        "two streams with one key cut each other off: give each its own key",
                    );
                }
                None => {}
            }
            if !matches!(sink.target, SinkTarget::Rtmp(_)) {
                let message = format!("this version does not push to {}:// yet", sink.url.expose().scheme());
                self.warn(&path, message, "nothing is sent to this URL: push to rtmp:// or rtmps:// instead");
            }
            if sink.bares_password() {
                let scheme = sink.url.expose().scheme().to_owned();
                let message = format!("`{scheme}://` sends the password in the clear");
                self.warn(&path, message, format!("use `{scheme}s://` if the server supports it"));
            }
        }
    }

    fn control(&mut self, settings: &Settings) {
        let Some(control) = &settings.control else { return };
        if control.password.is_none() {
            return;
        }
        if control.username.is_none() && self.spans.is_valid("control.username") {
            self.error("control.password", "a password without a username", "add `username`");
        }
        if !control.is_encrypted() {
            self.warn(
                "control.mqtt",
                "`mqtt://` sends the password in the clear",
                "use `mqtts://` if the broker supports it",
            );
        }
    }
}

/// An address in the same network as another, as an example.
fn neighbour(address: std::net::IpAddr) -> crate::cidr::Cidr {
    match address {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            let own = if d == 10 { 11 } else { 10 };
            crate::cidr::Cidr { address: [a, b, c, own].into(), prefix: 24 }
        }
        std::net::IpAddr::V6(v6) => {
            crate::cidr::Cidr { address: std::net::Ipv6Addr::from_bits(v6.to_bits() ^ 1).into(), prefix: 64 }
        }
    }
}
