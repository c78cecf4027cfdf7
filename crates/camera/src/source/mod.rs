//! The sources: where a robot's or a camera's video comes from.
//!
//! Every source hands what it gets to an [`SourceOutput`](crate::output::SourceOutput) and is silent otherwise; it only speaks up when it can
//! go on no longer. A source that is merely quiet is the camera's loop to judge.

mod capture;
mod capture_format;
mod file;
mod rtp;
mod rtsp;
mod rtsp_tcp;

pub use capture_format::{CaptureFormat, Mode, choose};

use crate::output::CameraContext;
use robocast_config::{self as config, Settings, Stream};
use robocast_gst::encoder::{Encoder, NoEncoder, Target};
use robocast_gst::pipeline::{Pipeline, PipelineError, PipelineEvent};
use std::io;
use std::time::Duration;

/// A source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The network interface is not there (yet).
    #[error(
        "interface `{0}` does not exist; name the one on the robot's side in `[robot] interface` or `?interface=`"
    )]
    NoInterface(String),
    /// The socket cannot be made.
    #[error("cannot listen on {address}")]
    Socket {
        /// What was to be listened on.
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

/// An opened source.
#[derive(Debug)]
pub struct Source {
    kind: Kind,
    patience: Patience,
}

#[derive(Debug)]
enum Kind {
    RtspTcp(Box<rtsp_tcp::RtspTcpSource>),
    Rtp(Box<rtp::RtpSource>),
    Pipeline { pipeline: Pipeline, looped: bool },
}

/// Why a source could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// For people.
    pub why: String,
    /// The camera said no: asked again soon, it might lock us out.
    pub refused: bool,
}

impl Ended {
    /// An end after which opening it again may well help.
    #[must_use]
    pub fn because(why: String) -> Self {
        Self { why, refused: false }
    }
}

/// How a source is opened: what may differ from one try to the next.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// How many tries in a row came to nothing; sources use it to try another way.
    pub number: u32,
    /// What to encode to, when the source gives raw pictures.
    pub target: Target,
}

/// How long an open source may be silent before it is opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before its first frame.
    pub first: Duration,
    /// Between frames.
    pub next: Duration,
}

impl Patience {
    /// Packets come by themselves, and a socket that joined its group needs to be opened anew rarely: when
    /// the interface went away and came back.
    pub(crate) const PACKETS: Self = Self { first: Duration::from_secs(5), next: Duration::from_secs(2) };
    /// A session with a camera.
    const SESSION: Self = Self { first: Duration::from_secs(5), next: Duration::from_secs(3) };

    /// A camera whose pictures this process encodes. The `number`th try in a row gets more time than the one
    /// before: a board with much to do may need it, and would begin anew for ever.
    pub(crate) fn encoding(number: u32) -> Self {
        Self { first: Self::SESSION.first * (1 << number.min(3)), ..Self::SESSION }
    }
}

impl Source {
    /// Opens the source of `stream`.
    ///
    /// # Errors
    /// When it cannot be opened now, or never.
    pub fn open(
        settings: &Settings,
        stream: &Stream,
        shared: &CameraContext,
        attempt: Attempt,
    ) -> Result<Self, OpenError> {
        let robot_interface = settings.robot.interface.as_str();
        match &stream.source {
            config::Source::Go2 { interface } => {
                let interface = interface.as_deref().unwrap_or(robot_interface);
                Self::rtp(&rtp::go2(interface), stream, shared)
            }
            config::Source::Rtp(source) => Self::rtp(&rtp::plan(source, robot_interface), stream, shared),
            config::Source::Rtsp(source) => match rtsp::way(source, attempt.number) {
                rtsp::RtspClient::Plain => {
                    let source = rtsp_tcp::RtspTcpSource::new(source.url.expose().clone(), shared);
                    Ok(Self { kind: Kind::RtspTcp(Box::new(source)), patience: Patience::SESSION })
                }
                rtsp::RtspClient::Gst(protocols) => {
                    rtsp::open(source, protocols, settings, stream, shared, attempt)
                }
            },
            config::Source::V4l2 { device } => capture::v4l2(device, stream, shared, attempt),
            config::Source::Libcamera { camera } => capture::libcamera(camera, stream, shared, attempt),
            config::Source::Argus { sensor } => capture::argus(*sensor, stream, shared, attempt),
            config::Source::Test { pattern } => capture::test(pattern.as_deref(), stream, shared, attempt),
            config::Source::File { path } => file::open(path, shared),
            config::Source::Spot => Err(OpenError::Unsupported("spot:")),
        }
    }

    fn rtp(plan: &rtp::Plan, stream: &Stream, shared: &CameraContext) -> Result<Self, OpenError> {
        let source = rtp::RtpSource::open(plan, stream.jitter_buffer, shared)?;
        Ok(Self { kind: Kind::Rtp(Box::new(source)), patience: Patience::PACKETS })
    }

    fn pipeline(pipeline: Pipeline, patience: Patience) -> Self {
        Self { kind: Kind::Pipeline { pipeline, looped: false }, patience }
    }

    fn looped(pipeline: Pipeline) -> Self {
        Self { kind: Kind::Pipeline { pipeline, looped: true }, patience: Patience::SESSION }
    }

    /// Lets the source work until it cannot go on; says why. Cancel safe.
    pub async fn run(&mut self) -> Ended {
        match &mut self.kind {
            Kind::Rtp(source) => Ended::because(source.run().await),
            Kind::RtspTcp(source) => source.run().await,
            Kind::Pipeline { pipeline, looped } => loop {
                match pipeline.next_event().await {
                    PipelineEvent::Failed { unauthorized: true, element, message } => {
                        let why = format!("{element}: {message}: it wants another user name or password");
                        return Ended { why, refused: true };
                    }
                    PipelineEvent::Failed { element, message, .. } => {
                        return Ended::because(format!("{element}: {message}"));
                    }
                    PipelineEvent::SegmentDone if *looped => {
                        if let Err(why) = file::rewind(pipeline) {
                            return Ended::because(why);
                        }
                    }
                    PipelineEvent::Ended | PipelineEvent::SegmentDone => {
                        return Ended::because("the source ended".into());
                    }
                }
            },
        }
    }

    /// How long it may be silent.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Closes it.
    ///
    /// # Errors
    /// When it does not let go in time; the process is then best ended.
    pub async fn close(self) -> Result<(), PipelineError> {
        match self.kind {
            Kind::Rtp(_) | Kind::RtspTcp(_) => Ok(()),
            Kind::Pipeline { pipeline, .. } => pipeline.stop(Duration::from_secs(5)).await,
        }
    }
}

/// The encoder for the `number`th try: the best that opens, or the next one after each failure.
fn encoder_for(attempt: Attempt) -> Result<Encoder, OpenError> {
    let available = Encoder::available()?;
    Ok(available[attempt.number as usize % available.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_in_vain_gives_a_busy_board_more_time_for_its_first_picture() {
        let first = |number| Patience::encoding(number).first.as_secs();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(first), [5, 10, 20, 40, 40, 40]);
        assert_eq!(Patience::encoding(9).next, Patience::SESSION.next);
    }
}
