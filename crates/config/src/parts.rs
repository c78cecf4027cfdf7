//! Which part of the settings belongs to which program: a program is notified of a change only when its own part changed. A
//! key that is added to a stream must be given to at least one program, or this does not compile.

use std::time::Duration;

use crate::bitrate::BitrateRange;
use crate::robot::{Device, Robot};
use crate::settings::Settings;
use crate::sink::SinkUrl;
use crate::size::Size;
use crate::source::Source;
use crate::stream::{Encode, Start, Stream};
use crate::tls::Tls;

/// The settings that a stream's camera program uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraPart<'a> {
    robot: &'a Robot,
    tls: &'a Tls,
    name: &'a str,
    source: &'a Source,
    encode: Encode,
    bitrate: BitrateRange,
    size: Option<Size>,
    fps: Option<u32>,
    keyframe_interval: Duration,
    start: Start,
    jitter_buffer: Duration,
}

/// The settings that a stream's push program uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PushPart<'a> {
    device: &'a Device,
    tls: &'a Tls,
    name: &'a str,
    push: &'a [SinkUrl],
    /// For the slate, while the size of the robot's video is not known.
    size: Option<Size>,
    /// For the slate.
    keyframe_interval: Duration,
    start: Start,
    slate: bool,
}

impl Settings {
    /// The camera's part of a stream's settings; none if there is no such stream.
    pub fn camera_part(&self, stream: &str) -> Option<CameraPart<'_>> {
        let Self { robot, tls, .. } = self;
        let Stream {
            name,
            source,
            push: _,
            encode,
            bitrate,
            size,
            fps,
            keyframe_interval,
            start,
            slate: _,
            jitter_buffer,
        } = self.stream(stream)?;
        Some(CameraPart {
            robot,
            tls,
            name,
            source,
            encode: *encode,
            bitrate: *bitrate,
            size: *size,
            fps: *fps,
            keyframe_interval: *keyframe_interval,
            start: *start,
            jitter_buffer: *jitter_buffer,
        })
    }

    /// The push program's part of a stream's settings; none if there is no such stream.
    pub fn push_part(&self, stream: &str) -> Option<PushPart<'_>> {
        let Self { device, tls, .. } = self;
        let Stream {
            name,
            source: _,
            push,
            encode: _,
            bitrate: _,
            size,
            fps: _,
            keyframe_interval,
            start,
            slate,
            jitter_buffer: _,
        } = self.stream(stream)?;
        Some(PushPart {
            device,
            tls,
            name,
            push,
            size: *size,
            keyframe_interval: *keyframe_interval,
            start: *start,
            slate: *slate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str, rest: &str) -> Settings {
        let stream = "[[stream]]\nname = \"a\"\nsource = \"rtsp://10.0.0.3/a\"\n";
        let text = format!("schema = 1\n{head}{stream}{rest}");
        crate::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}\n{e}")).settings
    }

    #[test]
    fn each_key_belongs_to_the_camera_or_to_push_or_to_both() {
        let before = read("", "");
        for (head, rest, camera, push) in [
            ("", "", false, false),
            ("", "bitrate = { max = \"1 Mbit/s\" }\n", true, false),
            ("", "encode = \"never\"\n", true, false),
            ("", "fps = 15\n", true, false),
            ("", "jitter_buffer = \"80 ms\"\n", true, false),
            ("", "push = [\"rtmp://h/a/k\"]\n", false, true),
            ("", "slate = false\n", false, true),
            ("", "size = \"640x480\"\n", true, true),
            ("", "keyframe_interval = \"1 s\"\n", true, true),
            ("", "start = \"on-demand\"\n", true, true),
            ("[robot]\nusername = \"u\"\n", "", true, false),
            ("[device]\nname = \"other\"\n", "", false, true),
            ("[page]\npassword = \"abcdefgh\"\n", "", false, false),
        ] {
            let after = read(head, rest);
            assert_eq!(before.camera_part("a") != after.camera_part("a"), camera, "camera: {head}{rest}");
            assert_eq!(before.push_part("a") != after.push_part("a"), push, "push: {head}{rest}");
        }
        assert!(before.camera_part("b").is_none() && before.push_part("b").is_none());
    }
}
