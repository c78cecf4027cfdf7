//! `[[stream]]`: one camera and the sinks it is pushed to.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::bitrate::{Bitrate, BitrateRange};
use crate::duration;
use crate::parse_error::{ParseError, unknown_word};
use crate::reader::{Reader, SecretText, Section};
use crate::redaction::HIDDEN;
use crate::robot::name;
use crate::sink::SinkUrl;
use crate::size::Size;
use crate::source::Source;

/// One stream: a source, and the sinks it is pushed to.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Unique among the streams; same form as [`Device::name`](crate::Device::name).
    pub name: String,
    /// Where the video comes from.
    pub source: Source,
    /// The sinks it is pushed to; empty for a camera that only the page shows. No duplicate URLs.
    pub push: Vec<SinkUrl>,
    /// Default [`Encode::Auto`].
    pub encode: Encode,
    /// Default 300 kbit/s to 4 Mbit/s; `0 < min <= max <= 100 Mbit/s`.
    pub bitrate: BitrateRange,
    /// Picture size when encoding. If absent, the source's own; for a camera of the box, one of its sizes near 1280x720.
    pub size: Option<Size>,
    /// Frames per second when encoding, 1 to 240. If absent, the source's own; for a camera of the box, one of its rates
    /// near 30.
    pub fps: Option<u32>,
    /// Longest time between keyframes when encoding: 100 ms to 60 s, default 2 s.
    pub keyframe_interval: Duration,
    /// Default [`Start::Always`].
    pub start: Start,
    /// Whether a slate keeps the session alive while the source is away; default true.
    pub slate: bool,
    /// How long to wait for a missing RTP packet: up to 5 s, default 40 ms.
    pub jitter_buffer: Duration,
}

/// When the box encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Encode {
    /// H.264 passes through if it meets the settings; otherwise it is encoded.
    #[default]
    Auto,
    /// The source's H.264 always passes through.
    Never,
    /// The video is always decoded and re-encoded.
    Always,
}

/// When a stream runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Start {
    /// From boot on.
    #[default]
    Always,
    /// On request.
    OnDemand,
}

const KEYS: &[&str] = &[
    "name",
    "source",
    "push",
    "encode",
    "bitrate",
    "size",
    "fps",
    "keyframe_interval",
    "start",
    "slate",
    "jitter_buffer",
];

/// The highest bitrate that is accepted.
const FASTEST: Bitrate = Bitrate::from_bps(100_000_000);

impl Stream {
    pub(crate) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, KEYS);
        let encode = reader.parsed(section, "encode", "`encode = \"auto\"`", |text| match text {
            "auto" => Ok(Encode::Auto),
            "never" => Ok(Encode::Never),
            "always" => Ok(Encode::Always),
            other => Err(unknown_word("value of `encode`", other, &["auto", "never", "always"])),
        });
        let start = reader.parsed(section, "start", "`start = \"always\"`", |text| match text {
            "always" => Ok(Start::Always),
            "on-demand" => Ok(Start::OnDemand),
            other => Err(unknown_word("value of `start`", other, &["always", "on-demand"])),
        });
        Self {
            name: reader.required(section, "name", "`name = \"front\"`", name).unwrap_or_default(),
            source: read_source(reader, section),
            push: read_push(reader, section),
            encode: encode.unwrap_or_default(),
            bitrate: read_bitrate(reader, section),
            size: reader.parsed(section, "size", "`size = \"1280x720\"`", str::parse),
            fps: reader.integer(section, "fps", 1..=240, "`fps = 30`"),
            keyframe_interval: time(reader, section, "keyframe_interval", 2_000, 100..=60_000),
            start: start.unwrap_or_default(),
            slate: reader.flag(section, "slate", true),
            jitter_buffer: time(reader, section, "jitter_buffer", 40, 0..=5_000),
        }
    }
}

fn time(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    default_ms: u64,
    bounds_ms: RangeInclusive<u64>,
) -> Duration {
    let default = Duration::from_millis(default_ms);
    let (least, most) = (Duration::from_millis(*bounds_ms.start()), Duration::from_millis(*bounds_ms.end()));
    let example = format!("`{key} = \"{}\"`", duration::format(default));
    let value = reader.parsed(section, key, &example, |text| {
        let value = duration::parse(text)?;
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(ParseError::new(format!("`{key}` is out of range")).with_hint(format!(
            "write a duration from {} to {}",
            duration::format(least),
            duration::format(most)
        )))
    });
    value.unwrap_or(default)
}

/// The source; if there is none, or it is invalid, a placeholder that is marked as invalid.
fn read_source(reader: &mut Reader<'_>, section: &Section<'_>) -> Source {
    const EXAMPLE: &str = "`source = \"spot:\"` or another source, such as \"rtsp://192.168.1.5/stream\"";
    let placeholder = Source::Test { pattern: None };
    let Some(node) = reader.node(section, "source") else {
        reader.missing(section, "source", EXAMPLE);
        return placeholder;
    };
    match reader.secret_text(&node, EXAMPLE) {
        Some(SecretText::Plain(text)) => match text.parse() {
            Ok(source) => {
                if Source::to_string(&source).contains(HIDDEN) {
                    reader.hold_plain(&node, &text);
                }
                return source;
            }
            Err(fault) => reader.fault(&node, fault),
        },
        Some(SecretText::Trusted) => reader.spans.mark_invalid(&node.path),
        None => {}
    }
    placeholder
}

fn read_push(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<SinkUrl> {
    const EXAMPLE: &str = "`push = [\"rtmps://HOST/APP/KEY\"]`";
    let mut push = Vec::new();
    for node in reader.list(section, "push", EXAMPLE) {
        let Some(SecretText::Plain(text)) = reader.secret_text(&node, EXAMPLE) else { continue };
        match text.parse::<SinkUrl>() {
            Ok(sink) => {
                // The rules refer to entries by their position among the valid ones.
                reader.spans.set(format!("{}.sink.{}", section.path, push.len()), node.span.clone());
                if sink.redacted().contains(HIDDEN) {
                    reader.hold_plain(&node, &text);
                }
                push.push(sink);
            }
            Err(fault) => reader.fault(&node, fault),
        }
    }
    push
}

fn read_bitrate(reader: &mut Reader<'_>, section: &Section<'_>) -> BitrateRange {
    let mut range = BitrateRange::default();
    let Some(node) = reader.node(section, "bitrate") else { return range };
    let Some(bounds) = reader.bounds(&node) else { return range };
    reader.known(&bounds, &["min", "max"]);
    let read =
        |text: &str| {
            let rate: Bitrate = text.parse()?;
            match rate {
                _ if rate.bps() == 0 => Err(ParseError::new("a bitrate of 0 carries nothing")
                    .with_hint("write at least \"1 kbit/s\"")),
                _ if rate > FASTEST => Err(ParseError::new(format!("bitrate {rate} is too high"))
                    .with_hint(format!("write at most \"{FASTEST}\""))),
                _ => Ok(rate),
            }
        };
    if let Some(min) = reader.parsed(&bounds, "min", "`min = \"300 kbit/s\"`", read) {
        range.min = min;
    }
    if let Some(max) = reader.parsed(&bounds, "max", "`max = \"4 Mbit/s\"`", read) {
        range.max = max;
    }
    range
}
