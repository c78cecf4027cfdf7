//! The publishing session, without a socket: bytes in, bytes and events out.

use super::chunks::ChunkReader;
use crate::flv;
use rml_amf0::Amf0Value;
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, RtmpMessage, UserControlEventType};
use rml_rtmp::time::RtmpTimestamp;
use robocast_config::RtmpTarget;
use robocast_video::h264::{AccessUnit, ParameterSets};
use std::collections::HashMap;

/// Our chunk size: a whole P picture in one chunk.
const CHUNK: u32 = 65_536;
/// Kinds of messages (RTMP 1.0, 5.4 and 7.1), and the user control event that asks for an answer.
const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;
const USER_CONTROL: u8 = 4;
const WINDOW: u8 = 5;
const COMMAND_AMF3: u8 = 17;
const COMMAND: u8 = 20;
const PING_HIGH: u8 = 0;
const PING_LOW: u8 = 6;

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 4096;

const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;
const PUBLISH: f64 = 5.0;

/// What the peer's bytes led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server takes the stream from now on.
    Publishing,
}

/// The session is over.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SessionError {
    /// The name is taken: most often by our own earlier session, of which the server has not noticed that
    /// its way is gone. It soon will.
    #[error("the server still has a session of this name: {0}")]
    Busy(String),
    /// The server said no.
    #[error("the server refuses to {step}: {reason}")]
    Refused {
        /// What was asked.
        step: &'static str,
        /// What the server says.
        reason: String,
    },
    /// The server ended it.
    #[error("the server ended the session: {0}")]
    Ended(String),
    /// What the peer sends is not RTMP.
    #[error("the peer does not speak RTMP: {0}")]
    Protocol(String),
}

enum Step {
    Handshake(Box<Handshake>),
    Connecting,
    /// The server knows us, and not yet what we want.
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
    /// Waits, once connected, for [`Session::publish`].
    held: bool,
    chunks_out: ChunkSerializer,
    chunks_in: ChunkReader,
    out: Vec<u8>,
    received: u64,
    acknowledged: u64,
    window: Option<u64>,
    sets: ParameterSets,
    /// The last sequence header that was sent.
    header: Option<Vec<u8>>,
    last_ms: Option<u32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Session {
    /// Begins a session; its first bytes are ready in [`Session::take_output`]. Its times make_monotonic over
    /// `after`, the last time that an earlier session with this server sent.
    ///
    /// # Errors
    /// When the handshake cannot be made.
    pub fn new(target: RtmpTarget, after: Option<u32>) -> Result<Self, SessionError> {
        let mut handshake = Handshake::new(PeerType::Client);
        let out = handshake.generate_outbound_p0_and_p1().map_err(protocol)?;
        Ok(Self {
            target,
            step: Step::Handshake(Box::new(handshake)),
            held: false,
            chunks_out: ChunkSerializer::new(),
            chunks_in: ChunkReader::new(),
            out,
            received: 0,
            acknowledged: 0,
            window: None,
            sets: ParameterSets::default(),
            header: None,
            last_ms: after,
        })
    }

    /// The same, but asks to publish only when told to: until then the server may have another session of
    /// this name.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// Whether the server knows us and waits for what we want.
    #[must_use]
    pub fn connected(&self) -> bool {
        matches!(self.step, Step::Connected)
    }

    /// Asks to publish, after a session that was [`Session::held`]. Times make_monotonic over `after`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn publish(&mut self, after: Option<u32>) -> Result<(), SessionError> {
        self.held = false;
        self.last_ms = after;
        if self.connected() { self.ask() } else { Ok(()) }
    }

    /// What is to be written to the peer now.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Whether the server takes video.
    #[must_use]
    pub fn publishing(&self) -> bool {
        matches!(self.step, Step::Publishing { .. })
    }

    /// The time of the last unit sent, in ms.
    #[must_use]
    pub fn last_ms(&self) -> Option<u32> {
        self.last_ms
    }

