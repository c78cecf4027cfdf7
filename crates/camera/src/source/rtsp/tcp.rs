//! RTSP over TCP without GStreamer, by `retina`: the common case of a robot's camera, at a third of the cost. Its
//! RTP packets go to the same receiver as those of a socket.

use super::sdp;
use crate::bitrate_control::BitrateControl;
use crate::lifecycle::SourceEnd;
use crate::liveness::Patience;
use crate::output::{CameraContext, SourceOutput};
use crate::rtp::Receiver;
use crate::source::RunningSource;
use futures_util::StreamExt;
use retina::client::{
    Credentials, Described, PacketItem, PlayOptions, Playing, Session, SessionOptions, SetupOptions,
};
use robocast_config::Url;
use robocast_gst::pipeline::PipelineError;
use robocast_video::clock::MonoTime;
use std::pin::Pin;
use std::time::Duration;

/// How long a camera may take for each answer.
const ANSWER: Duration = Duration::from_secs(4);

/// A camera that is asked for its stream, or plays it.
pub struct RtspTcpSource {
    state: PlayState,
}

enum PlayState {
    /// Kept here, so that a request is not repeated when [`RunningSource::run`] is cancelled.
    Connecting(Pin<Box<dyn Future<Output = Result<PlayingSession, SourceEnd>> + Send>>),
    Playing(Box<PlayingSession>),
}

struct PlayingSession {
    session: Session<Playing>,
    receiver: Receiver,
    output: SourceOutput,
    context: CameraContext,
    first: bool,
}

impl std::fmt::Debug for RtspTcpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let playing = matches!(self.state, PlayState::Playing(_));
        f.debug_struct("RtspTcpSource").field("playing", &playing).finish_non_exhaustive()
    }
}

impl RtspTcpSource {
    /// The camera at `url`; it is asked when [`RunningSource::run`] begins.
    pub fn new(url: Url, context: &CameraContext) -> Self {
        Self { state: PlayState::Connecting(Box::pin(PlayingSession::start(url, context.clone()))) }
    }
}

impl RunningSource for RtspTcpSource {
    async fn run(&mut self) -> SourceEnd {
        loop {
            match &mut self.state {
                PlayState::Connecting(connecting) => match connecting.await {
                    Ok(session) => self.state = PlayState::Playing(Box::new(session)),
                    Err(end) => {
                        // A future that is done must not be polled again.
                        self.state = PlayState::Connecting(Box::pin(std::future::ready(Err(end.clone()))));
                        return end;
                    }
                },
                PlayState::Playing(session) => return session.play().await,
            }
        }
    }

    fn patience(&self) -> Patience {
        Patience::SESSION
    }

    fn control(&self) -> Option<BitrateControl> {
        None
    }

    async fn close(self) -> Result<(), PipelineError> {
        Ok(())
    }
}

impl PlayingSession {
    /// DESCRIBE, SETUP, PLAY.
    async fn start(mut url: Url, context: CameraContext) -> Result<Self, SourceEnd> {
        let credentials = credentials(&url);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let options = SessionOptions::default().creds(credentials).user_agent("robocast".into());
        let mut session = await_answer(Session::describe(url, options)).await?;
        let Some(number) = find_h264(&session) else {
            return Err(SourceEnd::because("the camera offers no H.264 over TCP"));
        };
        let sets = sdp::parameter_sets_of(session.sdp());
        await_answer(session.setup(number, SetupOptions::default())).await?;
        let session = await_answer(session.play(PlayOptions::default())).await?;
        Ok(Self {
            session,
            // TCP keeps the order.
            receiver: Receiver::new(Duration::ZERO, None),
            output: SourceOutput::coded(context.clone(), sets),
            context,
            first: true,
        })
    }

    /// Receives packets until the session ends. Cancel safe.
    async fn play(&mut self) -> SourceEnd {
        loop {
            match self.session.next().await {
                Some(Ok(PacketItem::Rtp(packet))) => self.receive_packet(packet.raw()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return source_end_of(&error),
                None => return SourceEnd::because("the camera ended the stream"),
            }
        }
    }

    fn receive_packet(&mut self, packet: &[u8]) {
        let (output, first) = (&mut self.output, &mut self.first);
        self.receiver.receive_datagram(packet, MonoTime::now(), |mut unit| {
            // The parameter sets of the SDP belong to the first sender.
            unit.new_sender &= !std::mem::take(first);
            output.deliver(unit);
        });
        self.context.counters.add_packets(self.receiver.take_counts());
    }
}

/// The first H.264 video of a camera.
fn find_h264(session: &Session<Described>) -> Option<usize> {
    let fits = |s: &retina::client::Stream| s.media() == "video" && s.encoding_name() == "h264";
    session.streams().iter().position(fits)
}

fn credentials(url: &Url) -> Option<Credentials> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = plain(url.password().unwrap_or_default());
    (!url.username().is_empty()).then(|| Credentials { username: plain(url.username()), password })
}

async fn await_answer<T>(step: impl Future<Output = Result<T, retina::Error>>) -> Result<T, SourceEnd> {
    match tokio::time::timeout(ANSWER, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(source_end_of(&error)),
        Err(_) => {
            Err(SourceEnd::because(format!("the camera does not answer within {} s", ANSWER.as_secs())))
        }
    }
}

fn source_end_of(error: &retina::Error) -> SourceEnd {
    match error.status_code() {
        Some(401 | 403) => SourceEnd::refused("the camera wants another user name or password"),
        Some(code) => SourceEnd::because(format!("the camera answers {code}")),
        None => {
            // Its first line is for people, the rest is the connection's context.
            let text = error.to_string();
            let first: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
            SourceEnd::because(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::context;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_camera_that_is_being_asked_is_not_asked_again_when_running_is_cancelled() {
        let camera = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtsp://127.0.0.1:{}/a", camera.local_addr().unwrap().port());
        let mut source = RtspTcpSource::new(url.parse().unwrap(), &context());
        let mut connections = Vec::new();
        // It accepts, and does not answer. The camera's loop drops the future at each of its events.
        for _ in 0..10 {
            tokio::select! {
                end = source.run() => panic!("{end:?}"),
                accepted = camera.accept() => connections.push(accepted.unwrap()),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
        assert_eq!(connections.len(), 1);
        drop(connections);
        let ended = tokio::time::timeout(Duration::from_secs(10), source.run()).await.expect("it ends");
        assert!(!ended.refused, "{ended:?}");
        assert_eq!(source.run().await, ended, "and says so again");
    }

    #[test]
    fn the_user_of_a_url_is_decoded() {
        let of = |url: &str| credentials(&url.parse().unwrap()).map(|c| (c.username, c.password));
        assert_eq!(of("rtsp://h/a"), None);
        assert_eq!(of("rtsp://me:p%40ss@h/a"), Some(("me".into(), "p@ss".into())));
        assert_eq!(of("rtsp://me@h/a"), Some(("me".into(), String::new())));
    }
}
