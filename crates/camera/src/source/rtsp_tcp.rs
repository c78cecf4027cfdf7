//! RTSP over TCP without GStreamer, by `retina`: the common case of a robot's camera, at a third of the
//! cost. Its RTP packets come to the same receiver as those of a socket.

use super::{Ended, rtp};
use crate::output::{CameraContext, SourceOutput};
use crate::rtp::Receiver;
use futures_util::StreamExt;
use retina::client::{
    Credentials, Described, PacketItem, PlayOptions, Playing, Session, SessionOptions, SetupOptions,
};
use robocast_config::Url;
use robocast_video::clock::MonoTime;
use std::time::Duration;

/// How long a camera may take for each answer.
const ANSWER: Duration = Duration::from_secs(4);

/// A camera, asked or playing.
pub struct RtspTcpSource {
    url: Url,
    shared: CameraContext,
    playing: Option<PlayingSession>,
}

struct PlayingSession {
    session: Session<Playing>,
    receiver: Receiver,
    output: SourceOutput,
    first: bool,
}

impl std::fmt::Debug for RtspTcpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtspTcpSource").field("playing", &self.playing.is_some()).finish_non_exhaustive()
    }
}

impl RtspTcpSource {
    /// The camera at `url`; it is asked when [`RtspTcpSource::run`] begins.
    pub fn new(url: Url, shared: &CameraContext) -> Self {
        Self { url, shared: shared.clone(), playing: None }
    }

    /// Plays until it cannot go on. What it received before being cancelled is not lost.
    pub async fn run(&mut self) -> Ended {
        if self.playing.is_none() {
            match self.ask().await {
                Ok(feed) => self.playing = Some(feed),
                Err(ended) => return ended,
            }
        }
        let Some(feed) = &mut self.playing else { return Ended::because("the camera is not playing".into()) };
        loop {
            match feed.session.next().await {
                Some(Ok(PacketItem::Rtp(packet))) => feed.take(packet.raw()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return failed(&error),
                None => return Ended::because("the camera ended the stream".into()),
            }
        }
    }

    /// DESCRIBE, SETUP, PLAY.
    async fn ask(&self) -> Result<PlayingSession, Ended> {
        let mut url = self.url.clone();
        let credentials = credentials(&url);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let options = SessionOptions::default().creds(credentials).user_agent("robocast".into());
        let mut session = answer(Session::describe(url, options)).await?;
        let Some(number) = h264(&session) else {
            return Err(Ended::because("the camera has no H.264 over this way".into()));
        };
        let sets = super::rtsp::sprop_of(session.sdp());
        answer(session.setup(number, SetupOptions::default())).await?;
        let session = answer(session.play(PlayOptions::default())).await?;
        Ok(PlayingSession {
            session,
            // TCP keeps the order.
            receiver: Receiver::new(Duration::ZERO, None),
            output: SourceOutput::coded(self.shared.clone(), sets),
            first: true,
        })
    }
}

impl PlayingSession {
    fn take(&mut self, packet: &[u8]) {
        let (output, first) = (&mut self.output, &mut self.first);
        self.receiver.datagram(packet, MonoTime::now(), |picture| {
            let mut arrival = rtp::arrival(picture);
            // The parameter sets of the SDP belong to the first sender.
            arrival.new_sender &= !std::mem::take(first);
            output.take(arrival);
        });
    }
}

/// The first H.264 video of a camera.
fn h264(session: &Session<Described>) -> Option<usize> {
    let fits = |s: &retina::client::Stream| s.media() == "video" && s.encoding_name() == "h264";
    session.streams().iter().position(fits)
}

fn credentials(url: &Url) -> Option<Credentials> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = plain(url.password().unwrap_or_default());
    (!url.username().is_empty()).then(|| Credentials { username: plain(url.username()), password })
}

async fn answer<T>(step: impl Future<Output = Result<T, retina::Error>>) -> Result<T, Ended> {
    match tokio::time::timeout(ANSWER, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(Ended::because(format!("the camera does not answer within {} s", ANSWER.as_secs()))),
    }
}

fn failed(error: &retina::Error) -> Ended {
    match error.status_code() {
        Some(401 | 403) => {
            Ended { why: "the camera wants another user name or password".into(), refused: true }
        }
        Some(code) => Ended::because(format!("the camera answers {code}")),
        None => {
            // Its first line is for people, what follows is the connection's context.
            let text = error.to_string();
            Ended::because(text.lines().next().unwrap_or_default().chars().take(160).collect())
        }
    }
}
