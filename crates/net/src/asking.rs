//! When which uplink is asked: those that the streams tell nothing of, ever slower, one question at a time each.

use crate::uplink::evidence::Probed;
use crate::uplink::probe::{self, Way};
use crate::uplink::wanted::Wanted;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// The questions.
#[derive(Debug, Default)]
pub struct Asking {
    uplinks: HashMap<String, Turn>,
    running: JoinSet<(String, Option<Probed>)>,
}

#[derive(Debug, Default)]
struct Turn {
    asked: u32,
    /// Not before this; none while a question is on its way.
    next: Option<Duration>,
}

impl Asking {
    /// Asks through those of `silent` whose turn it is.
    pub fn ask(&mut self, now: Duration, silent: &[String], ways: &[Way], wanted: &Wanted) {
        self.uplinks.retain(|name, turn| turn.next.is_none() || silent.contains(name));
        for way in ways.iter().filter(|way| silent.contains(&way.interface)) {
            let turn = self
                .uplinks
                .entry(way.interface.clone())
                .or_insert_with(|| Turn { asked: 0, next: Some(now) });
            if turn.next.is_none_or(|next| next > now) {
                continue;
            }
            turn.next = None;
            turn.asked += 1;
            let (way, targets, page) = (way.clone(), wanted.targets.clone(), wanted.probe.clone());
            self.running.spawn(async move {
                let probed = probe::ask(&way, &targets, page.as_ref()).await;
                (way.interface, probed)
            });
        }
    }

    /// The next answer; none where there was nothing to ask. Waits for ever while nothing is asked.
    pub async fn answer(&mut self, now: impl Fn() -> Duration, ways: &[Way]) -> Option<Probed> {
        let (interface, probed) = loop {
            match self.running.join_next().await {
                Some(Ok(answer)) => break answer,
                Some(Err(error)) => tracing::warn!("a probe ended: {error}"),
                None => std::future::pending().await,
            }
        };
        let metered = ways.iter().any(|way| way.interface == interface && way.metered);
        if let Some(turn) = self.uplinks.get_mut(&interface) {
            turn.next = Some(now() + probe::pause(turn.asked, metered));
        }
        probed
    }
}
