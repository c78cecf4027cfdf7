//! A stand-in of the net program on a test's bus.

use std::thread::JoinHandle;

use robocast_bus::{Evidence, NetStatus, client, server};
use tokio::sync::{mpsc, watch};
use zbus::connection::Builder;

use crate::bus::Bus;
use crate::two_ways::UPLINKS;

/// It is on the bus until dropped.
#[derive(Debug)]
pub struct Net {
    status: watch::Sender<NetStatus>,
    evidence: watch::Receiver<Vec<Evidence>>,
    thread: Option<JoinHandle<()>>,
    end: Option<mpsc::Sender<()>>,
}

impl Net {
    /// Chooses `chosen`, until a stream's connections show that it is bad: then the other.
    pub fn start(bus: &Bus, chosen: &str) -> Self {
        let address = bus.address();
        let first = NetStatus { chosen: chosen.to_owned(), proven: true, ..NetStatus::default() };
        let status = watch::Sender::new(first);
        let (seen, evidence) = watch::channel(Vec::new());
        let (end, mut ended) = mpsc::channel(1);
        let chooses = status.clone();
        let work = async move {
            let to_bus = move || Builder::address(address.as_str());
            let served = server::serve_net_on(to_bus.clone(), chooses.subscribe());
            let (tell, mut rows) = mpsc::unbounded_channel();
            let followed = client::follow_evidence_on(to_bus, tell);
            let judging = async {
                while let Some((_, rows)) = rows.recv().await {
                    chooses.send_if_modified(|status| judge(status, &rows));
                    seen.send_replace(rows);
                }
            };
            tokio::select! {
                () = served => panic!("the stand-in of net ended"),
                () = followed => {}
                () = judging => {}
                _ = ended.recv() => {}
            }
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work);
        });
        Self { status, evidence, thread: Some(thread), end: Some(end) }
    }

    /// Chooses another.
    pub fn choose(&self, chosen: &str) {
        self.status.send_modify(|status| status.chosen = chosen.to_owned());
    }

    /// Its choice.
    pub fn chosen(&self) -> String {
        self.status.borrow().chosen.clone()
    }

    /// The last state of the connections.
    pub fn evidence(&self) -> Vec<Evidence> {
        self.evidence.borrow().clone()
    }
}

fn judge(status: &mut NetStatus, rows: &[Evidence]) -> bool {
    let stalls = rows.iter().any(|row| row.stalled && row.interface == status.chosen);
    let other = UPLINKS.iter().find(|uplink| **uplink != status.chosen);
    match other {
        Some(other) if stalls => {
            status.chosen = (*other).to_owned();
            true
        }
        _ => false,
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
