//! The source of the camera's loop: being opened, or open with the transcoder beside it.

use super::environment::SourceOpener;
use crate::bitrate_control::BitrateControl;
use crate::lifecycle::{LifecycleEvent, OpenFailure};
use crate::liveness::Patience;
use crate::output::CameraContext;
use crate::source::{Attempt, OpenError, RunningSource, SourceContext};
use crate::transcoder::Transcoder;
use robocast_config::Settings;
use robocast_daemon::journal;
use robocast_gst::encoder::{Encoder, EncodingTarget};
use robocast_gst::pipeline::PipelineError;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a transcoder may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The loop's handle of the source.
pub(super) enum SourceTask<S> {
    Closed,
    Opening(JoinHandle<Result<S, OpenError>>),
    Open { source: S, transcoder: Option<Transcoder> },
}

impl<S: RunningSource> SourceTask<S> {
    /// Starts to open the source. Devices and GStreamer may block: on a separate thread.
    pub fn open(
        opener: &SourceOpener<S>,
        settings: &Settings,
        context: &CameraContext,
        attempt: Attempt,
    ) -> Self {
        let (opener, settings, context) = (opener.clone(), settings.clone(), context.clone());
        Self::Opening(tokio::task::spawn_blocking(move || {
            let (stream, output) = (context.stream.clone(), &context);
            opener(SourceContext { settings: &settings, stream: &stream, output, attempt })
        }))
    }

    /// Lets the source work; returns its first event. Cancel safe.
    pub async fn next_event(&mut self) -> LifecycleEvent {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Opening(opening) => {
                let opened = match opening.await {
                    Ok(opened) => opened,
                    Err(panic) => Err(OpenError::Device(panic.to_string())),
                };
                match opened {
                    Ok(source) => {
                        *self = Self::Open { source, transcoder: None };
                        LifecycleEvent::Opened(Ok(()))
                    }
                    Err(error) => {
                        *self = Self::Closed;
                        let failure = OpenFailure { why: journal::chain(&error), may_pass: error.may_pass() };
                        LifecycleEvent::Opened(Err(failure))
                    }
                }
            }
            Self::Open { source, transcoder } => tokio::select! {
                end = source.run() => LifecycleEvent::SourceEnded(end),
                why = run_transcoder(transcoder.as_mut()) => LifecycleEvent::TranscoderFailed(why),
            },
        }
    }

    /// How long the open source may be silent.
    pub fn patience(&self) -> Option<Patience> {
        match self {
            Self::Open { source, .. } => Some(source.patience()),
            Self::Closed | Self::Opening(_) => None,
        }
    }

    /// What changes the bitrate: the transcoder's encoder, or the source's.
    pub fn control(&self) -> Option<BitrateControl> {
        match self {
            Self::Open { transcoder: Some(transcoder), .. } => Some(transcoder.control()),
            Self::Open { source, transcoder: None } => source.control(),
            Self::Closed | Self::Opening(_) => None,
        }
    }

    /// Starts a transcoder beside the open source, in place of the previous one, with the encoder that follows this
    /// many failed ones.
    ///
    /// # Errors
    /// The outer one when the transcoder before does not stop; the inner one, for people, when none starts.
    pub async fn start_transcoder(
        &mut self,
        context: &CameraContext,
        failed: usize,
        target: EncodingTarget,
    ) -> Result<Result<(), String>, PipelineError> {
        let Self::Open { transcoder, .. } = self else { return Ok(Err("no source is open".into())) };
        stop_transcoder(transcoder.take()).await?;
        let started = robocast_gst::pipeline::init().map_err(|e| journal::chain(&e)).and_then(|()| {
            let encoders = Encoder::available().map_err(|e| journal::chain(&e))?;
            let encoder = encoders[failed % encoders.len()];
            Transcoder::start(context, encoder, target).map_err(|e| journal::chain(&e))
        });
        Ok(started.map(|started| *transcoder = Some(started)))
    }

    /// Stops the transcoder and closes the source. One that is still being opened is abandoned.
    ///
    /// # Errors
    /// When one of them does not stop.
    pub async fn close(&mut self) -> Result<(), PipelineError> {
        match std::mem::replace(self, Self::Closed) {
            Self::Open { source, transcoder } => {
                stop_transcoder(transcoder).await?;
                source.close().await
            }
            Self::Closed | Self::Opening(_) => Ok(()),
        }
    }
}

/// Why the transcoder failed; never without one.
async fn run_transcoder(transcoder: Option<&mut Transcoder>) -> String {
    match transcoder {
        Some(transcoder) => transcoder.run().await,
        None => std::future::pending().await,
    }
}

async fn stop_transcoder(transcoder: Option<Transcoder>) -> Result<(), PipelineError> {
    match transcoder {
        Some(transcoder) => transcoder.stop(STOP_WITHIN).await,
        None => Ok(()),
    }
}
