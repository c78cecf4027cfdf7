//! One RTSP path: its feed, its counts, and its faults.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gst::prelude::*;
use gst_rtsp_server::RTSPMedia;
use gst_rtsp_server::prelude::*;

use crate::clip::Timed;
use crate::command::Fault;
use crate::error::Error;
use crate::fault::{Injector, Reach};
use crate::feed::{Feed, Footage, Sink};
use crate::pattern::Size;
use crate::slice_log::SliceLog;

/// The counts of what a path has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub access_units: u64,
    pub slices: u64,
    pub packets: u64,
    pub bytes: u64,
    pub dropped: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.access_units += other.access_units;
        self.slices += other.slices;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.dropped += other.dropped;
    }
}

/// A path of the server; its feed runs while a `RTSPMedia` is open.
pub struct Mount {
    stage: Mutex<Stage>,
    closed: Condvar,
    journal: Mutex<Journal>,
    wire: Mutex<Wire>,
}

struct Stage {
    footage: Footage,
    frozen: bool,
    /// The feed, and the number of the media that it belongs to.
    feed: Option<(u64, Feed)>,
    medias: u64,
}

struct Journal {
    log: Option<SliceLog>,
    access_units: u64,
    slices: u64,
}

struct Wire {
    injector: Injector,
    packets: u64,
    bytes: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mount {
    pub fn new(footage: Footage, log: Option<&Path>, seed: u64) -> Result<Arc<Self>, Error> {
        let log = log
            .map(|path| SliceLog::open(path).map_err(|error| Error::OpenLog(path.to_owned(), error)))
            .transpose()?;
        Ok(Arc::new(Self {
            stage: Mutex::new(Stage { footage, frozen: false, feed: None, medias: 0 }),
            closed: Condvar::new(),
            journal: Mutex::new(Journal { log, access_units: 0, slices: 0 }),
            wire: Mutex::new(Wire { injector: Injector::new(seed, Reach::Payload), packets: 0, bytes: 0 }),
        }))
    }

    /// Feeds a new media until it is unprepared.
    pub fn open(
        self: &Arc<Self>,
        media: &RTSPMedia,
        failed: impl FnOnce(Error) + Send + 'static,
    ) -> Result<(), Error> {
        let bin = media
            .element()
            .downcast::<gst::Bin>()
            .map_err(|_| Error::Start("the media is not a bin".into()))?;
        let source = bin.by_name("units").and_downcast::<gst_app::AppSrc>();
        let source = source.ok_or_else(|| Error::Start("the media has no source".into()))?;
        if let Some(pad) = bin.by_name("pay0").and_then(|payloader| payloader.static_pad("src")) {
            let mount = self.clone();
            pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
                lock(&mount.wire).pass(info)
            });
        }
        let mut stage = lock(&self.stage);
        stage.medias += 1;
        let number = stage.medias;
        let sink = Source { source, mount: self.clone() };
        stage.feed = Some((number, Feed::start(&stage.footage, stage.frozen, sink, failed)?));
        let mount = Arc::downgrade(self);
        media.connect_unprepared(move |_| {
            if let Some(mount) = mount.upgrade() {
                mount.close(number);
            }
        });
        Ok(())
    }

    fn close(&self, number: u64) {
        let mut stage = lock(&self.stage);
        if stage.feed.as_ref().is_some_and(|(of, _)| *of == number) {
            stage.feed = None;
        }
        self.closed.notify_all();
    }

    pub fn wait_until_closed(&self, deadline: Instant) {
        let mut stage = lock(&self.stage);
        while stage.feed.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            stage = self.closed.wait_timeout(stage, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn freeze(&self, frozen: bool) {
        let mut stage = lock(&self.stage);
        stage.frozen = frozen;
        if let Some((_, feed)) = &stage.feed {
            feed.freeze(frozen);
        }
    }

    pub fn resize(&self, size: Size) {
        let mut stage = lock(&self.stage);
        if let Footage::Pattern(coding) = &mut stage.footage {
            coding.size = size;
        }
        if let Some((_, feed)) = &stage.feed {
            feed.resize(size);
        }
    }

    pub fn put(&self, fault: Fault) {
        fault.put(&mut lock(&self.wire).injector.faults);
    }

    pub fn counts(&self) -> Counts {
        let (journal, wire) = (lock(&self.journal), lock(&self.wire));
        Counts {
            access_units: journal.access_units,
            slices: journal.slices,
            packets: wire.packets,
            bytes: wire.bytes,
            dropped: wire.injector.dropped,
        }
    }
}

/// Pushes access units into a media.
struct Source {
    source: gst_app::AppSrc,
    mount: Arc<Mount>,
}

impl Sink for Source {
    fn deliver(&mut self, timed: &Timed) -> Result<(), Error> {
        let mut buffer = gst::Buffer::from_slice(timed.unit.annex_b());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::try_from(timed.shown).ok());
            buffer.set_dts(gst::ClockTime::try_from(timed.due).ok());
            if !timed.unit.is_keyframe() {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        // The push is refused while the media closes: nobody is watching.
        if self.source.push_buffer(buffer).is_err() {
            return Ok(());
        }
        let mut journal = lock(&self.mount.journal);
        let sequence = journal.access_units;
        journal.access_units += 1;
        journal.slices += timed.unit.slices().count() as u64;
        match &mut journal.log {
            Some(log) => log
                .append(sequence, &timed.unit)
                .map_err(|error| Error::WriteLog(log.path().to_owned(), error)),
            None => Ok(()),
        }
    }
}

impl Wire {
    fn pass(&mut self, info: &mut gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
        let faulty = self.injector.faults.any();
        if let Some(list) = info.buffer_list_mut() {
            if faulty {
                *list = list.iter_owned().flat_map(|buffer| self.damage(&buffer)).collect();
            }
            self.packets += list.len() as u64;
            self.bytes += list.calculate_size() as u64;
            return if list.is_empty() { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok };
        }
        if let Some(buffer) = info.buffer_mut() {
            if faulty {
                match self.damage(buffer).pop() {
                    Some(damaged) => *buffer = damaged,
                    None => return gst::PadProbeReturn::Drop,
                }
            }
            self.packets += 1;
            self.bytes += buffer.size() as u64;
        }
        gst::PadProbeReturn::Ok
    }

    /// Returns no packet or one; this robot rejects faults that produce several.
    fn damage(&mut self, buffer: &gst::BufferRef) -> Vec<gst::Buffer> {
        let Ok(packet) = buffer.map_readable().map(|map| map.to_vec()) else { return Vec::new() };
        let mut out = Vec::new();
        self.injector.pass(packet, &mut out);
        out.into_iter()
            .map(|packet| {
                let mut damaged = gst::Buffer::from_mut_slice(packet);
                if let Some(damaged) = damaged.get_mut() {
                    let _ = buffer.copy_into(
                        damaged,
                        gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS,
                        ..,
                    );
                }
                damaged
            })
            .collect()
    }
}
