//! The publishing session, without a socket: bytes in, bytes and events out.

use super::chunks::ChunkReader;
use super::flv;
use super::messages::{
    ABORT, COMMAND, COMMAND_AMF3, PING_HIGH, PING_LOW, SET_CHUNK_SIZE, USER_CONTROL, WINDOW, described,
    field, protocol, refused, text,
};
use rml_amf0::Amf0Value;
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, RtmpMessage, UserControlEventType};
use rml_rtmp::time::RtmpTimestamp;
use robocast_config::RtmpTarget;
use robocast_video::h264::{AccessUnit, ParameterSets};
use std::collections::HashMap;
use std::time::Duration;

/// Our chunk size: a whole P picture in one chunk.
const CHUNK: u32 = 65_536;
/// Longer answers are not read.
const LONGEST_ANSWER: usize = 4096;

/// Transaction numbers, which identify answers.
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;
/// The transaction number of commands without an answer.
const UNANSWERED: f64 = 0.0;

/// The session has ended.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SessionError {
    /// The name is taken, usually by our own earlier session: the server has not noticed yet that its connection is gone,
    /// but soon will.
    #[error("the server still has a session of this name: {0}")]
    Busy(String),
    /// The server refused.
    #[error("the server refuses to {step}: {reason}")]
    Refused {
        /// The request.
        step: &'static str,
        /// The server's reason.
        reason: String,
    },
    /// The server ended the session.
    #[error("the server ended the session: {0}")]
    Ended(String),
    /// The peer sends something that is not RTMP.
    #[error("the peer does not speak RTMP: {0}")]
    Protocol(String),
}

enum Step {
    Handshake(Box<Handshake>),
    Connecting,
    /// The server has accepted the connection; nothing was requested yet.
    Connected,
    Creating,
    Asking {
        stream: u32,
    },
    Publishing {
        stream: u32,
    },
}

/// A publishing session with one server.
pub struct Session {
    target: RtmpTarget,
    step: Step,
    chunks_out: ChunkSerializer,
    chunks_in: ChunkReader,
    out: Vec<u8>,
    received: u64,
    acknowledged: u64,
    window: Option<u64>,
    sets: ParameterSets,
    /// The last sequence header that was sent.
    header: Option<Vec<u8>>,
    /// The time of the last unit sent, in ms. On the wire it wraps after 49 days.
    last_ms: Option<u64>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Session {
    /// Begins a session; [`Session::take_output`] returns its first bytes.
    ///
    /// # Errors
    /// When the handshake cannot be made.
    pub fn new(target: RtmpTarget) -> Result<Self, SessionError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake.generate_outbound_p0_and_p1().map_err(protocol)?;
        Ok(Self {
            target,
            step: Step::Handshake(Box::new(handshake)),
            chunks_out: ChunkSerializer::new(),
            chunks_in: ChunkReader::new(),
            out,
            received: 0,
            acknowledged: 0,
            window: None,
            sets: ParameterSets::default(),
            header: None,
            last_ms: None,
        })
    }

    /// Whether the server has accepted the connection and waits for a request. Before a request to publish, it may have
    /// another session of this name.
    #[must_use]
    pub fn connected(&self) -> bool {
        matches!(self.step, Step::Connected)
    }

    /// Asks to publish, once the session is connected. All times will be later than `after`, the last time that an earlier
    /// session sent to this server.
    ///
    /// # Errors
    /// When the request cannot be sent.
    pub fn publish(&mut self, after: Option<Duration>) -> Result<(), SessionError> {
        self.last_ms = after.map(milliseconds);
        if self.connected() { self.request_stream() } else { Ok(()) }
    }

    /// The bytes to write to the peer now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Whether the server accepts video.
    #[must_use]
    pub fn publishing(&self) -> bool {
        matches!(self.step, Step::Publishing { .. })
    }

    /// The time of the last unit sent.
    #[must_use]
    pub fn last_time(&self) -> Option<Duration> {
        self.last_ms.map(Duration::from_millis)
    }

