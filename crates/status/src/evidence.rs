//! What the connections of a push program show of the uplinks that they use.

use serde::{Deserialize, Serialize};

/// What one sink's connection shows of one uplink. A connection over several uplinks (MPTCP) has a row for each of
/// them that carries something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The sink, without keys and passwords.
    pub url: String,
    /// The interface.
    pub interface: String,
    /// Whether the connection is a true MPTCP one, which the kernel moves from uplink to uplink.
    pub mptcp: bool,
    /// Nothing gets through: the sent data is not acknowledged, or a server does not answer at all.
    pub stalled: bool,
    /// For how long; 0 unless stalled.
    pub stalled_ms: u32,
    /// The round trip as TCP smooths it, in ms; 0 while unknown.
    pub rtt_ms: u32,
}

/// Whether the change from `before` to `now` deserves an immediate signal: a different interface, a stall that starts,
/// continues or ends, or a round trip that moved by more than 10 ms and a quarter. Jitter is ignored.
#[must_use]
pub fn deserves_signal(before: &[Evidence], now: &[Evidence]) -> bool {
    let same = |a: &Evidence, b: &Evidence| {
        let much = a.rtt_ms.abs_diff(b.rtt_ms) > 10 + a.rtt_ms / 4;
        let rest = |e: &Evidence| Evidence { rtt_ms: 0, ..e.clone() };
        rest(a) == rest(b) && !much
    };
    before.len() != now.len() || before.iter().zip(now).any(|(a, b)| !same(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_and_jitter_is_not() {
        let row = |interface: &str, stalled_ms, rtt_ms| {
            let stalled = stalled_ms > 0;
            vec![Evidence { interface: interface.into(), stalled, stalled_ms, rtt_ms, ..Evidence::default() }]
        };
        let cases = [
            (row("wlan0", 0, 40), row("wlan0", 0, 55), false),
            (row("wlan0", 0, 40), row("wlan0", 0, 90), true),
            (row("wlan0", 0, 40), row("wlan0", 800, 40), true),
            (row("wlan0", 800, 40), row("wlan0", 900, 40), true),
            (row("wlan0", 900, 40), row("wlan0", 0, 40), true),
            (row("wlan0", 0, 40), row("wwan0", 0, 40), true),
            (row("wlan0", 0, 40), vec![], true),
        ];
        for (before, now, told) in cases {
            assert_eq!(deserves_signal(&before, &now), told, "{before:?} {now:?}");
        }
    }
}
