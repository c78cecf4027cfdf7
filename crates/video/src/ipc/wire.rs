//! What travels on the camera's socket. Both ends are robocast's own, of one version, on one machine:
//! the format is small and fixed, and still every length is checked, since the camera's side
//! handles a robot's bytes.
//!
//! ```text
//! message = length u32 | kind u8 | 0 u8 | 0 u16 | payload [length]          (little endian)
//! unit    = pts u64 | dts u64 | arrived u64 | flags u64 (bit 0: keyframe) | Annex B bytes
//! report  = JSON SourceReport          bitrate = u64 bit/s          keyframe = nothing
//! ```

use crate::clock::MonoTime;
use crate::h264::AccessUnit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use robocast_config::Bitrate;
use robocast_status::SourceState;
use serde::{Deserialize, Serialize};

/// The longest message: an intra picture of 8K footage has room.
const LONGEST: usize = 16 << 20;
const HEADER: usize = 8;
const UNIT_HEADER: usize = 32;

const UNIT: u8 = 2;
const REPORT: u8 = 3;
const BITRATE: u8 = 16;
const KEYFRAME: u8 = 17;

/// The state of the source, and what the camera can do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceReport {
    /// The state.
    pub state: SourceState,
    /// For people: what is wrong and how to fix it. Empty when all is well.
    pub text: String,
    /// Since when the source is in this state, in seconds since 1970. A source is lost since its last frame.
    pub since: Option<u64>,
    /// How far the bitrate can be changed; none where the source's H.264 is passed through as it is.
    pub bitrate: Option<BitrateCapability>,
}

/// What the camera can do about its bitrate, in bit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitrateCapability {
    /// The least it can be asked for.
    pub min: u64,
    /// The most it can be asked for.
    pub max: u64,
    /// What is in force: the least of what all readers and the operator ask for.
    pub now: u64,
}

/// What a reader asks of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Encode, or have the robot encode, at this rate at most. Holds until the reader asks for another, or leaves.
    Bitrate(Bitrate),
    /// Send a keyframe soon.
    Keyframe,
}

/// A message on the camera's socket.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    Unit(AccessUnit),
    Report(SourceReport),
    Request(Request),
}

/// Bytes that are no message of this protocol.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A length beyond what any message has.
    #[error("a message of {0} bytes, more than the camera's socket carries")]
    TooLong(usize),
    /// A kind that this version does not know.
    #[error("a message of unknown kind {0}")]
    UnknownKind(u8),
    /// A payload that does not fit its kind.
    #[error("a broken message of kind {0}")]
    Broken(u8),
}

/// The header of a unit's message; the unit's bytes follow it on the wire as they are.
pub(super) fn unit_header(unit: &AccessUnit) -> [u8; HEADER + UNIT_HEADER] {
    let mut header = [0; HEADER + UNIT_HEADER];
    let mut out = &mut header[..];
    let length = UNIT_HEADER + unit.data.len();
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u8(UNIT);
    out.put_bytes(0, 3);
    out.put_u64_le(unit.pts.0);
    out.put_u64_le(unit.dts.0);
    out.put_u64_le(unit.arrived.0);
    out.put_u64_le(u64::from(unit.keyframe));
    header
}

pub(super) fn encode_report(report: &SourceReport) -> Vec<u8> {
    let json = serde_json::to_vec(report).unwrap_or_default();
    framed(REPORT, &json)
}

