//! Plays a stream at its destination and reports how well it arrives.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;

use crate::args::ProbeArguments;
use crate::control::print_line;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::playback::Playback;
use crate::stamp;
use crate::tally::{self, Tally};

/// Pause between attempts to play a stream that does not exist yet.
const RETRY: Duration = Duration::from_millis(100);
/// How often a running probe checks for signals and the time limit.
const TICK: Duration = Duration::from_millis(100);

/// Watches the stream; true if at least one picture was decoded.
pub fn run(arguments: &ProbeArguments, lifetime: &Lifetime) -> Result<bool, Error> {
    let began = Instant::now();
    let watch = Arc::new(Watch {
        seen: Mutex::new(Seen { tally: Tally::new(began), last: None }),
        clock: arguments.clock,
    });
    let mut complaint = String::new();
    let ended = loop {
        let ended = attempt(arguments, &watch, began, lifetime)?;
        let may_retry = matches!(ended, Ended::Stream(_)) && watch.seen().tally.frames() == 0;
        if !may_retry || began.elapsed().as_secs_f64() >= arguments.wait || lifetime.has_ended() {
            break ended.text(&complaint);
        }
        if let Ended::Stream(reason) = ended {
            complaint = reason;
        }
        thread::park_timeout(RETRY);
    };
    let mut seen = watch.seen();
    let last = seen.last.take();
    let tally = std::mem::replace(&mut seen.tally, Tally::new(began));
    if let (Some(path), Some(sample)) = (&arguments.png, &last) {
        save(sample, path)?;
    }
    let (frames, first) = (tally.frames(), tally.first_frame_unix_millis());
    let report = tally.report(arguments.clock, &ended);
    match (arguments.json, arguments.until_first, first) {
        (true, ..) => print_line(&report.to_string()),
        (false, true, Some(millis)) => print_line(&millis.to_string()),
        _ => print_line(&tally::text(&report)),
    }
    Ok(frames > 0)
}

/// Why watching ended.
enum Ended {
    Time,
    Signal,
    /// The stream ended or failed.
    Stream(String),
    /// A retry would not help.
    Refused(String),
    NoPicture,
}

impl Ended {
    /// The text for the report; `complaint` is the error of the last attempt.
    fn text(&self, complaint: &str) -> String {
        match self {
            Self::Time => "time".into(),
            Self::Signal => "signal".into(),
            Self::Stream(reason) | Self::Refused(reason) => reason.clone(),
            Self::NoPicture if complaint.is_empty() => "no picture in time".into(),
            Self::NoPicture => format!("no picture in time; {complaint}"),
        }
    }
}

fn attempt(
    arguments: &ProbeArguments,
    watch: &Arc<Watch>,
    began: Instant,
    lifetime: &Lifetime,
) -> Result<Ended, Error> {
    let playback = Playback::new(&arguments.url, arguments.transport, arguments.insecure)?;
    let bus = playback.pipeline.bus().ok_or_else(|| Error::Start("no bus".into()))?;
    watch.attach(&playback, &bus, arguments.png.is_some());
    if playback.pipeline.set_state(gst::State::Playing).is_err() {
        let message = bus.pop_filtered(&[gst::MessageType::Error]);
        return Ok(message.map_or_else(|| Ended::Stream("cannot play".into()), |message| ended_by(&message)));
    }
    loop {
        let seen = watch.seen();
        let (first, frames) = (seen.tally.first_frame(), seen.tally.frames());
        drop(seen);
        let until = match first {
            Some(_) if arguments.until_first => return Ok(Ended::Time),
            Some(_) if arguments.frames.is_some_and(|wanted| frames >= wanted) => return Ok(Ended::Time),
            Some(first) => first + Duration::from_secs_f64(arguments.seconds),
            None => began + Duration::from_secs_f64(arguments.wait),
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(if first.is_some() { Ended::Time } else { Ended::NoPicture });
        }
        if lifetime.has_ended() {
            return Ok(Ended::Signal);
        }
        let timeout = gst::ClockTime::try_from(left.min(TICK)).ok();
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Application];
        if let Some(message) = bus.timed_pop_filtered(timeout, &kinds)
            && message.type_() != gst::MessageType::Application
        {
            return Ok(ended_by(&message));
        }
    }
}

fn ended_by(message: &gst::MessageRef) -> Ended {
    let gst::MessageView::Error(error) = message.view() else {
        return Ended::Stream("end of stream".into());
    };
    let error = error.error();
    let reason = format!("error: {error}");
    if error.matches(gst::ResourceError::NotAuthorized) {
        Ended::Refused(reason)
    } else {
        Ended::Stream(reason)
    }
}

struct Watch {
    seen: Mutex<Seen>,
    clock: bool,
}

struct Seen {
    tally: Tally,
    last: Option<gst::Sample>,
}

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attach(self: &Arc<Self>, playback: &Playback, bus: &gst::Bus, keep: bool) {
        let watch = self.clone();
        playback.coded.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if info.buffer().is_some_and(|buffer| !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)) {
                watch.seen().tally.keyframe();
            }
            gst::PadProbeReturn::Ok
        });
        let (watch, bus) = (self.clone(), bus.clone());
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if watch.picture(sample, keep) {
                let _ = bus.post(gst::message::Application::new(gst::Structure::new_empty("first-picture")));
            }
            Ok(gst::FlowSuccess::Ok)
        });
        playback.pictures.set_callbacks(callbacks.build());
    }

    /// Counts a decoded picture; true for the first.
    fn picture(&self, sample: gst::Sample, keep: bool) -> bool {
        let (at, unix_millis) = (Instant::now(), stamp::now());
        let read = read(&sample, self.clock);
        let mut seen = self.seen();
        let is_first = seen.tally.frame(at, unix_millis);
        if let Some((size, stamp)) = read {
            seen.tally.size = size;
            if let Some(stamp) = stamp {
                seen.tally.stamp(at, unix_millis, stamp);
            }
        }
        if keep {
            seen.last = Some(sample);
        }
        is_first
    }
}

type Stamp = Result<u64, stamp::Damage>;

/// The size of a picture and, if requested, its clock. Reads only the top rows.
fn read(sample: &gst::Sample, clock: bool) -> Option<((u32, u32), Option<Stamp>)> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let size = (info.width(), info.height());
    if !clock {
        return Some((size, None));
    }
    let plain = info.is_yuv() && info.comp_depth(0) == 8;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok();
    let stamp = frame.as_ref().filter(|_| plain).and_then(|frame| {
        let stride = usize::try_from(frame.plane_stride()[0]).ok()?;
        let luma = frame.plane_data(0).ok()?;
        Some(stamp::read(luma, stride, size.0 as usize, size.1 as usize))
    });
    Some((size, Some(stamp.unwrap_or(Err(stamp::Damage::TooSmall)))))
}

fn save(sample: &gst::Sample, path: &Path) -> Result<(), Error> {
    let failed = |detail: String| Error::Picture { path: path.to_owned(), detail };
    let caps = gst::Caps::new_empty_simple("image/png");
    let png = gst_video::convert_sample(sample, &caps, Some(gst::ClockTime::from_seconds(10)))
        .map_err(|error| failed(error.to_string()))?;
    let png = png.buffer().and_then(|buffer| buffer.map_readable().ok());
    let png = png.ok_or_else(|| failed("no picture came out".into()))?;
    File::create(path).and_then(|mut file| file.write_all(&png)).map_err(|error| failed(error.to_string()))
}
