//! Rules between several settings of `[uplink]`.

use std::collections::HashMap;

use crate::addressing::Addressing;
use crate::robot::Robot;
use crate::rules::Rules;
use crate::uplink::{Ethernet, Uplink};
use crate::wifi::Access;

impl Rules<'_> {
    pub fn uplink(&mut self, uplink: &Uplink, robot: &Robot) {
        self.order(uplink);
        let mut seen = HashMap::new();
        let mut country: Option<&str> = None;
        for (number, wifi) in uplink.wifi.iter().enumerate() {
            let path = format!("uplink.wifi.{number}");
            let ssid = format!("{path}.ssid");
            if self.spans.is_valid(&ssid) && seen.insert(wifi.ssid.as_str(), number).is_some() {
                self.error(&ssid, "this Wi-Fi network is already given above", "remove one of the two");
            }
            if let Access::Enterprise(enterprise) = &wifi.access
                && enterprise.ca.is_none()
                && self.spans.is_valid(&format!("{path}.ca"))
            {
                self.warn(
                    &format!("{path}.eap"),
                    "without `ca` the box trusts any network of this name, even with the password",
                    "add `ca`: the certificate of the authority that signed the network's",
                );
            }
            match (country, wifi.country.as_deref()) {
                (Some(first), Some(own)) if first != own => self.warn(
                    &format!("{path}.country"),
                    format!(
                        "the radio can follow only one country's rules: `{first}` is already given above"
                    ),
                    "write one country",
                ),
                (None, own) => country = own,
                _ => {}
            }
            self.addressing(&path, &wifi.ip);
        }
        if let Some(ethernet) = &uplink.ethernet {
            self.interface(ethernet, robot);
            self.addressing("uplink.ethernet", &ethernet.ip);
        }
        if let Some(lte) = &uplink.lte
            && lte.password.is_some()
            && lte.username.is_none()
            && self.spans.is_valid("uplink.lte.username")
        {
            self.error("uplink.lte.password", "a password without a username", "add `username`");
        }
    }

    fn order(&mut self, uplink: &Uplink) {
        let configured = uplink.configured();
        for (number, kind) in uplink.order.iter().enumerate() {
            let path = format!("uplink.kind.{number}");
            if uplink.order[..number].contains(kind) {
                self.error(&path, format!("`{kind}` is twice in the order"), "remove one of the two");
            } else if !configured.contains(kind) && self.spans.is_valid(&format!("uplink.{kind}")) {
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
    }

    fn interface(&mut self, ethernet: &Ethernet, robot: &Robot) {
        const INTERFACE: &str = "uplink.ethernet.interface";
        // Without a robot on a wire, the default `eth0` is free.
        let wired = robot.is_wired()
            || ["interface", "address", "own_address"]
                .iter()
                .any(|k| self.spans.written(&format!("robot.{k}")));
        if wired
            && ethernet.interface == robot.interface
            && self.is_valid(&[INTERFACE, "robot.kind", "robot.interface"])
        {
            let message = format!("`{}` is the robot's interface", robot.interface);
            self.error(INTERFACE, message, "the uplink needs another one, such as \"eth1\"");
        }
    }

    /// Checks that the router can be reached from the fixed address.
    fn addressing(&mut self, path: &str, ip: &Addressing) {
        let (at_gateway, at_address) = (format!("{path}.gateway"), format!("{path}.address"));
        if !self.is_valid(&[&at_gateway, &at_address]) {
            return;
        }
        match (ip.gateway, ip.address) {
            (Some(_), None) => {
                let hint = "add `address`, or leave `gateway` to DHCP";
                self.error(&at_gateway, "a gateway without an address", hint);
            }
            (Some(gateway), Some(own)) if !own.contains(gateway) => {
                let message = format!("the gateway {gateway} is outside the network of {own}");
                self.error(&at_gateway, message, "give both an address of one network");
            }
            (Some(gateway), Some(own)) if gateway == own.address => {
                let message = format!("the gateway {gateway} is the box's own address");
                self.error(&at_gateway, message, "write the router's address");
            }
            (_, Some(own)) if own.reserves(own.address) => {
                self.error(
                    &at_address,
                    format!("{own} is the network or its broadcast, not a host"),
                    "change its last number",
                );
            }
            (None, Some(own)) => {
                let message = format!("{own} has no gateway: nothing beyond its network can be reached");
                self.warn(&at_address, message, "add `gateway`, unless the media server is in this network");
            }
            _ => {}
        }
    }
}
