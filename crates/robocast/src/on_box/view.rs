//! What `robocast run` and `robocast status` show to people.

mod net;

pub use net::net_table;

use robocast_bus::{SinkState, StreamState, StreamStatus};
use std::io::{IsTerminal, Write};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How `robocast run` shows what it does.
#[derive(Debug)]
pub enum View {
    /// One JSON object a second and stream.
    Json,
    /// A line whenever something changes.
    Lines {
        /// What was last said of each stream.
        last: Vec<String>,
    },
    /// A table that is drawn anew each second, with log lines running above it.
    Live {
        device: String,
        began: Instant,
        /// Lines the table takes up now.
        height: usize,
        table: Vec<String>,
        colour: bool,
        lines: mpsc::UnboundedReceiver<String>,
    },
}

impl View {
    /// JSON when asked for, the live table on a terminal, plain lines otherwise.
    pub fn choose(json: bool, device: &str, lines: mpsc::UnboundedReceiver<String>) -> Self {
        if json {
            return Self::Json;
        }
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if !std::io::stdout().is_terminal() || dumb {
            return Self::Lines { last: Vec::new() };
        }
        let colour = std::env::var_os("NO_COLOR").is_none();
        let device = device.to_owned();
        Self::Live { device, began: Instant::now(), height: 0, table: Vec::new(), colour, lines }
    }

    /// Whether log lines must come through here, so as not to tear the table.
    pub fn live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Waits for a log line and shows it above the table. Cancel safe.
    pub async fn line(&mut self) {
        let Self::Live { lines, .. } = self else { return std::future::pending().await };
        match lines.recv().await {
            Some(line) => self.draw(Some(&line)),
            None => std::future::pending().await,
        }
    }

    /// Shows how the streams are now.
    pub fn show(&mut self, streams: &[StreamStatus]) {
        let mut out = std::io::stdout().lock();
        match self {
            Self::Json => {
                for stream in streams {
                    let _ = serde_json::to_writer(&mut out, stream);
                    let _ = writeln!(out);
                }
                let _ = out.flush();
            }
            Self::Lines { last } => {
                let now: Vec<String> = streams.iter().map(changes).collect();
                for line in now.iter().filter(|line| !last.contains(line)) {
                    let _ = writeln!(out, "{line}");
                }
                let _ = out.flush();
                *last = now;
            }
            Self::Live { device, began, table: shown, colour, .. } => {
                let seconds = began.elapsed().as_secs();
                let mut lines = vec![format!(
                    "{} {:02}:{:02}:{:02}   Ctrl-C ends it",
                    paint(*colour, "1", &format!("robocast {device}")),
                    seconds / 3600,
                    seconds / 60 % 60,
                    seconds % 60
                )];
                lines.extend(table(streams, *colour));
                *shown = lines;
                drop(out);
                self.draw(None);
            }
        }
    }

    /// Leaves the last table standing.
    pub fn end(&mut self) {
        if let Self::Live { lines, .. } = self {
            lines.close();
        }
    }

    fn draw(&mut self, above: Option<&str>) {
        let Self::Live { height, table, .. } = self else { return };
        let mut out = std::io::stdout().lock();
        let mut frame = String::new();
        if *height > 0 {
            frame.push_str(&format!("\x1b[{height}A"));
        }
        // Down to the end of the screen is ours.
        frame.push_str("\r\x1b[J");
        if let Some(line) = above {
            frame.push_str(line);
            frame.push('\n');
        }
        for line in table.iter() {
            // Without wrapping: a wrapped line would break the count.
            frame.push_str(&format!("\x1b[?7l{line}\x1b[?7h\n"));
        }
        *height = table.len();
        let _ = out.write_all(frame.as_bytes());
        let _ = out.flush();
    }
}

/// A table of streams and their sinks.
pub fn table(streams: &[StreamStatus], colour: bool) -> Vec<String> {
    let width = streams.iter().map(|stream| stream.stream.len()).max().unwrap_or(0).max(6);
    let mut lines = Vec::new();
    for stream in streams {
        let latency = stream.latency_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
        lines.push(format!(
            "{:width$}  {}  {:>12}  {:>9} frames  {:>9}  {}",
            stream.stream,
            paint(colour, tone(stream.state), &format!("{:8}", word(&stream.state))),
            rate(stream.bitrate_bps),
            stream.frames_out,
            latency,
            stream.text,
        ));
        for sink in &stream.sinks {
            let tries =
                if sink.reconnects > 0 { format!("{} reconnects", sink.reconnects) } else { String::new() };
            lines.push(format!(
                "{:width$}  {} {}  {} frames  {}  {tries}",
                "",
                paint(colour, sink_tone(sink.state), &format!("{:10}", word(&sink.state))),
                sink.url,
                sink.frames_out,
                net::way(sink),
            ));
        }
    }
    lines
}

/// What of a stream is worth a line when it changes.
fn changes(stream: &StreamStatus) -> String {
    let sinks: Vec<String> =
        stream.sinks.iter().map(|sink| format!("{} {}", sink.url, word(&sink.state))).collect();
    let text =
        if stream.text.is_empty() { String::new() } else { format!(" ({})", without_numbers(&stream.text)) };
    format!("{}: {}{text}; {}", stream.stream, word(&stream.state), sinks.join(", "))
}

/// The text up to a count that changes every second.
fn without_numbers(text: &str) -> &str {
    let counted = text
        .match_indices(" for ")
        .find(|(at, word)| text[at + word.len()..].starts_with(|c: char| c.is_ascii_digit()));
    counted.map_or(text, |(at, _)| &text[..at])
}

fn word(state: &impl serde::Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
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

fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
