//! The layout of streams and their sinks: states and numbers side by side, and each text on separate lines below its
//! subject, wrapped so that nothing is cut off.

use super::{net, paint};
use robocast_bus::{NetStatus, SinkState, SinkStatus, SourceState, StreamState, StreamStatus};
use std::time::{SystemTime, UNIX_EPOCH};
use textwrap::{Options, WordSplitter};

/// Between a number and its unit, which stay on one line; shown as a space.
const TOGETHER: char = '\u{a0}';

/// All streams with their sinks, and the network where it is known: `columns` wide, or as wide as needed.
pub fn lines(
    streams: &[StreamStatus],
    net: Option<&NetStatus>,
    colour: bool,
    columns: Option<usize>,
) -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut lines = table(streams, now, colour, columns);
    for line in net.into_iter().flat_map(|net| net::net_table(net, colour)) {
        let indent = line.len() - line.trim_start().len() + 4;
        lines.extend(fitted(&line, columns, indent));
    }
    lines
}

fn table(streams: &[StreamStatus], now: u64, colour: bool, columns: Option<usize>) -> Vec<String> {
    let width = streams.iter().map(|stream| stream.stream.len()).max().unwrap_or(0).max(6);
    streams.iter().flat_map(|stream| rows(stream, now, width, colour, columns)).collect()
}

fn rows(stream: &StreamStatus, now: u64, width: usize, colour: bool, columns: Option<usize>) -> Vec<String> {
    // A long name is no reason to leave the rest no room.
    let indent = columns.map_or(width + 2, |columns| (width + 2).min(columns / 4));
    let latency = stream.latency_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
    let line = format!(
        "{:width$}  {}  {:>12}  {:>9} frames  {:>9}",
        stream.stream,
        paint(colour, tone(stream.state), &format!("{:8}", stream.state.word())),
        rate(stream.bitrate_bps),
        stream.frames_out,
        latency,
    );
    let mut lines = fitted(&line, columns, indent);
    let text = |text: &str, tone: &str, indent: usize| {
        let columns = columns.map_or(usize::MAX, |columns| columns.saturating_sub(indent));
        let lines = wrapped(&plain(text), columns, 0).into_iter().filter(|line| !line.is_empty());
        lines.map(|line| format!("{:indent$}{}", "", paint(colour, tone, &line))).collect::<Vec<_>>()
    };
    // The text of a sink belongs below the sink.
    if !stream.sinks.iter().any(|sink| stream.text == format!("{}: {}", sink.url, sink.text)) {
        lines.extend(text(&timed_text(stream, now), tone(stream.state), indent));
    }
    for sink in &stream.sinks {
        let line = format!("{:indent$}{}", "", sink_line(sink, colour));
        lines.extend(fitted(&line, columns, indent + 2));
        lines.extend(text(&sink.text, sink_tone(sink.state), indent + 2));
    }
    lines
}

/// The stream's text, with how long the source has been away by now (seconds of Unix time).
fn timed_text(stream: &StreamStatus, now: u64) -> String {
    match stream.since.and_then(|since| now.checked_sub(since)) {
        Some(seconds) if stream.source_state == SourceState::Lost && !stream.text.is_empty() => {
            format!("{} for {}", stream.text, duration(seconds))
        }
        _ => stream.text.clone(),
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}{TOGETHER}s"),
        120..7200 => format!("{}{TOGETHER}min", seconds / 60),
        _ => format!("{}{TOGETHER}h", seconds / 3600),
    }
}

fn sink_line(sink: &SinkStatus, colour: bool) -> String {
    let state = paint(colour, sink_tone(sink.state), &format!("{:10}", sink.state.word()));
    let frames = format!("{}{TOGETHER}frames", sink.frames_out);
    let tries = match sink.reconnects {
        0 => String::new(),
        count => format!("{count}{TOGETHER}reconnects"),
    };
    let uplink = net::uplink_of(sink);
    let parts = [frames.as_str(), &uplink, &tries];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{state} {}  {}", sink.url, parts.join("  "))
}

/// Why something is not seen at all.
pub fn failure(why: &str, colour: bool, columns: usize) -> Vec<String> {
    wrapped(&plain(why), columns, 2).iter().map(|line| paint(colour, "31", line)).collect()
}

fn fitted(line: &str, columns: Option<usize>, indent: usize) -> Vec<String> {
    columns.map_or_else(
        || vec![line.trim_end().replace(TOGETHER, " ")],
        |columns| wrapped(line, columns, indent),
    )
}

/// The line, broken between words; continuation lines are indented by `indent`. A word that is too long is broken too.
/// Colours take no room.
pub fn wrapped(line: &str, columns: usize, indent: usize) -> Vec<String> {
    let indent = " ".repeat(indent);
    let line = line.trim_end();
    let options = Options::new(columns).word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(line, options.subsequent_indent(&indent));
    lines.into_iter().map(|line| line.replace(TOGETHER, " ")).collect()
}

/// A text in one line. A message from a server or a robot must not control the terminal.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn rate(bps: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let kbps = bps as f64 / 1000.0;
    if kbps >= 1000.0 { format!("{:.2} Mbit/s", kbps / 1000.0) } else { format!("{kbps:.0} kbit/s") }
}

fn tone(state: StreamState) -> &'static str {
    match state {
        StreamState::Live => "32",
        StreamState::Stopped | StreamState::Starting => "2",
        StreamState::Slate | StreamState::Waiting | StreamState::Offline => "33",
        StreamState::Failed => "31",
    }
}

