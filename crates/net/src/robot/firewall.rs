//! The firewall of the robot's side, in nftables' language. Pure; [`nft`](super::nft) loads it and reads it back.
//!
//! A camera reaches the robot's network and nothing else. The robot reaches: replies to a camera, multicast groups over UDP,
//! and the openings. RTSP over UDP and WebRTC need no opening: the camera sends the first datagram.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use robocast_config::{Cidr, Dhcp, Protocol};

use super::desired::DesiredRobotNetwork;
use super::observed::{FirewallChain, IpNetwork, LoadedFirewall};
use crate::digest::StableDigest;

/// A firewall to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// For `nft -f`: one transaction.
    pub text: String,
    /// How it reads back once it is loaded.
    pub loaded: LoadedFirewall,
}

struct Rule {
    text: String,
    comment: String,
}

fn rule(text: impl Into<String>, comment: impl Into<String>) -> Rule {
    Rule { text: text.into(), comment: comment.into() }
}

impl Ruleset {
    /// The firewall for a desired state.
    #[must_use]
    pub fn of(desired: &DesiredRobotNetwork) -> Self {
        let chains = [("input", input(desired)), ("forward", Vec::new()), ("output", output(desired))];
        let digest = digest(&chains);
        // Emptied and filled in one transaction: there is no moment without it.
        let mut text = "table inet robocast\ndelete table inet robocast\ntable inet robocast {\n".to_owned();
        let mut loaded = BTreeMap::new();
        for (hook, rules) in &chains {
            let _ = writeln!(
                text,
                "    chain {hook} {{\n        type filter hook {hook} priority filter; policy drop;"
            );
            let mut comments = Vec::new();
            for (number, Rule { text: rule, comment }) in rules.iter().enumerate() {
                let comment = if number == 0 { format!("{comment} [{digest}]") } else { comment.clone() };
                let _ = writeln!(text, "        {rule} comment \"{comment}\"");
                comments.push(comment);
            }
            text.push_str("    }\n");
            let chain =
                FirewallChain { hook: (*hook).to_owned(), policy: "drop".to_owned(), rules: comments };
            loaded.insert((*hook).to_owned(), chain);
        }
        text.push_str("}\n");
        Self { text, loaded: LoadedFirewall(loaded) }
    }
}

/// Identifies the ruleset: every hook and every rule's text, in order, each ended by a line feed.
fn digest(chains: &[(&str, Vec<Rule>)]) -> String {
    let mut digest = StableDigest::new("robocast firewall 1");
    for (hook, rules) in chains {
        digest.line(&format!("chain {hook}"));
        rules.iter().for_each(|rule| digest.line(&rule.text));
    }
    digest.short()
}

/// `ip` or `ip6`, and the network of an address, as nftables writes them.
fn of(own: Cidr) -> (&'static str, String) {
    let IpNetwork { address, prefix } = IpNetwork::of(own);
    (if address.is_ipv4() { "ip" } else { "ip6" }, format!("{address}/{prefix}"))
}

fn input(desired: &DesiredRobotNetwork) -> Vec<Rule> {
    let mut rules = vec![
        rule("ct state established,related accept", "replies"),
        rule("ct state invalid drop", "invalid packets"),
        rule("iif lo accept", "the robot's side itself"),
        rule(
            "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } \
             limit rate 20/second accept",
            "ICMP that IPv4 needs",
        ),
        rule(
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, echo-request, \
             destination-unreachable, packet-too-big, time-exceeded, parameter-problem } \
             limit rate 50/second accept",
            "ICMP that IPv6 needs",
        ),
        rule("ip protocol igmp limit rate 20/second accept", "IGMP queries of switches"),
    ];
    for (name, own) in &desired.interfaces {
        let from = match own {
            Some(own) if own.address.is_ipv4() => format!("ip saddr {} ", of(*own).1),
            // Without an address there the robot's network is unknown.
            _ => String::new(),
        };
        rules.push(rule(
            format!("iifname \"{name}\" {from}ip daddr 224.0.0.0/4 meta l4proto udp accept"),
            format!("multicast at {name}"),
        ));
        rules.push(rule(
            format!("iifname \"{name}\" ip6 daddr ff00::/8 meta l4proto udp accept"),
            format!("IPv6 multicast at {name}"),
        ));
        let Some(own) = own else { continue };
        let (family, network) = of(*own);
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let ports = desired.openings.iter().filter(|opening| opening.protocol == protocol);
            let ports: Vec<_> = ports.map(|opening| opening.port.to_string()).collect();
            if !ports.is_empty() {
                rules.push(rule(
                    format!(
                        "iifname \"{name}\" {family} saddr {network} {protocol} dport {{ {} }} accept",
                        ports.join(", ")
                    ),
                    format!("openings at {name}"),
                ));
            }
        }
    }
    match &desired.dhcp {
        Some((name, Dhcp::Client)) => rules.push(rule(
            format!("iifname \"{name}\" udp sport 67 udp dport 68 accept"),
            format!("answers of DHCP servers at {name}"),
        )),
        Some((name, Dhcp::Server)) => rules.push(rule(
            format!("iifname \"{name}\" udp sport 68 udp dport 67 limit rate 50/second accept"),
            format!("requests of DHCP clients at {name}"),
        )),
        _ => {}
    }
    rules
}

