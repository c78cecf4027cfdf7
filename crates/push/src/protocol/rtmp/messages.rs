//! The contents of RTMP messages: their kinds, and the fields of a server's answers.

use super::session::SessionError;
use rml_amf0::Amf0Value;

/// Kinds of messages (RTMP 1.0, 5.4 and 7.1), and the user control event that requires an answer.
pub(super) const SET_CHUNK_SIZE: u8 = 1;
pub(super) const ABORT: u8 = 2;
pub(super) const USER_CONTROL: u8 = 4;
pub(super) const WINDOW: u8 = 5;
pub(super) const COMMAND_AMF3: u8 = 17;
pub(super) const COMMAND: u8 = 20;
pub(super) const PING_HIGH: u8 = 0;
pub(super) const PING_LOW: u8 = 6;

pub(super) fn text(value: &str) -> Amf0Value {
    Amf0Value::Utf8String(value.to_owned())
}

pub(super) fn protocol(error: impl std::fmt::Display) -> SessionError {
    SessionError::Protocol(error.to_string())
}

pub(super) fn field(arguments: &[Amf0Value], name: &str) -> Option<String> {
    arguments.iter().find_map(|argument| match argument {
        Amf0Value::Object(fields) => match fields.get(name) {
            Some(Amf0Value::Utf8String(value)) => Some(value.clone()),
            _ => None,
        },
        _ => None,
    })
}

/// The text of a server's answer, as one line of limited length.
pub(super) fn described(arguments: &[Amf0Value]) -> String {
    let parts: Vec<String> =
        ["code", "description"].iter().filter_map(|name| field(arguments, name)).collect();
    let line: String = parts.join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
    if line.is_empty() { "no reason given".into() } else { line }
}

pub(super) fn refused(step: &'static str, arguments: &[Amf0Value]) -> SessionError {
    SessionError::Refused { step, reason: described(arguments) }
}