fn sink_tone(state: SinkState) -> &'static str {
    match state {
        SinkState::Publishing => "32",
        SinkState::Idle | SinkState::Connecting => "2",
        SinkState::Waiting => "33",
        SinkState::Refused | SinkState::Failed => "31",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str =
        "cannot reach live.example.net: no address for the name; check [uplink] and the host's name";

    fn stream(text: &str, sinks: &[SinkStatus]) -> StreamStatus {
        StreamStatus {
            stream: "front".into(),
            state: StreamState::Live,
            text: text.into(),
            frames_out: 1234,
            bitrate_bps: 1_250_000,
            latency_ms: Some(1.26),
            sinks: sinks.to_vec(),
            ..StreamStatus::default()
        }
    }

    fn sink(state: SinkState, text: &str) -> SinkStatus {
        let url = "rtmp://live.example.net/app/***".into();
        SinkStatus { url, state, text: text.into(), frames_out: 1234, ..SinkStatus::default() }
    }

    fn shown(streams: &[StreamStatus], columns: usize) -> String {
        table(streams, 0, false, Some(columns)).join("\n")
    }

    #[test]
    fn a_long_text_stands_whole_below_the_sink_that_it_is_about() {
        let sinks = [sink(SinkState::Publishing, ""), sink(SinkState::Waiting, WHY)];
        let text = format!("{}: {WHY}", sinks[1].url);
        let expected = "\
front   live       1.25 Mbit/s       1234 frames     1.3 ms
        publishing rtmp://live.example.net/app/***
          1234 frames
        waiting    rtmp://live.example.net/app/***
          1234 frames
          cannot reach live.example.net: no address for the
          name; check [uplink] and the host's name";
        assert_eq!(shown(&[stream(&text, &sinks)], 60), expected);
        let expected = "\
front   live       1.25 Mbit/s       1234 frames     1.3 ms
        publishing rtmp://live.example.net/app/***  1234 frames
        waiting    rtmp://live.example.net/app/***  1234 frames
          cannot reach live.example.net: no address for the name; check [uplink] and the host's name";
        assert_eq!(shown(&[stream(&text, &sinks)], 120), expected);
        assert_eq!(
            table(&[stream(&text, &sinks)], 0, false, None).join("\n"),
            expected,
            "without a terminal"
        );
    }

    #[test]
    fn what_is_wrong_with_the_source_stands_below_the_stream() {
        let why = "no frames from rtsp://192.168.50.3:554/a/long/path for 12 s; is the robot on, and its cable plugged in?";
        let expected = "\
front   live       1.25 Mbit/s       1234 frames     1.3 ms
        no frames from rtsp://192.168.50.3:554/a/long/path
        for 12 s; is the robot on, and its cable plugged in?
        idle       rtmp://live.example.net/app/***
          1234 frames";
        assert_eq!(shown(&[stream(why, &[sink(SinkState::Idle, "")])], 60), expected);
    }

    #[test]
    fn how_long_a_source_has_been_away_is_counted_where_it_is_shown() {
        let lost = |source_state, since| StreamStatus {
            source_state,
            since,
            ..stream("no frames from test:", &[sink(SinkState::Idle, "")])
        };
        let text =
            |stream: &StreamStatus, now| table(std::slice::from_ref(stream), now, false, Some(80))[1].clone();
        let away = lost(SourceState::Lost, Some(1000));
        for (now, expected) in [
            (1000, "        no frames from test: for 0 s"),
            (1012, "        no frames from test: for 12 s"),
            (1119, "        no frames from test: for 119 s"),
            (1120, "        no frames from test: for 2 min"),
            (1000 + 7200, "        no frames from test: for 2 h"),
            // The clock was set back.
            (7, "        no frames from test:"),
        ] {
            assert_eq!(text(&away, now), expected);
        }
        assert_eq!(text(&lost(SourceState::Lost, None), 1012), "        no frames from test:");
        assert_eq!(text(&lost(SourceState::Failed, Some(1000)), 1012), "        no frames from test:");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_word_is_lost() {
        let path = format!("/{}", "x".repeat(150));
        let name = "a-name-of-as-many-as-32-letters-";
        let text = format!("cannot open {path} ({WHY})");
        for columns in 20..200 {
            for colour in [false, true] {
                let sinks = [sink(SinkState::Refused, &text)];
                let stream = StreamStatus { stream: name.into(), ..stream("lost", &sinks) };
                let lines = table(&[stream], 0, colour, Some(columns));
                let widest = lines.iter().map(|line| textwrap::core::display_width(line)).max().unwrap();
                assert!(widest <= columns, "{widest} of {columns}: {lines:#?}");
                let words = |text: &str| text.split_whitespace().collect::<String>();
                let lines: String = lines
                    .iter()
                    .map(|line| words(&line.replace("\x1b[31m", "").replace("\x1b[0m", "")))
                    .collect();
                assert!(lines.contains(&words(&text)), "{columns}: {lines}");
            }
        }
    }

    #[test]
    fn a_text_that_a_server_sent_steers_no_terminal() {
        let text = "denied:\n\x1b[2J\x1b[31mred\r\u{7}";
        let lines = table(&[stream(text, &[])], 0, false, Some(80));
        assert_eq!(lines[1], "        denied: ?[2J?[31mred ?");
    }

    #[test]
    fn the_network_is_wrapped_too() {
        let net = NetStatus { why: WHY.into(), chosen: "wlan0".into(), proven: true, ..NetStatus::default() };
        let expected = "\
network  goes by wlan0: cannot reach live.example.net: no
    address for the name; check [uplink] and the host's name
  robot  none set";
        assert_eq!(lines(&[], Some(&net), false, Some(60)).join("\n"), expected);
    }
}
