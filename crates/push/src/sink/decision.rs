//! What becomes of a connection when it stalls, or another uplink was chosen. Pure.

use crate::transport::ConnectionHealth;
use std::time::Duration;

/// A connection through which nothing comes for so long is given up, whichever uplink it uses.
const HOPELESS: Duration = Duration::from_secs(5);

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionDecision {
    /// It stays.
    Keep,
    /// It works; a new one through the chosen uplink takes over from it, and nothing is lost.
    Replace,
    /// Nothing comes through, and there is another uplink: it is dropped at once.
    Abandon,
}

/// Decides about a connection. `chosen` is the interface of the uplink that was chosen; empty when none was.
pub fn decide(health: &ConnectionHealth, chosen: &str) -> ConnectionDecision {
    let reaches = chosen.is_empty() || health.uplinks.iter().any(|uplink| uplink == chosen);
    match (health.stalled, reaches) {
        (Some(silence), _) if silence >= HOPELESS => ConnectionDecision::Abandon,
        (Some(_), false) => ConnectionDecision::Abandon,
        (None, false) => ConnectionDecision::Replace,
        // The kernel repeats what was lost, and moves an MPTCP connection to the uplink of its that works.
        (_, true) => ConnectionDecision::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_where_it_works_and_leaves_what_was_not_chosen() {
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
            // MPTCP: the kernel moves it, unless it has no subflow through the chosen uplink.
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