fn output(desired: &DesiredRobotNetwork) -> Vec<Rule> {
    let mut rules = vec![
        rule("oif lo accept", "the robot's side itself"),
        rule("ct state established,related accept", "replies"),
    ];
    for (name, own) in &desired.interfaces {
        if let Some(own) = own {
            let (family, network) = of(*own);
            rules.push(rule(
                format!("oifname \"{name}\" {family} daddr {network} accept"),
                format!("the robot's network at {name}"),
            ));
        }
        rules.push(rule(
            format!("oifname \"{name}\" ip daddr 224.0.0.0/4 accept"),
            format!("multicast at {name}"),
        ));
        rules.push(rule(
            format!("oifname \"{name}\" ip6 daddr {{ fe80::/10, ff02::/16 }} accept"),
            format!("IPv6 neighbours at {name}"),
        ));
    }
    match &desired.dhcp {
        Some((name, Dhcp::Client)) => rules.push(rule(
            format!("oifname \"{name}\" udp sport 68 udp dport 67 accept"),
            format!("requests to DHCP servers at {name}"),
        )),
        Some((name, Dhcp::Server)) => rules.push(rule(
            format!("oifname \"{name}\" udp sport 67 udp dport 68 accept"),
            format!("answers to DHCP clients at {name}"),
        )),
        _ => {}
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(
        interfaces: &[(&str, Option<&str>)],
        dhcp: Option<Dhcp>,
        openings: &[&str],
    ) -> DesiredRobotNetwork {
        let own = |text: &str| text.parse().unwrap();
        DesiredRobotNetwork {
            interfaces: interfaces.iter().map(|(name, text)| ((*name).to_owned(), text.map(own))).collect(),
            dhcp: dhcp.map(|dhcp| ("eth0".to_owned(), dhcp)),
            openings: openings.iter().map(|text| text.parse().unwrap()).collect(),
            robot: None,
        }
    }

    #[test]
    fn the_ruleset_of_a_go2_is_this() {
        let desired =
            desired(&[("eth0", Some("192.168.123.222/24"))], None, &["tcp/554", "udp/5004", "udp/5006"]);
        let text = Ruleset::of(&desired).text;
        // The digest is part of the golden text: it must not change unless a rule does.
        assert_eq!(text, include_str!("firewall/go2.nft"), "{text}");
    }

    #[test]
    fn every_rule_change_changes_how_it_reads_back() {
        let fixed = [("eth0", Some("10.0.0.10/24"))];
        let all = [
            desired(&[], None, &[]),
            desired(&fixed, None, &[]),
            desired(&fixed, None, &["tcp/1"]),
            desired(&fixed, None, &["tcp/2"]),
            desired(&[("eth0", Some("10.0.0.10/23"))], None, &[]),
            desired(&[("eth0", Some("10.0.0.11/24"))], None, &["udp/1"]),
            desired(&[("eth1", Some("10.0.0.10/24"))], None, &[]),
            desired(&fixed, Some(Dhcp::Client), &[]),
            desired(&fixed, Some(Dhcp::Server), &[]),
        ];
        for (number, one) in all.iter().enumerate() {
            for other in &all[..number] {
                assert_ne!(Ruleset::of(one).loaded, Ruleset::of(other).loaded);
            }
            assert_eq!(Ruleset::of(one), Ruleset::of(one));
        }
    }

    #[test]
    fn the_rest_is_dropped_in_every_direction() {
        for own in [None, Some("10.0.0.10/24"), Some("fd00::10/64")] {
            let ruleset = Ruleset::of(&desired(&[("eth0", own)], Some(Dhcp::Client), &["udp/53"]));
            assert_eq!(ruleset.text.matches("policy drop").count(), 3);
            assert!(ruleset.loaded.0["forward"].rules.is_empty());
            assert!(!ruleset.text.contains("saddr 0.0.0.0/0"));
        }
    }

    #[test]
    fn comments_fit_into_nftables() {
        let ruleset = Ruleset::of(&desired(&[("abcdefghijklmno", Some("10.0.0.10/24"))], None, &["udp/53"]));
        let longest = ruleset.loaded.0.values().flat_map(|chain| &chain.rules).map(String::len).max();
        assert!(longest.is_some_and(|length| length < 128));
    }
}
