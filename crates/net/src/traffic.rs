//! The streams' evidence about each uplink, merged over streams and sinks. Pure.

use robocast_bus::Evidence;
use std::collections::BTreeMap;

/// The latest evidence of every stream.
#[derive(Debug, Default)]
pub struct Traffic(BTreeMap<String, Vec<Evidence>>);

impl Traffic {
    /// Replaces the evidence of a stream; no rows when it has no connection.
    pub fn record(&mut self, stream: String, rows: Vec<Evidence>) {
        if rows.is_empty() {
            self.0.remove(&stream);
        } else {
            self.0.insert(stream, rows);
        }
    }

    /// One row for each uplink: stalled if every connection through it is. A server that is down stalls its connections too, but
    /// not those to other servers.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut uplinks: BTreeMap<&str, Evidence> = BTreeMap::new();
        for row in self.0.values().flatten().filter(|row| !row.interface.is_empty()) {
            let merged = uplinks.entry(&row.interface).or_insert_with(|| Evidence {
                interface: row.interface.clone(),
                stalled: true,
                mptcp: row.mptcp,
                ..Evidence::default()
            });
            merged.stalled &= row.stalled;
            merged.stalled_ms = merged.stalled_ms.max(row.stalled_ms);
            let known = [merged.rtt_ms, row.rtt_ms].into_iter().filter(|rtt| *rtt > 0);
            merged.rtt_ms = known.min().unwrap_or_default();
        }
        uplinks.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(interface: &str, stalled: bool, rtt_ms: u32) -> Evidence {
        let stalled_ms = if stalled { 900 } else { 0 };
        Evidence { interface: interface.into(), stalled, stalled_ms, rtt_ms, ..Evidence::default() }
    }

    #[test]
    fn an_uplink_is_stalled_when_every_connection_through_it_is() {
        let mut traffic = Traffic::default();
        traffic.record("front".into(), vec![row("wlan0", true, 40), row("wlan0", false, 30)]);
        traffic.record("rear".into(), vec![row("wwan0", true, 0), row("", true, 0)]);
        let merged: Vec<_> =
            traffic.evidence().into_iter().map(|e| (e.interface, e.stalled, e.rtt_ms)).collect();
        assert_eq!(merged, [("wlan0".into(), false, 30), ("wwan0".to_owned(), true, 0)]);
        traffic.record("front".into(), vec![row("wlan0", true, 40)]);
        assert!(traffic.evidence().iter().all(|evidence| evidence.stalled));
        traffic.record("front".into(), vec![]);
        assert_eq!(traffic.evidence().len(), 1, "a stream without a connection shows nothing");
    }
}
