//! A GStreamer pipeline that says when it fails and never hangs its owner.

use bytes::Bytes;
use gst::prelude::*;
use robocast_video::clock::MonoTime;
use robocast_video::h264::AccessUnit;
use std::time::Duration;
use tokio::sync::mpsc;

/// An event of a pipeline that its owner must act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineEvent {
    /// An element failed; nothing more will come.
    Failed {
        /// The name of the element, as the description gave it.
        element: String,
        /// Its error message.
        message: String,
        /// The peer wants another user or password: trying again soon would only lock us out.
        unauthorized: bool,
    },
    /// The source ended.
    Ended,
    /// The segment was played to its end: time to seek back.
    SegmentDone,
}

/// A pipeline could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// GStreamer itself does not start.
    #[error("gstreamer does not start")]
    Init(#[source] gst::glib::Error),
    /// An element is not installed, or the description is wrong.
    #[error("cannot build the pipeline")]
    Build(#[source] gst::glib::Error),
    /// A named element is not what it should be.
    #[error("the pipeline has no {0}")]
    Missing(&'static str),
    /// GStreamer refused to do something.
    #[error("GStreamer refused to {0}")]
    Refused(&'static str),
    /// An element refused to start; the bus says why.
    #[error("the pipeline does not start{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Start(Option<String>),
    /// It did not stop in time: a driver or a peer does not answer.
    #[error("the pipeline does not stop")]
    Stuck,
}

/// Starts GStreamer in this process. Cheap when called again.
///
/// # Errors
/// When the library cannot start.
pub fn init() -> Result<(), PipelineError> {
    gst::init().map_err(PipelineError::Init)
}

/// A running or stopped pipeline on the axis of [`MonoTime`].
#[derive(Debug)]
pub struct Pipeline {
    pipeline: gst::Pipeline,
    events: mpsc::UnboundedReceiver<PipelineEvent>,
}

impl Pipeline {
    /// Builds a pipeline from a description in `gst-launch` words.
    ///
    /// # Errors
    /// When an element is missing or does not fit.
    pub fn parse(description: &str) -> Result<Self, PipelineError> {
        tracing::debug!(description, "building a pipeline");
        let element = gst::parse::launch(description).map_err(PipelineError::Build)?;
        let pipeline = element.downcast::<gst::Pipeline>().or_else(|single| {
            let pipeline = gst::Pipeline::new();
            pipeline.add(&single).map(|()| pipeline).map_err(|_| PipelineError::Missing("element"))
        })?;
        Ok(Self::from(pipeline))
    }

    /// The element that the description calls `name`.
    ///
    /// # Errors
    /// When there is none, or it is of another type.
    pub fn element<T: IsA<gst::Element>>(&self, name: &'static str) -> Result<T, PipelineError> {
        self.pipeline.by_name(name).and_then(|e| e.downcast::<T>().ok()).ok_or(PipelineError::Missing(name))
    }

    /// The pipeline itself, for seeking and for adding elements.
    #[must_use]
    pub fn gst(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// Starts it.
    ///
    /// # Errors
    /// When an element refuses at once.
    pub fn play(&mut self) -> Result<(), PipelineError> {
        if self.pipeline.set_state(gst::State::Playing).is_ok() {
            return Ok(());
        }
        let mut why = None;
        while let Ok(event) = self.events.try_recv() {
            if let PipelineEvent::Failed { element, message, .. } = event {
                why = Some(format!("{element}: {message}"));
            }
        }
        Err(PipelineError::Start(why))
    }

    /// The next event. Cancel safe.
    pub async fn next_event(&mut self) -> PipelineEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The bus lives as long as the pipeline does.
            None => std::future::pending().await,
        }
    }

    /// Stops it and frees what it holds.
    ///
    /// # Errors
    /// When it does not stop within `deadline`. The process is then not to be trusted any more.
    pub async fn stop(self, deadline: Duration) -> Result<(), PipelineError> {
        let pipeline = self.pipeline.clone();
        let stopping = tokio::task::spawn_blocking(move || pipeline.set_state(gst::State::Null).is_ok());
        match tokio::time::timeout(deadline, stopping).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(PipelineError::Stuck),
        }
    }
}

/// Calls `deliver` on a streaming thread for each access unit that reaches the appsink `name`.
///
/// # Errors
/// When there is no such appsink.
pub fn on_units(
    pipeline: &gst::Pipeline,
    name: &'static str,
    mut deliver: impl FnMut(AccessUnit) + Send + 'static,
) -> Result<(), PipelineError> {
    let sink = pipeline.by_name(name).and_then(|e| e.downcast::<gst_app::AppSink>().ok());
    let sink = sink.ok_or(PipelineError::Missing(name))?;
    let pipeline = pipeline.downgrade();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let arrived = MonoTime::now();
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let base = pipeline.upgrade().and_then(|p| p.base_time());
                if let Some(unit) = base.and_then(|base| unit_of(&sample, base, arrived)) {
                    deliver(unit);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    Ok(())
}

impl From<gst::Pipeline> for Pipeline {
    fn from(pipeline: gst::Pipeline) -> Self {
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let (sender, events) = mpsc::unbounded_channel();
        if let Some(bus) = pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                if let Some(event) = event_of(message) {
                    let _ = sender.send(event);
                }
                gst::BusSyncReply::Drop
            });
        }
        Self { pipeline, events }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // A pipeline freed while running would leave threads behind.
        if self.pipeline.current_state() != gst::State::Null {
            let _ = self.pipeline.set_state(gst::State::Null);
        }
    }
}

