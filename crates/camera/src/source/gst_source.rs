//! A source in a GStreamer pipeline.

use super::RunningSource;
use crate::bitrate_control::{BitrateControl, EncoderControl};
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use robocast_gst::pipeline::{Pipeline, PipelineError, PipelineEvent};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The encoder of a pipeline; empty until it has one.
pub type EncoderSlot = Arc<OnceLock<EncoderControl>>;

/// A pipeline that sends its units to an output.
#[derive(Debug)]
pub struct GstSource {
    pipeline: Pipeline,
    patience: Patience,
    encoder: EncoderSlot,
}

impl GstSource {
    /// A pipeline that plays. Its builder may put its encoder into `encoder` later.
    pub fn new(pipeline: Pipeline, patience: Patience, encoder: EncoderSlot) -> Self {
        Self { pipeline, patience, encoder }
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The next event of the pipeline. Cancel safe.
    pub async fn next_event(&mut self) -> PipelineEvent {
        self.pipeline.next_event().await
    }
}

impl RunningSource for GstSource {
    async fn run(&mut self) -> SourceEnd {
        source_end_of(self.next_event().await)
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn control(&self) -> Option<BitrateControl> {
        self.encoder.get().cloned().map(BitrateControl::Encoder)
    }

    async fn close(self) -> Result<(), PipelineError> {
        self.pipeline.stop(Duration::from_secs(5)).await
    }
}

/// What a pipeline event means for a source.
pub fn source_end_of(event: PipelineEvent) -> SourceEnd {
    match event {
        PipelineEvent::Failed { element, message, unauthorized: true } => {
            SourceEnd::refused(format!("{element}: {message}: it wants another user name or password"))
        }
        PipelineEvent::Failed { element, message, unauthorized: false } => {
            SourceEnd::because(format!("{element}: {message}"))
        }
        PipelineEvent::Ended | PipelineEvent::SegmentDone => SourceEnd::because("the source ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_wants_another_password_is_told_from_one_that_fails() {
        let failed = |unauthorized| {
            let (element, message) = ("camera".to_owned(), "Unauthorized".to_owned());
            source_end_of(PipelineEvent::Failed { element, message, unauthorized })
        };
        assert_eq!(failed(false), SourceEnd::because("camera: Unauthorized"));
        let refused = failed(true);
        assert!(refused.refused && refused.why.contains("password"), "{refused:?}");
        assert!(!source_end_of(PipelineEvent::Ended).refused);
    }
}
