//! Assembles messages from the server's chunks (Adobe RTMP 1.0, 5.3). Servers send little to a publisher, so everything is
//! bounded, and the worst that a server can do is end the session.
//!
//! `rml_rtmp` has a reader too, but its counter underflows if a server announces a message that is shorter than the part it
//! already sent.

use bytes::{Buf, Bytes, BytesMut};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;
use std::collections::HashMap;

/// No message to a publisher is longer.
const LONGEST: usize = 64 << 10;
/// No server uses more chunk streams.
const STREAMS: usize = 64;
/// Stands for a time that follows the header in four bytes.
const EXTENDED: u32 = 0x00ff_ffff;

/// The bytes are not valid chunks.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChunkError {
    /// A message that is too long.
    #[error("a message of {0} bytes")]
    Long(usize),
    /// More chunk streams than any server uses.
    #[error("too many chunk streams")]
    Streams,
    /// A chunk that refers to a header that was never sent.
    #[error("a chunk without a header")]
    NoHeader,
    /// A message begins before the previous one on its chunk stream has ended.
    #[error("a message within a message")]
    Nested,
}

/// One chunk stream: its last header, and the message being collected.
#[derive(Debug, Default)]
struct Stream {
    length: usize,
    kind: u8,
    message_stream: u32,
    extended: bool,
    collected: BytesMut,
}

/// The reading state of one connection.
#[derive(Debug)]
pub struct ChunkReader {
    buffer: BytesMut,
    streams: HashMap<u32, Stream>,
    chunk: usize,
}

impl ChunkReader {
    /// The state of a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: BytesMut::new(), streams: HashMap::new(), chunk: 128 }
    }

    /// Sets the chunk size that the server announced.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.chunk = usize::try_from(size).unwrap_or(usize::MAX).max(1);
    }

    /// Drops the message that the server was sending on a chunk stream and abandoned.
    pub fn abort(&mut self, stream: u32) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.collected.clear();
        }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message, if there is one.
    ///
    /// # Errors
    /// When the bytes are not valid chunks.
    pub fn next_message(&mut self) -> Result<Option<MessagePayload>, ChunkError> {
        while let Some((header, size)) =
            Header::read(&self.buffer, |id| self.streams.get(&id).map(|s| s.extended))?
        {
            if self.streams.len() >= STREAMS && !self.streams.contains_key(&header.stream) {
                return Err(ChunkError::Streams);
            }
            let known = self.streams.contains_key(&header.stream);
            if header.format != 0 && !known {
                return Err(ChunkError::NoHeader);
            }
            let length =
                header.length.unwrap_or_else(|| self.streams.get(&header.stream).map_or(0, |s| s.length));
            if length > LONGEST {
                return Err(ChunkError::Long(length));
            }
            let collected = self.streams.get(&header.stream).map_or(0, |s| s.collected.len());
            if header.format != 3 && collected > 0 {
                return Err(ChunkError::Nested);
            }
            let take = (length - collected).min(self.chunk);
            if self.buffer.len() < size + take {
                return Ok(None);
            }
            self.buffer.advance(size);
            let piece = self.buffer.split_to(take);
            let stream = self.streams.entry(header.stream).or_default();
            stream.length = length;
            stream.kind = header.kind.unwrap_or(stream.kind);
            stream.message_stream = header.message_stream.unwrap_or(stream.message_stream);
            stream.extended = header.extended;
            stream.collected.extend_from_slice(&piece);
            if stream.collected.len() == stream.length {
                let data: Bytes = stream.collected.split().freeze();
                return Ok(Some(MessagePayload {
                    // The times of messages from a server to a publisher have no meaning.
                    timestamp: RtmpTimestamp::new(0),
                    type_id: stream.kind,
                    message_stream_id: stream.message_stream,
                    data,
                }));
            }
        }
        Ok(None)
    }
}

/// The head of a chunk.
#[derive(Debug)]
struct Header {
    format: u8,
    stream: u32,
    length: Option<usize>,
    kind: Option<u8>,
    message_stream: Option<u32>,
    extended: bool,
}