    /// Takes bytes from the peer.
    ///
    /// # Errors
    /// When the server refuses or ends the session, or does not speak RTMP.
    pub fn input(&mut self, bytes: &[u8]) -> Result<Option<Event>, SessionError> {
        let rest;
        let mut bytes = bytes;
        if let Step::Handshake(handshake) = &mut self.step {
            match handshake.process_bytes(bytes).map_err(protocol)? {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.out.extend(response_bytes);
                    return Ok(None);
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
        let mut event = None;
        self.chunks_in.push(bytes);
        while let Some(payload) = self.chunks_in.next_message().map_err(protocol)? {
            // A message of a kind that we do not know is none of our business. One longer than any answer
            // is not read: its values may be nested deeper than a stack is high.
            if payload.data.len() <= LONGEST_ANSWER {
                event = self.message(payload.type_id, &payload.data)?.or(event);
            }
        }
        self.acknowledge()?;
        Ok(event)
    }

    /// Sends an access unit; nothing before the first keyframe. Times are in ms of the stream's own axis
    /// and make_monotonic strictly, whatever comes.
    ///
    /// # Errors
    /// When it is too large for RTMP.
    pub fn video(&mut self, unit: &AccessUnit, ms: u32) -> Result<(), SessionError> {
        let Step::Publishing { stream } = self.step else { return Ok(()) };
        let ms = match self.last_ms {
            // Serial number arithmetic: the clock wraps after 49 days.
            Some(last) if ms.wrapping_sub(last).wrapping_sub(1) >= 1 << 31 => last.wrapping_add(1),
            _ => ms,
        };
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

    /// Ends the publication politely.
    pub fn finish(&mut self) {
        if let Step::Publishing { stream } | Step::Asking { stream } = self.step {
            let name = text(self.target.stream.expose());
            let _ = self.command("FCUnpublish", 0.0, Amf0Value::Null, vec![name], 0);
            let _ =
                self.command("deleteStream", 0.0, Amf0Value::Null, vec![Amf0Value::Number(stream.into())], 0);
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

    fn ask(&mut self) -> Result<(), SessionError> {
        // What every encoder sends; some servers wait for it.
        let stream = text(self.target.stream.expose());
        self.command("releaseStream", 2.0, Amf0Value::Null, vec![stream.clone()], 0)?;
        self.command("FCPublish", 3.0, Amf0Value::Null, vec![stream], 0)?;
        self.step = Step::Creating;
        self.command("createStream", CREATE_STREAM, Amf0Value::Null, vec![], 0)
    }

    /// A message of the server. One too short for its kind is none.
    fn message(&mut self, kind: u8, data: &[u8]) -> Result<Option<Event>, SessionError> {
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
            (COMMAND, _) => return self.command_came(data),
            // A command "in AMF3": a byte that says that it is AMF0 after all, then AMF0.
            (COMMAND_AMF3, _) => return self.command_came(data.get(1..).unwrap_or_default()),
            _ => {}
        }
        Ok(None)
    }

    fn command_came(&mut self, data: &[u8]) -> Result<Option<Event>, SessionError> {
        let Ok(values) = rml_amf0::deserialize(&mut &data[..]) else { return Ok(None) };
        match &values[..] {
            [Amf0Value::Utf8String(name), Amf0Value::Number(transaction), arguments @ ..] => {
                // The first argument is the command object, mostly null; `onStatus` has its facts behind.
                self.answer(name, *transaction, arguments.get(1..).unwrap_or_default())
            }
            _ => Ok(None),
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

    fn answer(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: &[Amf0Value],
    ) -> Result<Option<Event>, SessionError> {
        let is = |wanted: f64| (transaction - wanted).abs() < 0.5;
        match (name, &self.step) {
            ("_result", Step::Connecting) if is(CONNECT) => {
                self.step = Step::Connected;
                if !self.held {
                    self.ask()?;
                }
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
                        return Ok(Some(Event::Publishing));
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
        Ok(None)
    }

    fn metadata(&mut self, stream: u32, ms: u32) -> Result<(), SessionError> {
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

    /// Tells the server how much came, once every half of its window.
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

    fn send(&mut self, message: RtmpMessage, stream: u32, ms: u32) -> Result<(), SessionError> {
        let payload: MessagePayload =
            message.into_message_payload(RtmpTimestamp::new(ms), stream).map_err(protocol)?;
        let packet = self.chunks_out.serialize(&payload, false, false).map_err(protocol)?;
        if self.out.is_empty() {
            self.out = packet.bytes;
        } else {
            self.out.extend(packet.bytes);
        }
        Ok(())
    }
}

fn text(value: &str) -> Amf0Value {
    Amf0Value::Utf8String(value.to_owned())
}

fn protocol(error: impl std::fmt::Display) -> SessionError {
    SessionError::Protocol(error.to_string())
}

fn field(arguments: &[Amf0Value], name: &str) -> Option<String> {
    arguments.iter().find_map(|argument| match argument {
        Amf0Value::Object(fields) => match fields.get(name) {
            Some(Amf0Value::Utf8String(value)) => Some(value.clone()),
            _ => None,
        },
        _ => None,
    })
}

/// What a server says in an answer, on one bounded line.
fn described(arguments: &[Amf0Value]) -> String {
    let parts: Vec<String> =
        ["code", "description"].iter().filter_map(|name| field(arguments, name)).collect();
    let line: String = parts.join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
    if line.is_empty() { "no reason given".into() } else { line }
}

fn refused(step: &'static str, arguments: &[Amf0Value]) -> SessionError {
    SessionError::Refused { step, reason: described(arguments) }
}

#[cfg(test)]
mod tests;