    /// Handles bytes from the peer.
    ///
    /// # Errors
    /// When the server refuses or ends the session, or does not speak RTMP.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let rest;
        let mut bytes = bytes;
        if let Step::Handshake(handshake) = &mut self.step {
            match handshake.process_bytes(bytes).map_err(protocol)? {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.out.extend(response_bytes);
                    return Ok(());
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.out.extend(response_bytes);
                    self.connect()?;
                    rest = remaining_bytes;
                    bytes = &rest;
                }
            }
        }
        self.received += bytes.len() as u64;
        self.chunks_in.push(bytes);
        while let Some(payload) = self.chunks_in.next_message().map_err(protocol)? {
            // Unknown kinds of messages are ignored. A message that is longer than any answer is not read, because its
            // values may be nested too deep for the stack.
            if payload.data.len() <= LONGEST_ANSWER {
                self.take_message(payload.type_id, &payload.data)?;
            }
        }
        self.acknowledge()
    }

    /// Sends an access unit; units before the first keyframe are dropped. `at` is its time on the stream's own axis. The
    /// times sent increase strictly, whatever the input.
    ///
    /// # Errors
    /// When the unit is too large for RTMP.
    pub fn video(&mut self, unit: &AccessUnit, at: Duration) -> Result<(), SessionError> {
        let Step::Publishing { stream } = self.step else { return Ok(()) };
        let ms = milliseconds(at).max(self.last_ms.map_or(0, |last| last + 1));
        if unit.keyframe {
            self.sets.observe_all(&unit.data);
            let header = flv::sequence_header(&self.sets);
            if let Some(header) = header.filter(|header| self.header.as_ref() != Some(header)) {
                self.metadata(stream, ms)?;
                self.send(RtmpMessage::VideoData { data: header.clone().into() }, stream, ms)?;
                self.header = Some(header);
            }
        }
        if self.header.is_none() {
            return Ok(());
        }
        self.last_ms = Some(ms);
        self.send(RtmpMessage::VideoData { data: flv::video(unit).into() }, stream, ms)
    }

    /// Ends the session properly.
    pub fn finish(&mut self) {
        if let Step::Publishing { stream } | Step::Asking { stream } = self.step {
            let name = text(self.target.stream.expose());
            let _ = self.command("FCUnpublish", UNANSWERED, Amf0Value::Null, vec![name], 0);
            let _ = self.command(
                "deleteStream",
                UNANSWERED,
                Amf0Value::Null,
                vec![Amf0Value::Number(stream.into())],
                0,
            );
        }
    }

    fn connect(&mut self) -> Result<(), SessionError> {
        let bigger = self.chunks_out.set_max_chunk_size(CHUNK, RtmpTimestamp::new(0)).map_err(protocol)?;
        self.out.extend(bigger.bytes);
        let wishes = HashMap::from([
            ("app".to_owned(), text(self.target.app.expose())),
            ("type".to_owned(), text("nonprivate")),
            ("flashVer".to_owned(), text("FMLE/3.0 (compatible; robocast)")),
            ("tcUrl".to_owned(), text(self.target.tc_url.expose())),
        ]);
        self.step = Step::Connecting;
        self.command("connect", CONNECT, Amf0Value::Object(wishes), vec![], 0)
    }

    fn request_stream(&mut self) -> Result<(), SessionError> {
        // Every encoder sends these; some servers wait for them.
        let stream = text(self.target.stream.expose());
        self.command("releaseStream", RELEASE_STREAM, Amf0Value::Null, vec![stream.clone()], 0)?;
        self.command("FCPublish", FC_PUBLISH, Amf0Value::Null, vec![stream], 0)?;
        self.step = Step::Creating;
        self.command("createStream", CREATE_STREAM, Amf0Value::Null, vec![], 0)
    }

    /// Handles a message of the server. A message that is too short for its kind is ignored.
    fn take_message(&mut self, kind: u8, data: &[u8]) -> Result<(), SessionError> {
        let number = data.first_chunk().map(|&bytes| u32::from_be_bytes(bytes));
        match (kind, number) {
            (SET_CHUNK_SIZE, Some(size)) => self.chunks_in.set_chunk_size(size),
            (ABORT, Some(stream)) => self.chunks_in.abort(stream),
            (WINDOW, Some(size)) => self.window = Some(u64::from(size.max(1))),
            (USER_CONTROL, _) => {
                if let [PING_HIGH, PING_LOW, stamp @ ..] = data
                    && let Some(&stamp) = stamp.first_chunk()
                {
                    self.pong(u32::from_be_bytes(stamp))?;
                }
            }
            (COMMAND, _) => return self.take_command(data),
            // A command "in AMF3" is a byte that selects AMF0, followed by AMF0.
            (COMMAND_AMF3, _) => return self.take_command(data.get(1..).unwrap_or_default()),
            _ => {}
        }
        Ok(())
    }

    fn take_command(&mut self, data: &[u8]) -> Result<(), SessionError> {
        let Ok(values) = rml_amf0::deserialize(&mut &data[..]) else { return Ok(()) };
        match &values[..] {
            [Amf0Value::Utf8String(name), Amf0Value::Number(transaction), arguments @ ..] => {
                // The first argument is the command object, usually null; the information of `onStatus` follows it.
                self.take_answer(name, *transaction, arguments.get(1..).unwrap_or_default())
            }
            _ => Ok(()),
        }
    }

    fn pong(&mut self, stamp: u32) -> Result<(), SessionError> {
        let pong = RtmpMessage::UserControl {
            event_type: UserControlEventType::PingResponse,
            stream_id: None,
            buffer_length: None,
            timestamp: Some(RtmpTimestamp::new(stamp)),
        };
        self.send(pong, 0, 0)
    }

    fn take_answer(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: &[Amf0Value],
    ) -> Result<(), SessionError> {
        let is = |wanted: f64| (transaction - wanted).abs() < 0.5;
        match (name, &self.step) {
            ("_result", Step::Connecting) if is(CONNECT) => {
                self.step = Step::Connected;
            }
            ("_result", Step::Creating) if is(CREATE_STREAM) => {
                let Some(Amf0Value::Number(id)) = arguments.first() else {
                    return Err(SessionError::Protocol("createStream was answered without a number".into()));
                };
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let stream = *id as u32;
                let wanted = vec![text(self.target.stream.expose()), text("live")];
                self.command("publish", PUBLISH, Amf0Value::Null, wanted, stream)?;
                self.step = Step::Asking { stream };
            }
            ("_error", Step::Connecting) if is(CONNECT) => return Err(refused("connect", arguments)),
            ("_error", Step::Creating) if is(CREATE_STREAM) => {
                return Err(refused("create a stream", arguments));
            }
            ("_error", Step::Asking { .. }) if is(PUBLISH) => return Err(refused("publish", arguments)),
            ("onStatus", step) => {
                let code = field(arguments, "code").unwrap_or_default();
                match (code.as_str(), step) {
                    ("NetStream.Publish.Start", &Step::Asking { stream }) => {
                        self.step = Step::Publishing { stream };
                    }
                    ("NetStream.Publish.BadName", Step::Asking { .. }) => {
                        return Err(SessionError::Busy(described(arguments)));
                    }
                    (_, Step::Asking { .. }) if field(arguments, "level").as_deref() == Some("error") => {
                        return Err(refused("publish", arguments));
                    }
                    (_, Step::Publishing { .. }) if field(arguments, "level").as_deref() == Some("error") => {
                        return Err(SessionError::Ended(described(arguments)));
                    }
                    _ => {}
                }
            }
            ("close", _) => return Err(SessionError::Ended(described(arguments))),
            _ => {}
        }
        Ok(())
    }

    fn metadata(&mut self, stream: u32, ms: u64) -> Result<(), SessionError> {
        let mut facts = HashMap::from([
            ("videocodecid".to_owned(), Amf0Value::Number(7.0)),
            ("encoder".to_owned(), text("robocast")),
        ]);
        if let Some(picture) = self.sets.format() {
            facts.insert("width".into(), Amf0Value::Number(picture.width.into()));
            facts.insert("height".into(), Amf0Value::Number(picture.height.into()));
            if let Some(fps) = picture.fps {
                facts.insert("framerate".into(), Amf0Value::Number(fps));
            }
        }
        let values = vec![text("@setDataFrame"), text("onMetaData"), Amf0Value::Object(facts)];
        self.send(RtmpMessage::Amf0Data { values }, stream, ms)
    }

    /// Acknowledges received bytes to the server, once per half of its window.
    fn acknowledge(&mut self) -> Result<(), SessionError> {
        if let Some(window) = self.window
            && self.received - self.acknowledged >= window / 2
        {
            self.acknowledged = self.received;
            #[allow(clippy::cast_possible_truncation)]
            let sequence_number = self.received as u32;
            self.send(RtmpMessage::Acknowledgement { sequence_number }, 0, 0)?;
        }
        Ok(())
    }

    fn command(
        &mut self,
        name: &str,
        transaction_id: f64,
        command_object: Amf0Value,
        additional_arguments: Vec<Amf0Value>,
        stream: u32,
    ) -> Result<(), SessionError> {
        let command_name = name.to_owned();
        let message =
            RtmpMessage::Amf0Command { command_name, transaction_id, command_object, additional_arguments };
        self.send(message, stream, 0)
    }

    fn send(&mut self, message: RtmpMessage, stream: u32, ms: u64) -> Result<(), SessionError> {
        // RTMP's clock wraps.
        #[allow(clippy::cast_possible_truncation)]
        let timestamp = RtmpTimestamp::new(ms as u32);
        let payload: MessagePayload = message.into_message_payload(timestamp, stream).map_err(protocol)?;
        let packet = self.chunks_out.serialize(&payload, false, false).map_err(protocol)?;
        if self.out.is_empty() {
            self.out = packet.bytes;
        } else {
            self.out.extend(packet.bytes);
        }
        Ok(())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
