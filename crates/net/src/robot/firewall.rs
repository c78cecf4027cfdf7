//! The firewall of the robot's side, as nftables takes it. Pure; [`nft`](super::nft) loads it and reads it back.
//!
//! A camera reaches the robot's network and nothing else. The robot reaches: what answers a camera, groups over UDP, and
//! the openings. RTSP over UDP and WebRTC need no opening: the camera's first datagram goes out before the robot's count.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};

use robocast_config::{Cidr, Dhcp, Protocol};

use super::facts::Network;
use super::wanted::Wanted;

/// A firewall to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// For `nft -f`: one transaction.
    pub text: String,
    /// What then stands.
    pub standing: Standing,
}

/// A firewall as far as it is read back: its chains, and what is written on every rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing(pub BTreeMap<String, Chain>);

/// A chain that stands at a hook of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// `input`, `forward` or `output`.
    pub hook: String,
    /// What becomes of the rest: `drop`.
    pub policy: String,
    /// The comment of each rule, in order. The first one has a mark of the whole ruleset.
    pub rules: Vec<String>,
}

struct Rule {
    text: String,
    words: String,
}

fn rule(text: impl Into<String>, words: impl Into<String>) -> Rule {
    Rule { text: text.into(), words: words.into() }
}

impl Ruleset {
    /// The firewall that is wanted.
    #[must_use]
    pub fn of(wanted: &Wanted) -> Self {
        let chains = [("input", input(wanted)), ("forward", Vec::new()), ("output", output(wanted))];
        let mark = mark(&chains);
        // Emptied and filled in one transaction: there is no moment without it.
        let mut text = "table inet robocast\ndelete table inet robocast\ntable inet robocast {\n".to_owned();
        let mut standing = BTreeMap::new();
        for (hook, rules) in &chains {
            let _ = writeln!(
                text,
                "    chain {hook} {{\n        type filter hook {hook} priority filter; policy drop;"
            );
            let mut marked = Vec::new();
            for (number, Rule { text: rule, words }) in rules.iter().enumerate() {
                let words = if number == 0 { format!("{words} [{mark}]") } else { words.clone() };
                let _ = writeln!(text, "        {rule} comment \"{words}\"");
                marked.push(words);
            }
            text.push_str("    }\n");
            let chain = Chain { hook: (*hook).to_owned(), policy: "drop".to_owned(), rules: marked };
            standing.insert((*hook).to_owned(), chain);
        }
        text.push_str("}\n");
        Self { text, standing: Standing(standing) }
    }
}

fn mark(chains: &[(&str, Vec<Rule>)]) -> String {
    let mut hasher = DefaultHasher::new();
    for (hook, rules) in chains {
        hasher.write(hook.as_bytes());
        rules.iter().for_each(|rule| hasher.write(rule.text.as_bytes()));
    }
    format!("{:016x}", hasher.finish())
}

/// `ip` or `ip6`, and the network of an address.
fn of(own: Cidr) -> (&'static str, String) {
    let Network { address, prefix } = Network::of(own);
    (if address.is_ipv4() { "ip" } else { "ip6" }, format!("{address}/{prefix}"))
}

fn input(wanted: &Wanted) -> Vec<Rule> {
    let mut rules = vec![
        rule("ct state established,related accept", "answers to what was asked"),
        rule("ct state invalid drop", "parts of nothing"),
        rule("iif lo accept", "the robot's side itself"),
        rule(
            "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } \
             limit rate 20/second accept",
            "what IPv4 cannot live without",
        ),
        rule(
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, echo-request, \
             destination-unreachable, packet-too-big, time-exceeded, parameter-problem } \
             limit rate 50/second accept",
            "what IPv6 cannot live without",
        ),
        rule("ip protocol igmp limit rate 20/second accept", "switches ask who joined which group"),
    ];
    for (name, own) in &wanted.interfaces {
        let from = match own {
            Some(own) if own.address.is_ipv4() => format!("ip saddr {} ", of(*own).1),
            // Without an address there the network is not known.
            _ => String::new(),
        };
        rules.push(rule(
            format!("iifname \"{name}\" {from}ip daddr 224.0.0.0/4 meta l4proto udp accept"),
            format!("groups at {name}"),
        ));
        rules.push(rule(
            format!("iifname \"{name}\" ip6 daddr ff00::/8 meta l4proto udp accept"),
            format!("IPv6 groups at {name}"),
        ));
        let Some(own) = own else { continue };
        let (family, network) = of(*own);
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let ports = wanted.openings.iter().filter(|opening| opening.protocol == protocol);
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
    match &wanted.dhcp {
        Some((name, Dhcp::Client)) => rules.push(rule(
            format!("iifname \"{name}\" udp sport 67 udp dport 68 accept"),
            format!("answers of DHCP servers at {name}"),
        )),
        Some((name, Dhcp::Server)) => rules.push(rule(
            format!("iifname \"{name}\" udp sport 68 udp dport 67 limit rate 50/second accept"),
            format!("questions of DHCP clients at {name}"),
        )),
        _ => {}
    }
    rules
}

