//! Decides about a connection that stalls, or when another uplink was chosen. Pure.

use crate::transport::ConnectionHealth;
use std::time::Duration;

/// A connection that is stalled for this long is abandoned, whichever uplink it uses.
const HOPELESS: Duration = Duration::from_secs(5);

/// The decision about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionDecision {
    /// Keep it.
    Keep,
    /// It works: hand over to a new one through the chosen uplink, without loss.
    Replace,
    /// Nothing comes through, and there is another uplink: drop it at once.
    Abandon,
}

/// Decides about a connection. `chosen` is the interface of the chosen uplink; empty if there is none.
pub fn decide(health: &ConnectionHealth, chosen: &str) -> ConnectionDecision {
    let reaches = chosen.is_empty() || health.uplinks.iter().any(|uplink| uplink == chosen);
    match (health.stalled, reaches) {
        (Some(silence), _) if silence >= HOPELESS => ConnectionDecision::Abandon,
        (Some(_), false) => ConnectionDecision::Abandon,
        (None, false) => ConnectionDecision::Replace,
        // The kernel retransmits what was lost, and moves an MPTCP connection to one of its uplinks that works.
        (_, true) => ConnectionDecision::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_if_it_works_and_leaves_an_uplink_that_is_not_chosen() {
        let health = |uplinks: &[&str], stalled: Option<u64>| ConnectionHealth {
            uplinks: uplinks.iter().map(|&uplink| uplink.to_owned()).collect(),
            mptcp: uplinks.len() > 1,
            stalled: stalled.map(Duration::from_millis),
            ..ConnectionHealth::default()
        };
        let cases = [
            (&["wlan0"][..], None, "wlan0", ConnectionDecision::Keep),
            (&["wlan0"], Some(900), "wlan0", ConnectionDecision::Keep),
            (&["wlan0"], Some(900), "", ConnectionDecision::Keep),
            (&["wlan0"], Some(900), "wwan0", ConnectionDecision::Abandon),
            (&["wlan0"], None, "wwan0", ConnectionDecision::Replace),
            (&["wlan0"], None, "", ConnectionDecision::Keep),
            (&["wlan0"], Some(5_000), "wlan0", ConnectionDecision::Abandon),
            // The kernel moves an MPTCP connection, unless it has no subflow through the chosen uplink.
            (&["wlan0", "wwan0"], None, "wwan0", ConnectionDecision::Keep),
            (&["wlan0", "wwan0"], Some(900), "wwan0", ConnectionDecision::Keep),
            (&["wlan0", "wwan0"], Some(900), "eth1", ConnectionDecision::Abandon),
            (&["wlan0", "wwan0"], None, "eth1", ConnectionDecision::Replace),
            (&["wlan0", "wwan0"], Some(5_000), "wwan0", ConnectionDecision::Abandon),
            // All its subflows are gone.
            (&[], Some(900), "wwan0", ConnectionDecision::Abandon),
        ];
        for (uplinks, stalled, chosen, expected) in cases {
            assert_eq!(
                decide(&health(uplinks, stalled), chosen),
                expected,
                "{uplinks:?} {stalled:?} {chosen}"
            );
        }
    }
}
