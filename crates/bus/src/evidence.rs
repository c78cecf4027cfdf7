//! What the connections of a push program show of the uplinks they go through.

use serde::{Deserialize, Serialize};

/// What one way of one sink's connection shows. A connection over several uplinks (MPTCP) has a row for
/// each of them that carries something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The sink, without keys and passwords.
    pub url: String,
    /// The interface that this way goes through.
    pub interface: String,
    /// Whether the connection is a true MPTCP one, which the kernel moves from uplink to uplink.
    pub mptcp: bool,
    /// Nothing comes through: what was sent is not acknowledged, or a server does not answer at all.
    pub stalled: bool,
    /// For how long; 0 unless stalled.
    pub stalled_ms: u32,
    /// The round trip as TCP smooths it, in ms; 0 while unknown.
    pub rtt_ms: u32,
}

/// URL, interface, MPTCP, stalled, for so many ms, round trip in ms.
pub(crate) type EvidenceRow = (String, String, bool, bool, u32, u32);

impl From<EvidenceRow> for Evidence {
    fn from((url, interface, mptcp, stalled, stalled_ms, rtt_ms): EvidenceRow) -> Self {
        Self { url, interface, mptcp, stalled, stalled_ms, rtt_ms }
    }
}

impl From<&Evidence> for EvidenceRow {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { url, interface, mptcp, stalled, stalled_ms, rtt_ms } = evidence.clone();
        (url, interface, mptcp, stalled, stalled_ms, rtt_ms)
    }
}

/// Whether `now` says something that one who knows `before` should hear at once: another way, a stall that
/// began, lasts or ended, a round trip that is quite another. Its jitter is not worth a signal.
#[must_use]
pub fn worth_telling(before: &[Evidence], now: &[Evidence]) -> bool {
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
    fn a_row_comes_back_as_it_was() {
        let evidence = Evidence {
            url: "rtmp://host/live/***".into(),
            interface: "wlan0".into(),
            mptcp: true,
            stalled: true,
            stalled_ms: 900,
            rtt_ms: 40,
        };
        assert_eq!(Evidence::from(EvidenceRow::from(&evidence)), evidence);
    }

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
            assert_eq!(worth_telling(&before, &now), told, "{before:?} {now:?}");
        }
    }
}
