//! A file, looped in real time.

use super::{OpenError, Source};
use crate::output::{CameraContext, SourceOutput, SourceUnit};
use gst::prelude::*;
use robocast_gst::pipeline::{self, Pipeline};
use robocast_video::h264::ParameterSets;
use std::path::Path;

/// Plays `path` for ever. Its H.264 is taken as it is.
pub fn open(path: &Path, shared: &CameraContext) -> Result<Source, OpenError> {
    if !path.is_file() {
        return Err(OpenError::Device(format!("{} is not there", path.display())));
    }
    pipeline::init()?;
    let mut pipeline = Pipeline::parse(
        "filesrc name=file ! parsebin name=parse \
         parse. ! video/x-h264 ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au \
         ! appsink name=out sync=true",
    )?;
    let file: gst::Element = pipeline.element("file")?;
    file.set_property("location", path.to_string_lossy().as_ref());
    let mut output = SourceOutput::coded(shared.clone(), ParameterSets::default());
    pipeline::on_units(pipeline.gst(), "out", move |unit| {
        // Shown in real time: it "arrives" when it is due.
        output.take(SourceUnit::whole(&unit));
    })?;
    pipeline.play()?;
    // A segment seek ends with SEGMENT_DONE instead of the end of the stream, and its running time
    // goes on across the loop.
    let (state, ..) = pipeline.gst().state(gst::ClockTime::from_seconds(5));
    if state.is_err() {
        return Err(OpenError::Device(format!("{} cannot be played", path.display())));
    }
    seek(&pipeline, gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT)?;
    Ok(Source::looped(pipeline))
}

/// Back to the start.
pub fn rewind(pipeline: &Pipeline) -> Result<(), String> {
    seek(pipeline, gst::SeekFlags::SEGMENT).map_err(|error| error.to_string())
}

fn seek(pipeline: &Pipeline, flags: gst::SeekFlags) -> Result<(), OpenError> {
    pipeline
        .gst()
        .seek(1.0, flags, gst::SeekType::Set, gst::ClockTime::ZERO, gst::SeekType::None, gst::ClockTime::NONE)
        .map_err(|_| OpenError::Device("the file cannot be looped: it has no index".into()))
}
