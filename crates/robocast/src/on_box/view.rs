//! What `robocast run` and `robocast status` show to people.

mod layout;
mod net;
mod screen;

pub use layout::{failure, lines};
pub use screen::{Room, Screen};

use robocast_bus::StreamStatus;
use std::io::Write;
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
        screen: Screen,
        streams: Vec<StreamStatus>,
        lines: mpsc::UnboundedReceiver<String>,
    },
}

impl View {
    /// JSON when asked for, the live table on a terminal, plain lines otherwise.
    pub fn choose(json: bool, device: &str, lines: mpsc::UnboundedReceiver<String>) -> Self {
        if json {
            return Self::Json;
        }
        match Screen::of_stdout() {
            Some(screen) => {
                let (device, began) = (device.to_owned(), Instant::now());
                Self::Live { device, began, screen, streams: Vec::new(), lines }
            }
            None => Self::Lines { last: Vec::new() },
        }
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
            Self::Live { streams: shown, .. } => {
                streams.clone_into(shown);
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
        let Self::Live { device, began, screen, streams, .. } = self else { return };
        let seconds = began.elapsed().as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let (room, colour) = (Room::of_stdout(), screen.colour);
        let title = paint(colour, "1", &format!("robocast {device}"));
        let title = format!("{title} {hours:02}:{minutes:02}:{seconds:02}   Ctrl-C ends it");
        let mut lines = layout::wrapped(&title, room.columns, 2);
        lines.extend(layout::lines(streams, None, colour, Some(room.columns)));
        screen.show(above, &lines, room);
    }
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

fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
