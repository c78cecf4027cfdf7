//! The output of `robocast run` and `robocast status` for people.

mod layout;
mod net;
mod screen;

pub use layout::{failure, lines};
pub use screen::{Room, Screen};

use robocast_bus::StreamStatus;
use std::io::Write;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How `robocast run` shows its state.
#[derive(Debug)]
pub enum View {
    /// One JSON object a second and stream.
    Json,
    /// A line whenever something changes.
    Lines {
        /// The last line of each stream.
        last: Vec<String>,
    },
    /// A table that is drawn again each second, with log lines running above it.
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

    /// Whether log lines must pass through here, so that they do not break the table.
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

    /// Leaves the last table on the screen.
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

/// The line of a stream: a change in it is worth a new one.
fn changes(stream: &StreamStatus) -> String {
    let sinks: Vec<String> = stream.sinks.iter().map(|sink| format!("{} {}", sink.url, sink.state)).collect();
    let text = if stream.text.is_empty() { String::new() } else { format!(" ({})", stream.text) };
    format!("{}: {}{text}; {}", stream.stream, stream.state, sinks.join(", "))
}

fn paint(colour: bool, code: &str, text: &str) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