impl Header {
    /// Reads a head and returns it with its length; none if more bytes are needed. `extended` returns whether the last
    /// header of a chunk stream had an extended time, which a header without a time repeats.
    fn read(
        bytes: &[u8],
        extended: impl Fn(u32) -> Option<bool>,
    ) -> Result<Option<(Self, usize)>, ChunkError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (stream, basic) = match (first & 0x3f, bytes.get(1), bytes.get(2)) {
            (0, Some(&low), _) => (64 + u32::from(low), 2),
            (1, Some(&low), Some(&high)) => (64 + u32::from(low) + 256 * u32::from(high), 3),
            (0 | 1, ..) => return Ok(None),
            (id, ..) => (u32::from(id), 1),
        };
        let format = first >> 6;
        let size = [11, 7, 3, 0][usize::from(format)];
        let Some(fields) = bytes.get(basic..basic + size) else { return Ok(None) };
        let three = |at: usize| u32::from_be_bytes([0, fields[at], fields[at + 1], fields[at + 2]]);
        let extended = match format {
            3 => extended(stream).ok_or(ChunkError::NoHeader)?,
            _ => three(0) == EXTENDED,
        };
        let header = Self {
            format,
            stream,
            length: (format <= 1).then(|| three(3) as usize),
            kind: (format <= 1).then(|| fields[6]),
            message_stream: (format == 0)
                .then(|| u32::from_le_bytes([fields[7], fields[8], fields[9], fields[10]])),
            extended,
        };
        Ok(Some((header, basic + size + if extended { 4 } else { 0 })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rml_rtmp::chunk_io::ChunkSerializer;

    fn message(kind: u8, data: Vec<u8>, time: u32) -> MessagePayload {
        MessagePayload {
            timestamp: RtmpTimestamp::new(time),
            type_id: kind,
            message_stream_id: 1,
            data: data.into(),
        }
    }

    fn all(reader: &mut ChunkReader) -> Result<Vec<(u8, Vec<u8>)>, ChunkError> {
        let mut out = Vec::new();
        while let Some(message) = reader.next_message()? {
            out.push((message.type_id, message.data.to_vec()));
        }
        Ok(out)
    }

    #[test]
    fn a_message_shorter_than_its_part_already_sent_ends_the_session() {
        let mut reader = ChunkReader::new();
        let mut bytes = vec![3, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0];
        bytes.extend([0; 128]);
        bytes.extend([0x43, 0, 0, 0, 0, 0, 10, 20]);
        reader.push(&bytes);
        assert_eq!(all(&mut reader), Err(ChunkError::Nested));
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_collected() {
        let mut reader = ChunkReader::new();
        reader.push(&[3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0]);
        assert_eq!(all(&mut reader), Err(ChunkError::Long(0x00ff_ffff)));
    }

    #[test]
    fn a_chunk_that_refers_to_nothing_is_refused() {
        for byte in [0xc3, 0x83] {
            let mut reader = ChunkReader::new();
            reader.push(&[byte; 12]);
            assert_eq!(all(&mut reader), Err(ChunkError::NoHeader));
        }
    }

    proptest! {
        #[test]
        fn messages_are_assembled_whatever_their_sizes_times_and_pieces(
            messages in prop::collection::vec((prop_oneof![Just(20u8), Just(9), Just(8)], prop::collection::vec(any::<u8>(), 1..600), 0u32..40_000_000), 1..8),
            piece in 1usize..200
        ) {
            let mut chunks = ChunkSerializer::new();
            let mut time = 0;
            let sent: Vec<MessagePayload> = messages.into_iter().map(|(kind, data, step)| {
                time += step;
                message(kind, data, time)
            }).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|m| chunks.serialize(m, false, false).unwrap().bytes).collect();
            let (mut reader, mut found) = (ChunkReader::new(), Vec::new());
            for piece in bytes.chunks(piece) {
                reader.push(piece);
                found.extend(all(&mut reader).unwrap());
            }
            prop_assert_eq!(found, sent.iter().map(|m| (m.type_id, m.data.to_vec())).collect::<Vec<_>>());
        }

        #[test]
        fn hostile_chunks_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 0u32..300) {
            let mut reader = ChunkReader::new();
            reader.set_chunk_size(size);
            reader.push(&bytes);
            let _ = all(&mut reader);
        }
    }
}
