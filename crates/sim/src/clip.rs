//! A video file in memory, played in a loop.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;

use crate::access_unit::AccessUnit;
use crate::error::Error;

/// All access units of a file with their times, from its first keyframe on.
#[derive(Debug)]
pub struct Clip {
    units: Vec<Timed>,
    length: Duration,
}

/// An access unit, with the times when it is due to be sent and when it is shown.
#[derive(Clone, Debug)]
pub struct Timed {
    pub unit: AccessUnit,
    pub due: Duration,
    pub shown: Duration,
}

impl Clip {
    /// Reads the file once. Slices stay unchanged; parameter sets are put before each keyframe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        File::open(path).map_err(|error| Error::OpenFile(path.to_owned(), error))?;
        let pipeline = gst::parse::launch(
            "filesrc name=file ! parsebin name=parser ! video/x-h264 ! h264parse config-interval=-1 \
             ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=units sync=false",
        )
        .map_err(Error::Pipeline)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| Error::Start("not a pipeline".into()))?;
        if let Some(file) = pipeline.by_name("file") {
            file.set_property("location", path);
        }
        let units = collect(&pipeline).map_err(|detail| Error::ReadFile { path: path.to_owned(), detail });
        let _ = pipeline.set_state(gst::State::Null);
        Self::new(units?).ok_or_else(|| Error::NoKeyframe(path.to_owned()))
    }

    fn new(mut units: Vec<Timed>) -> Option<Self> {
        let keyframe = units.iter().position(|timed| timed.unit.is_keyframe())?;
        units.drain(..keyframe);
        let first = units.first()?.due;
        for timed in &mut units {
            timed.due = timed.due.saturating_sub(first);
            timed.shown = timed.shown.saturating_sub(first);
        }
        let last = units.last()?.due;
        let frame = match units.len() {
            1 => Duration::from_millis(40),
            count => last / (count as u32 - 1),
        };
        Some(Self { units, length: last + frame })
    }
}

fn collect(pipeline: &gst::Pipeline) -> Result<Vec<Timed>, String> {
    let sink = pipeline.by_name("units").and_downcast::<gst_app::AppSink>().ok_or("no sink")?;
    let bus = pipeline.bus().ok_or("no bus")?;
    pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
    let mut units = Vec::new();
    while !sink.is_eos() {
        if let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
            units.extend(timed(&sample, units.last()));
            continue;
        }
        if let Some(message) = bus.pop_filtered(&[gst::MessageType::Error])
            && let gst::MessageView::Error(error) = message.view()
        {
            return Err(error.error().to_string());
        }
        if bus.pop_filtered(&[gst::MessageType::Eos]).is_some() {
            break;
        }
    }
    Ok(units)
}

fn timed(sample: &gst::Sample, previous: Option<&Timed>) -> Option<Timed> {
    let buffer = sample.buffer()?;
    let bytes = buffer.map_readable().ok()?;
    let pts = buffer.pts().map(Duration::from);
    let due = buffer.dts().map(Duration::from).or(pts).or_else(|| previous.map(|timed| timed.due));
    let due = due.unwrap_or_default();
    Some(Timed { unit: AccessUnit::from_annex_b(&bytes), due, shown: pts.unwrap_or(due) })
}

/// Plays a clip in a loop; the times continue across the seam.
#[derive(Debug)]
pub struct Player {
    clip: Arc<Clip>,
    index: usize,
    turn_began: Duration,
}

impl Player {
    pub fn new(clip: Arc<Clip>) -> Self {
        Self { clip, index: 0, turn_began: Duration::ZERO }
    }

    /// When the next access unit is due.
    pub fn due(&self) -> Duration {
        self.turn_began + self.clip.units[self.index].due
    }

    pub fn advance(&mut self) -> Timed {
        let mut timed = self.clip.units[self.index].clone();
        timed.due += self.turn_began;
        timed.shown += self.turn_began;
        self.index += 1;
        if self.index == self.clip.units.len() {
            self.index = 0;
            self.turn_began += self.clip.length;
        }
        timed
    }

    /// Starts again with the first picture, without a jump in time.
    pub fn rewind(&mut self) {
        self.turn_began = self.due();
        self.index = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip() -> Clip {
        let unit = |stream: &[u8]| AccessUnit::from_annex_b(stream);
        let timed = |unit, millis| {
            let at = Duration::from_millis(millis);
            Timed { unit, due: at, shown: at }
        };
        Clip::new(vec![
            timed(unit(b"\0\0\x01\x41a"), 960),
            timed(unit(b"\0\0\x01\x65b"), 1000),
            timed(unit(b"\0\0\x01\x41c"), 1040),
            timed(unit(b"\0\0\x01\x41d"), 1080),
        ])
        .unwrap()
    }

    #[test]
    fn times_continue_across_the_seam() {
        let mut player = Player::new(Arc::new(clip()));
        let due: Vec<_> = (0..7)
            .map(|_| {
                let due = player.due();
                assert_eq!(player.advance().due, due);
                due.as_millis()
            })
            .collect();
        assert_eq!(due, [0, 40, 80, 120, 160, 200, 240]);
    }

    #[test]
    fn a_rewind_begins_with_the_keyframe_and_keeps_the_time() {
        let mut player = Player::new(Arc::new(clip()));
        player.advance();
        player.advance();
        player.rewind();
        assert_eq!(player.due().as_millis(), 80);
        assert!(player.advance().unit.is_keyframe());
        assert_eq!(player.due().as_millis(), 120);
    }

    #[test]
    fn footage_is_read_from_its_first_keyframe_on() {
        gst::init().unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/bigbuckbunny-720p25.mp4");
        let clip = Clip::read(Path::new(path)).unwrap();
        assert_eq!(clip.units.len(), 132);
        assert_eq!(clip.length.as_millis(), 5280);
        assert!(clip.units[0].unit.is_keyframe());
        assert_eq!(
            clip.units[0].unit.nals().map(crate::access_unit::nal_type).take(2).collect::<Vec<_>>(),
            [7, 8]
        );
    }

    #[test]
    fn a_file_without_video_is_refused_with_a_hint() {
        gst::init().unwrap();
        let error = Clip::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap_err();
        assert!(error.to_string().contains("give a file with H.264"), "{error}");
        let error = Clip::read(Path::new("/nowhere.mp4")).unwrap_err();
        assert!(error.to_string().contains("give a readable video file"), "{error}");
    }
}
