//! A table on a terminal that is drawn over the one before, with log lines running above it.

use dialoguer::console::Term;
use std::io::{IsTerminal, Write};
use textwrap::core::display_width;

/// The size of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub columns: usize,
    pub rows: usize,
}

impl Room {
    /// The present size of the terminal on standard output.
    pub fn of_stdout() -> Self {
        let (rows, columns) = Term::stdout().size_checked().filter(|&(rows, _)| rows > 1).unwrap_or((24, 80));
        Self { columns: columns.max(1).into(), rows: rows.into() }
    }
}

/// The table on the terminal.
#[derive(Debug)]
pub struct Screen {
    pub colour: bool,
    /// The widths of the lines on the screen.
    drawn: Vec<usize>,
}

impl Screen {
    /// The terminal on standard output; `None` when it is not a terminal, or cannot be drawn over.
    pub fn of_stdout() -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = std::env::var_os("NO_COLOR").is_none();
        (std::io::stdout().is_terminal() && !dumb).then_some(Self { colour, drawn: Vec::new() })
    }

    /// Draws `table` over the previous one, and `above` above it, to stay.
    pub fn show(&mut self, above: Option<&str>, table: &[String], room: Room) {
        let frame = self.frame(above, table, room);
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(frame.as_bytes());
        let _ = out.flush();
    }

    fn frame(&mut self, above: Option<&str>, table: &[String], room: Room) -> String {
        let mut frame = String::new();
        // A terminal that became narrower has wrapped the lines on it.
        let height: usize = self.drawn.iter().map(|width| width.div_ceil(room.columns).max(1)).sum();
        if height > 0 {
            // Everything down to the end of the screen is ours. The first line is cleared separately: some terminals
            // keep a whole screen that is cleared at once in their scrollback, where every table would remain.
            frame.push_str(&format!("\x1b[{height}A\r\x1b[K\x1b[B\x1b[J\x1b[A"));
        }
        if let Some(line) = above {
            frame.push_str(line);
            frame.push('\n');
        }
        let shown = fitting(table, room.rows);
        for line in &shown {
            // Without wrapping: a wrapped line would break the count.
            frame.push_str(&format!("\x1b[?7l{line}\x1b[?7h\n"));
        }
        self.drawn = shown.iter().map(|line| display_width(line)).collect();
        frame
    }
}

/// The part of the table that fits: lines that left the screen at its top could not be drawn over.
fn fitting(table: &[String], rows: usize) -> Vec<String> {
    // The cursor is in the last row.
    let room = rows.saturating_sub(1).max(1);
    if table.len() <= room {
        return table.to_vec();
    }
    let mut shown = table[..room - 1].to_vec();
    shown.push(format!("({} more lines: the terminal is too low)", table.len() - shown.len()));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen { colour: false, drawn: Vec::new() }
    }

    fn lines(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("line {number}")).collect()
    }

    /// How many rows a frame moves up before it draws.
    fn up(frame: &str) -> usize {
        let up = frame.strip_prefix("\x1b[").and_then(|rest| rest.split_once('A')?.0.parse().ok());
        up.unwrap_or(0)
    }

    #[test]
    fn a_table_is_drawn_over_the_one_before_however_many_lines_that_had() {
        let (mut screen, room) = (screen(), Room { columns: 80, rows: 24 });
        assert_eq!(up(&screen.frame(None, &lines(3), room)), 0, "nothing of ours is there yet");
        assert_eq!(up(&screen.frame(None, &lines(5), room)), 3);
        let frame = screen.frame(Some("a log line"), &lines(1), room);
        assert_eq!(frame, "\x1b[5A\r\x1b[K\x1b[B\x1b[J\x1b[Aa log line\n\x1b[?7lline 0\x1b[?7h\n");
        assert_eq!(up(&screen.frame(None, &lines(1), room)), 1, "log lines stay");
    }

    #[test]
    fn a_table_that_is_higher_than_the_terminal_is_cut_so_that_it_can_be_drawn_over() {
        let (mut screen, room) = (screen(), Room { columns: 80, rows: 6 });
        let frame = screen.frame(None, &lines(9), room);
        assert!(frame.contains("line 3") && !frame.contains("line 4"), "{frame}");
        assert!(frame.contains("(5 more lines: the terminal is too low)"), "{frame}");
        assert_eq!(up(&screen.frame(None, &lines(5), room)), 5);
        assert!(!screen.frame(None, &lines(5), room).contains("more lines"), "five rows and the cursor's");
    }

    #[test]
    fn lines_that_a_narrower_terminal_wrapped_are_drawn_over_whole() {
        let mut screen = screen();
        screen.frame(None, &["x".repeat(70), "\x1b[32mshort\x1b[0m".into()], Room { columns: 80, rows: 24 });
        assert_eq!(up(&screen.frame(None, &[], Room { columns: 30, rows: 24 })), 3 + 1);
    }
}