fn event_of(message: &gst::Message) -> Option<PipelineEvent> {
    match message.view() {
        gst::MessageView::Error(error) => {
            let element = error.src().map(|src| src.name().to_string()).unwrap_or_default();
            tracing::debug!(element, debug = ?error.debug(), "a pipeline failed");
            let said = error.error().message().to_owned();
            let message = match error.debug().as_deref().and_then(detail) {
                Some(detail) if !detail.starts_with(said.as_str()) => format!("{said} {detail}"),
                _ => said,
            };
            let unauthorized = error.error().matches(gst::ResourceError::NotAuthorized);
            Some(PipelineEvent::Failed { element, message, unauthorized })
        }
        gst::MessageView::Warning(warning) => {
            tracing::debug!(warning = %warning.error(), "a pipeline warns");
            None
        }
        gst::MessageView::Eos(_) => Some(PipelineEvent::Ended),
        gst::MessageView::SegmentDone(_) => Some(PipelineEvent::SegmentDone),
        _ => None,
    }
}

/// The sentence for people at the end of an error's debug text. One that could hold a URL, and with it a
/// password, is left out.
fn detail(debug: &str) -> Option<&str> {
    let (_, last) = debug.trim_end().rsplit_once('\n')?;
    (!last.is_empty() && !last.contains("://") && !last.contains('@')).then_some(last)
}

/// The access unit in `sample`, its times moved to the axis of [`MonoTime`].
fn unit_of(sample: &gst::Sample, base: gst::ClockTime, arrived: MonoTime) -> Option<AccessUnit> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let on_axis = |time: Option<gst::ClockTime>| {
        let running = segment.to_running_time_full(time?)?;
        let nanos = match running {
            gst::Signed::Positive(ahead) => base.nseconds().checked_add(ahead.nseconds())?,
            gst::Signed::Negative(behind) => base.nseconds().saturating_sub(behind.nseconds()),
        };
        Some(MonoTime(nanos))
    };
    let pts = on_axis(buffer.pts()).or_else(|| on_axis(buffer.dts())).unwrap_or(arrived);
    let dts = on_axis(buffer.dts()).unwrap_or(pts).min(pts);
    let data = Bytes::copy_from_slice(&buffer.map_readable().ok()?);
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    Some(AccessUnit { data, pts, dts, arrived, keyframe })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipeline_whose_element_fails_says_which_and_why() {
        init().unwrap();
        let mut pipeline = Pipeline::parse("filesrc name=disk location=/nonexistent/x ! fakesink").unwrap();
        let error = pipeline.play().unwrap_err();
        assert!(error.to_string().contains("disk"), "{error}");
    }

    #[tokio::test]
    async fn units_carry_times_on_the_monotonic_axis() {
        init().unwrap();
        let mut pipeline = Pipeline::parse(
            "videotestsrc is-live=true ! video/x-raw,width=64,height=64 ! openh264enc ! h264parse ! \
             video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false",
        )
        .unwrap();
        let (sender, mut units) = mpsc::unbounded_channel();
        on_units(pipeline.gst(), "out", move |unit| drop(sender.send(unit))).unwrap();
        pipeline.play().unwrap();
        let first = tokio::time::timeout(Duration::from_secs(10), units.recv()).await.unwrap().unwrap();
        assert!(first.keyframe);
        assert!(MonoTime::now().since(first.pts) < Duration::from_secs(10));
        pipeline.stop(Duration::from_secs(5)).await.unwrap();
    }

    #[test]
    fn the_detail_of_an_error_is_told_unless_it_may_hold_a_password() {
        let debug = "gstrtspsrc.c(8065): retrieve_sdp (): /GstPipeline:p/GstRTSPSrc:camera:\nFailed to connect. (Refused)";
        assert_eq!(detail(debug), Some("Failed to connect. (Refused)"));
        assert_eq!(detail("file.c(1): f ():\ncannot open rtsp://user:pass@host/x"), None);
        assert_eq!(detail("one line"), None);
    }

    #[test]
    fn a_description_with_an_element_that_is_not_there_is_an_error() {
        init().unwrap();
        assert!(matches!(Pipeline::parse("nosuchelement ! fakesink"), Err(PipelineError::Build(_))));
    }
}
