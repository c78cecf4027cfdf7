//! The sources of video: robots and cameras.
//!
//! A source delivers units to its [`SourceOutput`](crate::output::SourceOutput) and returns only when it cannot
//! continue. It does not detect silence; the camera's loop does.
//!
//! | module | sources |
//! |---|---|
//! | `rtp` | `go2:`, `rtp://`: packets from a socket |
//! | `rtsp` | `rtsp://`, `rtsps://`: over TCP without GStreamer, or through `rtspsrc` |
//! | `capture` | `v4l2:`, `libcamera:`, `argus:`, `test:` |
//! | `file` | `file:`, looped |
//! | `gst_source` | the common part of the sources in a GStreamer pipeline |

mod capture;
mod file;
mod gst_source;
mod rtp;
mod rtsp;
#[cfg(test)]
mod testing;

pub use capture::{CaptureFormat, CaptureMode, choose_format};

use crate::bitrate_control::BitrateControl;
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use crate::output::CameraContext;
use gst_source::GstSource;
use robocast_config::{self as config, Settings, Stream};
use robocast_gst::encoder::{Encoder, EncodingTarget, NoEncoder};
use robocast_gst::pipeline::PipelineError;
use std::io;

/// A source that is open.
pub trait RunningSource: Send + 'static {
    /// Works until it cannot continue; returns the reason. Cancel safe: received data is not lost.
    fn run(&mut self) -> impl Future<Output = SourceEnd> + Send;

    /// How long it may be silent.
    fn patience(&self) -> Patience;

    /// The control of its bitrate; `None` where its H.264 is passed through unchanged, or not known yet.
    fn control(&self) -> Option<BitrateControl>;

    /// Closes it.
    ///
    /// # Errors
    /// When it does not stop in time. The process must then end.
    fn close(self) -> impl Future<Output = Result<(), PipelineError>> + Send;
}

/// How a source is opened: the part that may differ between openings.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// How many openings in a row gave no frame; sources then try another way.
    pub fruitless: u32,
    /// How raw pictures are encoded.
    pub target: EncodingTarget,
}

/// The arguments for opening a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceContext<'a> {
    /// All settings.
    pub settings: &'a Settings,
    /// Those of its stream.
    pub stream: &'a Stream,
    /// Where its units are sent.
    pub output: &'a CameraContext,
    /// The difference from the previous opening.
    pub attempt: Attempt,
}

/// A source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The network interface does not exist (yet).
    #[error(
        "interface `{0}` does not exist; name the one on the robot's side in `[robot] interface` or `?interface=`"
    )]
    NoInterface(String),
    /// The socket cannot be made.
    #[error("cannot listen on {address}")]
    Socket {
        /// The address to listen on.
        address: String,
        #[source]
        source: io::Error,
    },
    /// The pipeline cannot be made or started.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Raw video, and nothing here encodes it.
    #[error(transparent)]
    NoEncoder(#[from] NoEncoder),
    /// The device is not there (yet).
    #[error("{0}")]
    Device(String),
    /// The root certificates for a camera over TLS cannot be used.
    #[error("the root certificates cannot be used: {0}")]
    Roots(String),
    /// This version cannot do it.
    #[error("this version has no `{0}` source")]
    Unsupported(&'static str),
}

impl OpenError {
    /// Whether waiting may help. Otherwise somebody must act.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Unsupported(_) | Self::NoEncoder(_))
    }
}

/// A source of the settings that is open.
#[derive(Debug)]
pub struct OpenSource(Kind);

#[derive(Debug)]
enum Kind {
    Rtp(Box<rtp::RtpSocketSource>),
    RtspTcp(Box<rtsp::RtspTcpSource>),
    Gst(GstSource),
    File(file::FileSource),
}

impl OpenSource {
    /// Opens the source of a stream.
    ///
    /// # Errors
    /// When it cannot be opened now, or never.
    pub fn open(context: SourceContext<'_>) -> Result<Self, OpenError> {
        let kind = match &context.stream.source {
            config::Source::Go2 { interface } => {
                Kind::Rtp(Box::new(rtp::open_go2(interface.as_deref(), context)?))
            }
            config::Source::Rtp(source) => Kind::Rtp(Box::new(rtp::open_rtp(source, context)?)),
            config::Source::Rtsp(source) => match rtsp::choose_client(source, context.attempt.fruitless) {
                rtsp::RtspClient::Plain => {
                    let url = source.url.expose().clone();
                    Kind::RtspTcp(Box::new(rtsp::RtspTcpSource::new(url, context.output)))
                }
                rtsp::RtspClient::Gst(protocols) => {
                    Kind::Gst(rtsp::open_with_gstreamer(source, protocols, context)?)
                }
            },
            config::Source::V4l2 { device } => Kind::Gst(capture::open_v4l2(device, context)?),
            config::Source::Libcamera { camera } => Kind::Gst(capture::open_libcamera(camera, context)?),
            config::Source::Argus { sensor } => Kind::Gst(capture::open_argus(*sensor, context)?),
            config::Source::Test { pattern } => Kind::Gst(capture::open_test(pattern.as_deref(), context)?),
            config::Source::File { path } => Kind::File(file::FileSource::open(path, context)?),
            config::Source::Spot => return Err(OpenError::Unsupported("spot:")),
        };
        Ok(Self(kind))
    }
}

impl RunningSource for OpenSource {
    async fn run(&mut self) -> SourceEnd {
        match &mut self.0 {
            Kind::Rtp(source) => source.run().await,
            Kind::RtspTcp(source) => source.run().await,
            Kind::Gst(source) => source.run().await,
            Kind::File(source) => source.run().await,
        }
    }

    fn patience(&self) -> Patience {
        match &self.0 {
            Kind::Rtp(source) => source.patience(),
            Kind::RtspTcp(source) => source.patience(),
            Kind::Gst(source) => source.patience(),
            Kind::File(source) => source.patience(),
        }
    }

    fn control(&self) -> Option<BitrateControl> {
        match &self.0 {
            Kind::Rtp(source) => source.control(),
            Kind::RtspTcp(source) => source.control(),
            Kind::Gst(source) => source.control(),
            Kind::File(source) => source.control(),
        }
    }

    async fn close(self) -> Result<(), PipelineError> {
        match self.0 {
            Kind::Rtp(source) => source.close().await,
            Kind::RtspTcp(source) => source.close().await,
            Kind::Gst(source) => source.close().await,
            Kind::File(source) => source.close().await,
        }
    }
}

/// The best encoder that opens, or the next one after each fruitless opening.
fn choose_encoder(attempt: Attempt) -> Result<Encoder, OpenError> {
    let available = Encoder::available()?;
    Ok(available[attempt.fruitless as usize % available.len()])
}