pub(super) fn encode_request(request: Request) -> Vec<u8> {
    match request {
        Request::Bitrate(rate) => framed(BITRATE, &rate.bps().to_le_bytes()),
        Request::Keyframe => framed(KEYFRAME, &[]),
    }
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.put_u32_le(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    out.put_u8(kind);
    out.put_bytes(0, 3);
    out.put_slice(payload);
    out
}

/// Takes the next whole message off `buffer`; none when more bytes are needed.
pub(super) fn decode(buffer: &mut BytesMut) -> Result<Option<Message>, WireError> {
    if buffer.len() < HEADER {
        return Ok(None);
    }
    let length = u32::from_le_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
    let kind = buffer[4];
    if length > LONGEST {
        return Err(WireError::TooLong(length));
    }
    if buffer.len() < HEADER + length {
        buffer.reserve(HEADER + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER);
    let payload = buffer.split_to(length).freeze();
    message(kind, payload).map(Some)
}

fn message(kind: u8, mut payload: Bytes) -> Result<Message, WireError> {
    match kind {
        UNIT if payload.len() >= UNIT_HEADER => {
            let pts = MonoTime(payload.get_u64_le());
            let dts = MonoTime(payload.get_u64_le());
            let arrived = MonoTime(payload.get_u64_le());
            let keyframe = payload.get_u64_le() & 1 == 1;
            Ok(Message::Unit(AccessUnit { data: payload, pts, dts, arrived, keyframe }))
        }
        REPORT => serde_json::from_slice(&payload).map(Message::Report).map_err(|_| WireError::Broken(kind)),
        BITRATE if payload.len() == 8 => {
            Ok(Message::Request(Request::Bitrate(Bitrate::from_bps(payload.get_u64_le()))))
        }
        KEYFRAME if payload.is_empty() => Ok(Message::Request(Request::Keyframe)),
        UNIT | BITRATE | KEYFRAME => Err(WireError::Broken(kind)),
        other => Err(WireError::UnknownKind(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(unit: &AccessUnit) -> Vec<u8> {
        let mut bytes = unit_header(unit).to_vec();
        bytes.extend_from_slice(&unit.data);
        bytes
    }

    proptest! {
        #[test]
        fn units_survive_the_wire_in_pieces_of_any_size(
            units in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<u64>(), any::<bool>()), 0..10),
            piece in 1usize..64
        ) {
            let units: Vec<AccessUnit> = units.into_iter().map(|(data, at, keyframe)| AccessUnit {
                data: data.into(), pts: MonoTime(at), dts: MonoTime(at / 2), arrived: MonoTime(at / 3), keyframe,
            }).collect();
            let stream: Vec<u8> = units.iter().flat_map(whole).collect();
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(piece) {
                buffer.extend_from_slice(piece);
                while let Some(message) = decode(&mut buffer).unwrap() {
                    match message {
                        Message::Unit(unit) => found.push(unit),
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
            }
            prop_assert_eq!(found, units);
        }

        #[test]
        fn reports_survive_the_wire(
            text in ".{0,80}", since in prop::option::of(any::<u64>()),
            bitrate in prop::option::of((any::<u64>(), any::<u64>(), any::<u64>()))
        ) {
            let bitrate = bitrate.map(|(min, max, now)| BitrateCapability { min, max, now });
            let report = SourceReport { state: SourceState::Failed, text, since, bitrate };
            let mut buffer = BytesMut::from(&encode_report(&report)[..]);
            prop_assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Report(report)));
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn hostile_bytes_never_panic_and_never_ask_for_much_memory(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = decode(&mut buffer) {}
            prop_assert!(buffer.capacity() <= LONGEST + 1024);
        }
    }

    #[test]
    fn requests_and_reports_survive_the_wire() {
        let report = SourceReport {
            state: SourceState::Lost,
            text: "no packets".into(),
            since: Some(1_790_000_000),
            bitrate: Some(BitrateCapability { min: 300_000, max: 4_000_000, now: 1_400_000 }),
        };
        let mut buffer = BytesMut::new();
        buffer.extend(encode_report(&report));
        buffer.extend(encode_request(Request::Bitrate(Bitrate::from_bps(1_400_000))));
        buffer.extend(encode_request(Request::Keyframe));
        assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Report(report)));
        let rate = Request::Bitrate(Bitrate::from_bps(1_400_000));
        assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Request(rate)));
        assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Request(Request::Keyframe)));
        assert_eq!(decode(&mut buffer).unwrap(), None);
    }

    #[test]
    fn a_report_with_fewer_fields_is_read() {
        let mut buffer = BytesMut::from(&framed(REPORT, br#"{"state":"live","new":1}"#)[..]);
        let report = SourceReport { state: SourceState::Live, ..SourceReport::default() };
        assert_eq!(decode(&mut buffer).unwrap(), Some(Message::Report(report)));
    }

    #[test]
    fn a_payload_that_does_not_fit_its_kind_is_an_error() {
        for (kind, payload) in [(UNIT, 31), (BITRATE, 7), (BITRATE, 9), (KEYFRAME, 1), (REPORT, 3)] {
            let mut buffer = BytesMut::from(&framed(kind, &vec![0; payload])[..]);
            assert!(
                matches!(decode(&mut buffer), Err(WireError::Broken(k)) if k == kind),
                "{kind} {payload}"
            );
        }
        let mut buffer = BytesMut::from(&framed(99, &[])[..]);
        assert!(matches!(decode(&mut buffer), Err(WireError::UnknownKind(99))));
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_memory_is_taken() {
        let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, UNIT, 0, 0, 0][..]);
        assert!(matches!(decode(&mut buffer), Err(WireError::TooLong(_))));
    }
}
