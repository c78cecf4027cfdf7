//! When which uplink is probed: those without traffic, ever less often, one probe at a time for each.

use crate::uplink::DesiredUplinks;
use crate::uplink::egress::Egress;
use crate::uplink::probe;
use crate::uplink::probe_outcome::ProbeOutcome;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// The schedule, and the probes that are running.
#[derive(Debug, Default)]
pub struct ProbeScheduler {
    uplinks: HashMap<String, ProbeSchedule>,
    running: JoinSet<(String, Option<ProbeOutcome>)>,
}

#[derive(Debug, Default)]
struct ProbeSchedule {
    /// The number of probes so far.
    probes: u32,
    /// The time of the next one; none while one is running.
    next: Option<Duration>,
}

impl ProbeScheduler {
    /// Starts the probes that are due. `without_traffic` are the interfaces to probe.
    pub fn start_due(
        &mut self,
        now: Duration,
        without_traffic: &[String],
        egresses: &[Egress],
        desired: &DesiredUplinks,
    ) {
        self.uplinks.retain(|name, schedule| schedule.next.is_none() || without_traffic.contains(name));
        for egress in egresses.iter().filter(|egress| without_traffic.contains(&egress.interface)) {
            let schedule = self
                .uplinks
                .entry(egress.interface.clone())
                .or_insert_with(|| ProbeSchedule { probes: 0, next: Some(now) });
            if schedule.next.is_none_or(|next| next > now) {
                continue;
            }
            schedule.next = None;
            schedule.probes += 1;
            let (egress, targets, page) = (egress.clone(), desired.targets.clone(), desired.probe.clone());
            self.running.spawn(async move {
                let outcome = probe::probe_uplink(&egress, &targets, page.as_ref()).await;
                (egress.interface, outcome)
            });
        }
    }

    /// The next outcome; `None` where there was nothing to probe. Waits forever while no probe is running.
    pub async fn next_outcome(
        &mut self,
        now: impl Fn() -> Duration,
        egresses: &[Egress],
    ) -> Option<ProbeOutcome> {
        let (interface, outcome) = loop {
            match self.running.join_next().await {
                Some(Ok(finished)) => break finished,
                Some(Err(error)) => tracing::warn!("a probe ended: {error}"),
                None => std::future::pending().await,
            }
        };
        let metered = egresses.iter().any(|egress| egress.interface == interface && egress.metered);
        if let Some(schedule) = self.uplinks.get_mut(&interface) {
            schedule.next = Some(now() + probe::probe_interval(schedule.probes, metered));
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplink::desired::ProbeTarget;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn an_uplink_without_traffic_is_probed_one_probe_at_a_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Some(listener.local_addr().unwrap().port());
        let desired = DesiredUplinks {
            targets: vec![ProbeTarget { host: "127.0.0.1".into(), port }],
            ..DesiredUplinks::default()
        };
        let egresses = [Egress { interface: "lo".into(), dns: Vec::new(), metered: false }];
        let silent = ["lo".to_owned()];
        let mut scheduler = ProbeScheduler::default();
        scheduler.start_due(s(0), &[], &egresses, &desired);
        assert_eq!(scheduler.running.len(), 0, "it has traffic");
        scheduler.start_due(s(0), &silent, &egresses, &desired);
        scheduler.start_due(s(9), &silent, &egresses, &desired);
        assert_eq!(scheduler.running.len(), 1, "one at a time");
        let outcome = scheduler.next_outcome(|| s(10), &egresses).await.unwrap();
        assert!(outcome.interface == "lo" && outcome.result.is_ok(), "{outcome:?}");
        scheduler.start_due(s(14), &silent, &egresses, &desired);
        assert_eq!(scheduler.running.len(), 0, "not yet");
        scheduler.start_due(s(15), &silent, &egresses, &desired);
        assert_eq!(scheduler.running.len(), 1, "5 s after the last one");
    }
}
