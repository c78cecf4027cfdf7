//! What the streams show of each uplink, put together over streams and sinks. Pure.

use crate::uplink::evidence::Evidence;
use std::collections::BTreeMap;

/// The last word of every stream.
#[derive(Debug, Default)]
pub struct Flow(BTreeMap<String, Vec<robocast_bus::Evidence>>);

impl Flow {
    /// What a stream's connections show now; no rows when it has none.
    pub fn tell(&mut self, stream: String, rows: Vec<robocast_bus::Evidence>) {
        if rows.is_empty() {
            self.0.remove(&stream);
        } else {
            self.0.insert(stream, rows);
        }
    }

    /// One word an uplink: it stands still when all that goes through it does. A server that is down stands still too, but
    /// not those beside it.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut uplinks: BTreeMap<&str, Evidence> = BTreeMap::new();
        for row in self.0.values().flatten().filter(|row| !row.interface.is_empty()) {
            let evidence = uplinks.entry(&row.interface).or_insert_with(|| Evidence {
                interface: row.interface.clone(),
                stalled: true,
                stalled_ms: 0,
                rtt_ms: None,
                mptcp: row.mptcp,
            });
            evidence.stalled &= row.stalled;
            evidence.stalled_ms = evidence.stalled_ms.max(row.stalled_ms.into());
            let rtt = (row.rtt_ms > 0).then_some(u64::from(row.rtt_ms));
            evidence.rtt_ms = evidence.rtt_ms.into_iter().chain(rtt).min();
        }
        uplinks.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(interface: &str, stalled: bool, rtt_ms: u32) -> robocast_bus::Evidence {
        robocast_bus::Evidence {
            interface: interface.into(),
            stalled,
            stalled_ms: if stalled { 900 } else { 0 },
            rtt_ms,
            ..robocast_bus::Evidence::default()
        }
    }

    #[test]
    fn an_uplink_stands_still_when_all_of_it_does() {
        let mut flow = Flow::default();
        flow.tell("front".into(), vec![row("wlan0", true, 40), row("wlan0", false, 30)]);
        flow.tell("rear".into(), vec![row("wwan0", true, 0), row("", true, 0)]);
        let told: Vec<_> = flow.evidence().into_iter().map(|e| (e.interface, e.stalled, e.rtt_ms)).collect();
        assert_eq!(told, [("wlan0".into(), false, Some(30)), ("wwan0".to_owned(), true, None)]);
        flow.tell("front".into(), vec![row("wlan0", true, 40)]);
        assert!(flow.evidence().iter().all(|evidence| evidence.stalled));
        flow.tell("front".into(), vec![]);
        assert_eq!(flow.evidence().len(), 1, "a stream that is gone says nothing");
    }
}
