//! A file, looped in real time.

use super::gst_source::{EncoderSlot, GstSource, source_end_of};
use super::{OpenError, RunningSource, SourceContext};
use crate::bitrate_control::BitrateControl;
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use crate::output::{SourceOutput, SourceUnit};
use gst::prelude::*;
use robocast_gst::pipeline::{self, Pipeline, PipelineError, PipelineEvent};
use robocast_video::h264::ParameterSets;
use std::path::Path;

/// A file that is played again and again. Its H.264 is taken as it is.
#[derive(Debug)]
pub struct FileSource(GstSource);

impl FileSource {
    /// Starts playing `path`.
    pub fn open(path: &Path, context: SourceContext<'_>) -> Result<Self, OpenError> {
        if !path.is_file() {
            return Err(OpenError::Device(format!("{} is not there", path.display())));
        }
        pipeline::init()?;
        let mut pipeline = Pipeline::parse(
            "filesrc name=file ! parsebin name=parse \
             parse. ! video/x-h264 ! h264parse config-interval=-1 \
             ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=true",
        )?;
        let file: gst::Element = pipeline.element("file")?;
        file.set_property("location", path.to_string_lossy().as_ref());
        let mut output = SourceOutput::coded(context.output.clone(), ParameterSets::default());
        // Shown in real time: a unit "arrives" when it is due.
        pipeline::on_units(pipeline.gst(), "out", move |unit| output.deliver(SourceUnit::whole(&unit)))?;
        pipeline.play()?;
        // A segment seek ends with SEGMENT_DONE instead of the end of the stream, and its running time continues
        // across the loop.
        let (state, ..) = pipeline.gst().state(gst::ClockTime::from_seconds(5));
        if state.is_err() {
            return Err(OpenError::Device(format!("{} cannot be played", path.display())));
        }
        seek_to_start(&pipeline, gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT)?;
        Ok(Self(GstSource::new(pipeline, Patience::SESSION, EncoderSlot::default())))
    }
}

impl RunningSource for FileSource {
    async fn run(&mut self) -> SourceEnd {
        loop {
            match self.0.next_event().await {
                PipelineEvent::SegmentDone => {
                    if let Err(error) = seek_to_start(self.0.pipeline(), gst::SeekFlags::SEGMENT) {
                        return SourceEnd::because(error.to_string());
                    }
                }
                event => return source_end_of(event),
            }
        }
    }

    fn patience(&self) -> Patience {
        self.0.patience()
    }

    fn control(&self) -> Option<BitrateControl> {
        None
    }

    async fn close(self) -> Result<(), PipelineError> {
        self.0.close().await
    }
}

fn seek_to_start(pipeline: &Pipeline, flags: gst::SeekFlags) -> Result<(), OpenError> {
    pipeline
        .gst()
        .seek(1.0, flags, gst::SeekType::Set, gst::ClockTime::ZERO, gst::SeekType::None, gst::ClockTime::NONE)
        .map_err(|_| OpenError::Device("the file cannot be looped: it has no index".into()))
}