fn output(wanted: &Wanted) -> Vec<Rule> {
    let mut rules = vec![
        rule("oif lo accept", "the robot's side itself"),
        rule("ct state established,related accept", "answers to what was asked"),
    ];
    for (name, own) in &wanted.interfaces {
        if let Some(own) = own {
            let (family, network) = of(*own);
            rules.push(rule(
                format!("oifname \"{name}\" {family} daddr {network} accept"),
                format!("the robot's network at {name}"),
            ));
        }
        rules.push(rule(
            format!("oifname \"{name}\" ip daddr 224.0.0.0/4 accept"),
            format!("groups at {name}"),
        ));
        rules.push(rule(
            format!("oifname \"{name}\" ip6 daddr {{ fe80::/10, ff02::/16 }} accept"),
            format!("IPv6 neighbours at {name}"),
        ));
    }
    match &wanted.dhcp {
        Some((name, Dhcp::Client)) => rules.push(rule(
            format!("oifname \"{name}\" udp sport 68 udp dport 67 accept"),
            format!("questions to DHCP servers at {name}"),
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

    fn wanted(interfaces: &[(&str, Option<&str>)], dhcp: Option<Dhcp>, openings: &[&str]) -> Wanted {
        let own = |text: &str| text.parse().unwrap();
        Wanted {
            interfaces: interfaces.iter().map(|(name, text)| ((*name).to_owned(), text.map(own))).collect(),
            dhcp: dhcp.map(|dhcp| ("eth0".to_owned(), dhcp)),
            openings: openings.iter().map(|text| text.parse().unwrap()).collect(),
            robot: None,
        }
    }

    #[test]
    fn the_ruleset_of_a_go2_is_this() {
        let wanted =
            wanted(&[("eth0", Some("192.168.123.222/24"))], None, &["tcp/554", "udp/5004", "udp/5006"]);
        let text = Ruleset::of(&wanted).text;
        // The marks differ when anything does; which they are does not matter.
        let unmarked: String =
            text.split(" [").map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
        assert_eq!(unmarked, include_str!("firewall/go2.nft"), "{text}");
    }

    #[test]
    fn every_rule_change_changes_what_stands() {
        let fixed = [("eth0", Some("10.0.0.10/24"))];
        let all = [
            wanted(&[], None, &[]),
            wanted(&fixed, None, &[]),
            wanted(&fixed, None, &["tcp/1"]),
            wanted(&fixed, None, &["tcp/2"]),
            wanted(&[("eth0", Some("10.0.0.10/23"))], None, &[]),
            wanted(&[("eth0", Some("10.0.0.11/24"))], None, &["udp/1"]),
            wanted(&[("eth1", Some("10.0.0.10/24"))], None, &[]),
            wanted(&fixed, Some(Dhcp::Client), &[]),
            wanted(&fixed, Some(Dhcp::Server), &[]),
        ];
        for (number, one) in all.iter().enumerate() {
            for other in &all[..number] {
                assert_ne!(Ruleset::of(one).standing, Ruleset::of(other).standing);
            }
            assert_eq!(Ruleset::of(one), Ruleset::of(one));
        }
    }

    #[test]
    fn the_rest_is_dropped_in_every_direction() {
        for own in [None, Some("10.0.0.10/24"), Some("fd00::10/64")] {
            let ruleset = Ruleset::of(&wanted(&[("eth0", own)], Some(Dhcp::Client), &["udp/53"]));
            assert_eq!(ruleset.text.matches("policy drop").count(), 3);
            assert!(ruleset.standing.0["forward"].rules.is_empty());
            assert!(!ruleset.text.contains("saddr 0.0.0.0/0"));
        }
    }

    #[test]
    fn words_fit_into_nftables() {
        let ruleset = Ruleset::of(&wanted(&[("abcdefghijklmno", Some("10.0.0.10/24"))], None, &["udp/53"]));
        let longest = ruleset.standing.0.values().flat_map(|chain| &chain.rules).map(String::len).max();
        assert!(longest.is_some_and(|length| length < 128));
    }
}
