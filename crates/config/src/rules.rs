//! What must hold between several settings. Each rule looks at resolved settings and speaks at a place in the file; a value
//! that could not be read is not judged again.

mod wire;

use std::collections::HashMap;

use crate::bitrate::Bitrate;
use crate::malformed::Malformed;
use crate::place::Places;
use crate::problem::Collector;
use crate::robot::{Robot, RobotKind};
use crate::settings::Settings;
use crate::sink::SinkUrl;
use crate::source::Source;
use crate::stream::{Encode, Stream};
use crate::uplink::{Ethernet, Uplink};

/// Reports every broken rule.
pub(crate) fn check(settings: &Settings, places: &Places, out: &mut Collector) {
    let mut rules = Rules { places, out };
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
    rules.uplink(&settings.uplink);
    if let Some(ethernet) = &settings.uplink.ethernet {
        rules.ethernet(ethernet, &settings.robot);
    }
    rules.control(settings);
}

struct Rules<'a> {
    places: &'a Places,
    out: &'a mut Collector,
}

impl Rules<'_> {
    fn sound(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.places.sound(path))
    }

    fn error(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.out.error(self.places.at(path), Malformed::new(message).hint(hint));
    }

    fn warn(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.out.warning(self.places.at(path), Malformed::new(message).hint(hint));
    }

    /// The robot's address is another one of the network that the box has an address in.
    fn robot(&mut self, robot: &Robot) {
        const OWN: &str = "robot.own_address";
        if !self.sound(&["robot.kind", "robot.address", OWN]) {
            return;
        }
        let (Some(address), Some(own)) = (robot.address, robot.own_address) else { return };
        let at = if self.places.written("robot.address") { "robot.address" } else { OWN };
        if !own.contains(address) {
            let hint = if self.places.written(OWN) {
                format!(
                    "give both an address of one network, such as own_address = \"{}\"",
                    neighbour(address)
                )
            } else {
                format!("add own_address = \"{}\", or another free address there", neighbour(address))
            };
            self.error(
                at,
                format!("the robot's address {address} is outside the network of own_address {own}"),
                hint,
            );
        } else if own.address == address {
            let hint =
                "own_address is the box's own address in the robot's network, another than the robot's";
            self.error(at, format!("the robot and the box have the same address {address}"), hint);
        } else if own.reserves(own.address) {
            self.error(
                OWN,
                format!("{own} is the network or its broadcast, not a host"),
                "choose another number at its end",
            );
        } else if own.reserves(address) {
            self.error(
                at,
                format!("{address} is the network or its broadcast, not a robot"),
                "choose another number at its end",
            );
        }
    }

    fn names(&mut self, streams: &[Stream]) {
        let mut seen = HashMap::new();
        for (number, stream) in streams.iter().enumerate() {
            let path = format!("stream.{number}.name");
            if !self.places.sound(&path) {
                continue;
            }
            if seen.insert(stream.name.as_str(), number).is_some() {
                let message = format!("a stream named `{}` is given above already", stream.name);
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
        if kind != needed && self.sound(&[&path, "robot", "robot.kind"]) {
            let message = format!("the source `{word}:` needs a robot of kind \"{word}\"");
            let hint = if self.places.written("robot") {
                format!("write `kind = \"{word}\"` under [robot]")
            } else {
                format!("add a table [robot] with `kind = \"{word}\"`")
            };
            self.error(&path, message, hint);
        }
    }

    fn bitrate(&mut self, stream: &str, found: &Stream) {
        let (min, max) = (format!("{stream}.bitrate.min"), format!("{stream}.bitrate.max"));
        let range = found.bitrate;
        if range.min <= range.max || !self.sound(&[&min, &max]) {
            return;
        }
        let at = if self.places.written(&min) { &min } else { &max };
        let whose = |path: &str, rate: Bitrate| {
            if self.places.written(path) { format!("{rate}") } else { format!("{rate} (the default)") }
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
            if self.places.written(&path) {
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
                    self.warn(&path, message, "two streams on one key cut each other off: use a key each");
                }
                None => {}
            }
            if sink.bares_password() {
                let scheme = sink.url.expose().scheme().to_owned();
                let message = format!("`{scheme}://` sends the password in the clear");
                self.warn(&path, message, format!("use `{scheme}s://` if the server speaks it"));
            }
        }
    }

    fn uplink(&mut self, uplink: &Uplink) {
        let configured = uplink.configured();
        for (number, kind) in uplink.order.iter().enumerate() {
            let path = format!("uplink.kind.{number}");
            if uplink.order[..number].contains(kind) {
                self.error(&path, format!("`{kind}` stands twice in the order"), "remove one of the two");
            } else if !configured.contains(kind) && self.places.sound(&format!("uplink.{kind}")) {
                let title = if kind.as_str() == "wifi" {
                    "[[uplink.wifi]]".to_owned()
                } else {
                    format!("[uplink.{kind}]")
                };
                self.error(
                    &path,
                    format!("`{kind}` is not configured"),
                    format!("add {title}, or take it out of the order"),
                );
            }
        }
        let mut seen = HashMap::new();
        for (number, wifi) in uplink.wifi.iter().enumerate() {
            let path = format!("uplink.wifi.{number}.ssid");
            if self.places.sound(&path) && seen.insert(wifi.ssid.as_str(), number).is_some() {
                self.error(&path, "this Wi-Fi network is given above already", "remove one of the two");
            }
        }
    }

    fn ethernet(&mut self, ethernet: &Ethernet, robot: &Robot) {
        const GATEWAY: &str = "uplink.ethernet.gateway";
        const ADDRESS: &str = "uplink.ethernet.address";
        const INTERFACE: &str = "uplink.ethernet.interface";
        // Without a robot on a wire the default `eth0` names nobody's interface.
        let wired = robot.kind != RobotKind::None
            || ["interface", "address", "own_address"]
                .iter()
                .any(|k| self.places.written(&format!("robot.{k}")));
        if wired
            && ethernet.interface == robot.interface
            && self.sound(&[INTERFACE, "robot.kind", "robot.interface"])
        {
            let message = format!("`{}` is the robot's interface", robot.interface);
            self.error(INTERFACE, message, "the uplink needs another one, such as \"eth1\"");
        }
        if !self.sound(&[GATEWAY, ADDRESS]) {
            return;
        }
        match (ethernet.gateway, ethernet.address) {
            (Some(_), None) => {
                self.error(
                    GATEWAY,
                    "a gateway without an address",
                    "add `address`, or leave `gateway` to DHCP",
                );
            }
            (Some(gateway), Some(own)) if !own.contains(gateway) => {
                let message = format!("the gateway {gateway} is outside the network of {own}");
                self.error(GATEWAY, message, "give both an address of one network");
            }
            (Some(gateway), Some(own)) if gateway == own.address => {
                let message = format!("the gateway {gateway} is the box's own address");
                self.error(GATEWAY, message, "write the router's address");
            }
            (_, Some(own)) if own.reserves(own.address) => {
                self.error(
                    ADDRESS,
                    format!("{own} is the network or its broadcast, not a host"),
                    "choose another number at its end",
                );
            }
            _ => {}
        }
    }

    fn control(&mut self, settings: &Settings) {
        let Some(control) = &settings.control else { return };
        if control.password.is_none() {
            return;
        }
        if control.username.is_none() && self.places.sound("control.username") {
            self.error("control.password", "a password without a username", "add `username`");
        }
        if !control.is_encrypted() {
            self.warn(
                "control.mqtt",
                "`mqtt://` sends the password in the clear",
                "use `mqtts://` if the broker speaks it",
            );
        }
    }
}

/// An address next to another, as an example.
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
