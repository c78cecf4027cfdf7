//! A server's end of a session, for tests. It uses the same chunk library.

// Helpers of tests panic as tests do.
#![allow(clippy::unwrap_used)]

use rml_amf0::Amf0Value;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::RtmpMessage;
use rml_rtmp::time::RtmpTimestamp;
use robocast_video::clock::MonoTime;
use robocast_video::h264::{AccessUnit, push_nal, samples};
use std::collections::HashMap;

/// An access unit of 1280x720.
pub fn unit(keyframe: bool, bytes: usize) -> AccessUnit {
    let mut data = Vec::new();
    if keyframe {
        push_nal(&mut data, &samples::SPS);
        push_nal(&mut data, &samples::PPS);
    }
    let mut slice = vec![if keyframe { 0x65 } else { 0x41 }];
    slice.resize(bytes.max(2), 0x99);
    push_nal(&mut data, &slice);
    AccessUnit { data: data.into(), pts: MonoTime(0), dts: MonoTime(0), arrived: MonoTime(0), keyframe }
}

/// The server's end.
pub struct TestServer {
    handshake: Option<Handshake>,
    chunks_in: ChunkDeserializer,
    chunks_out: ChunkSerializer,
    pub seen: Vec<(RtmpMessage, u32)>,
    pub reply: Vec<u8>,
}

impl TestServer {
    pub fn new() -> Self {
        Self {
            handshake: Some(Handshake::new(PeerType::Server)),
            chunks_in: ChunkDeserializer::new(),
            chunks_out: ChunkSerializer::new(),
            seen: Vec::new(),
            reply: Vec::new(),
        }
    }

    pub fn input(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if let Some(handshake) = &mut self.handshake {
            match handshake.process_bytes(&bytes).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.reply.extend(response_bytes);
                    return;
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.reply.extend(response_bytes);
                    self.handshake = None;
                    bytes = remaining_bytes;
                }
            }
        }
        let mut next = self.chunks_in.get_next_message(&bytes).unwrap();
        while let Some(payload) = next {
            let message = payload.to_rtmp_message().unwrap();
            if let RtmpMessage::SetChunkSize { size } = message {
                self.chunks_in.set_max_chunk_size(size as usize).unwrap();
            }
            self.seen.push((message, payload.timestamp.value));
            next = self.chunks_in.get_next_message(&[]).unwrap();
        }
    }

    pub fn send(&mut self, message: RtmpMessage) {
        let payload = message.into_message_payload(RtmpTimestamp::new(0), 0).unwrap();
        self.reply.extend(self.chunks_out.serialize(&payload, false, false).unwrap().bytes);
    }

    pub fn command(&mut self, name: &str, transaction_id: f64, arguments: Vec<Amf0Value>) {
        self.send(RtmpMessage::Amf0Command {
            command_name: name.into(),
            transaction_id,
            command_object: Amf0Value::Null,
            additional_arguments: arguments,
        });
    }

    pub fn commands(&self) -> Vec<(String, Vec<Amf0Value>)> {
        let of = |message: &RtmpMessage| match message {
            RtmpMessage::Amf0Command { command_name, additional_arguments, .. } => {
                Some((command_name.clone(), additional_arguments.clone()))
            }
            _ => None,
        };
        self.seen.iter().filter_map(|(message, _)| of(message)).collect()
    }

    pub fn videos(&self) -> Vec<(Vec<u8>, u32)> {
        let of = |(message, ms): &(RtmpMessage, u32)| match message {
            RtmpMessage::VideoData { data } => Some((data.to_vec(), *ms)),
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }
}

pub fn status(code: &str, level: &str) -> Vec<Amf0Value> {
    vec![Amf0Value::Object(HashMap::from([
        ("code".to_owned(), Amf0Value::Utf8String(code.into())),
        ("level".to_owned(), Amf0Value::Utf8String(level.into())),
        ("description".to_owned(), Amf0Value::Utf8String("because\nof that".into())),
    ]))]
}
