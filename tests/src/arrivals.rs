//! When frames arrived at the server. nginx writes each frame to its recording as it arrives, so the growing file shows
//! it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::flv::Recording;
use crate::nginx::Nginx;
use crate::slices::{Sent, Slice, held_up};

/// Watches the recordings of one key.
#[derive(Debug)]
pub struct Arrivals<'a> {
    nginx: &'a Nginx,
    key: &'a str,
    files: BTreeMap<PathBuf, Recording>,
    /// Each frame's slices with the time at which the frame was first seen.
    seen: Vec<(Instant, Vec<Slice>)>,
}

impl<'a> Arrivals<'a> {
    /// Frames that arrive from now on.
    pub fn watch(nginx: &'a Nginx, key: &'a str) -> Self {
        let mut arrivals = Self { nginx, key, files: BTreeMap::new(), seen: Vec::new() };
        arrivals.look();
        arrivals.seen.clear();
        arrivals
    }

    /// Takes in the new data.
    pub fn look(&mut self) {
        for path in self.nginx.recordings(self.key) {
            let recording = self.files.entry(path.clone()).or_default();
            let known = recording.frames.len();
            recording.read_on(&path);
            let now = Instant::now();
            self.seen.extend(recording.frames[known..].iter().map(|frame| (now, frame.slices.clone())));
        }
    }

    /// When frames made of these slices arrived.
    fn times(&self, of: &HashSet<Slice>) -> Vec<Instant> {
        let ours = |slices: &[Slice]| !slices.is_empty() && slices.iter().all(|slice| of.contains(slice));
        self.seen.iter().filter(|(_, slices)| ours(slices)).map(|(at, _)| *at).collect()
    }

    /// The longest time without a frame made of slices that `is_meant`, counted from `since`, beyond the robot's own
    /// delay. Known once `enough` frames came after that.
    ///
    /// # Errors
    /// How many came.
    pub fn silence(
        &self,
        since: Instant,
        sent: &[Sent],
        is_meant: impl Fn(&Slice) -> bool,
        enough: usize,
    ) -> Result<Duration, String> {
        let of = sent.iter().map(|sent| sent.slice).filter(is_meant).collect();
        let times: Vec<_> = self.times(&of).into_iter().filter(|at| *at >= since).collect();
        let gaps = std::iter::once(&since)
            .chain(&times)
            .zip(&times)
            .map(|(before, after)| (*after - *before).saturating_sub(held_up(sent, *before, *after)));
        let longest = gaps.enumerate().max_by_key(|(_, gap)| *gap);
        match longest {
            Some((index, gap)) if times.len() - index >= enough => Ok(gap),
            _ => Err(format!("{} frames since then", times.len())),
        }
    }
}
