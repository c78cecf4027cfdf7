//! Shows problems with their source line, as a compiler does, but never a line that may hold a secret.

use std::fmt::Write as _;

use crate::parse_error::printable;
use crate::problem::{Problem, Problems, Severity};

/// Keys whose whole line may be shown. Of any other line only the key is shown, or nothing: an unknown key may be a misspelt
/// `password`, and a line without a key may be part of a longer value.
const OPEN_KEYS: [&str; 33] = [
    "schema",
    "name",
    "kind",
    "address",
    "interface",
    "own_address",
    "username",
    "source",
    "encode",
    "bitrate",
    "min",
    "max",
    "size",
    "fps",
    "keyframe_interval",
    "start",
    "slate",
    "jitter_buffer",
    "order",
    "ssid",
    "country",
    "hidden",
    "apn",
    "roaming",
    "gateway",
    "dns",
    "mqtt",
    "topic",
    "url",
    "window",
    "ntp",
    "wifi",
    "lte",
];

/// Words that hide even the line of such a key: a URL, an inline table with a secret, a comment that reveals too much.
const CLOSED_WORDS: [&str; 9] = ["://", "pass", "pin", "seal", "push", "secret", "token", "key", "@"];

const LONGEST: usize = 120;

impl Problem {
    /// The problem with its source line and a mark under the place, as a compiler shows it. A line that may hold a secret is
    /// left out, or cut after its key. `source` is the whole file; `colour` adds ANSI colours. Ends with a newline.
    pub fn render(&self, file: &str, source: &str, colour: bool) -> String {
        let paint = |code: &'static str, text: &str| {
            if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let tone = if self.severity == Severity::Error { "1;31" } else { "1;33" };
        let place = paint("1", &format!("{file}:{}:{}:", self.line, self.column));
        let severity = paint(tone, &format!("{}:", self.severity));
        let mut out = format!("{place} {severity} {}\n", self.message);
        if let Some((shown, indent, width)) = self.excerpt(source) {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            let bar = paint("1;34", "|");
            let mark = paint(tone, &"^".repeat(width));
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {shown}", paint("1;34", &number));
            let _ = writeln!(out, "{gutter} {bar} {}{mark}", " ".repeat(indent));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  {} {hint}", paint("1;36", "hint:"));
        }
        out
    }

    /// The part of the line that may be shown, and the mark's indent and width in characters.
    fn excerpt(&self, source: &str) -> Option<(String, usize, usize)> {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let line = source.split('\n').nth(self.line.checked_sub(1)?)?.trim_end_matches('\r');
        let at = self.column.checked_sub(1)?;
        let shown: Vec<char> = visible(line, at)?
            .chars()
            .map(|c| {
                if c == '\t' {
                    ' '
                } else if printable(c) {
                    c
                } else {
                    '\u{fffd}'
                }
            })
            .collect();
        let from =
            if shown.len() > LONGEST { at.saturating_sub(LONGEST / 2).min(shown.len() - LONGEST) } else { 0 };
        let to = shown.len().min(from + LONGEST);
        let indent = at.checked_sub(from)?;
        let width = self.width.min((to - from).saturating_sub(indent)).max(1);
        Some((shown[from..to].iter().collect(), indent, width))
    }
}

/// The part of a line that may be shown when the problem is at character `at`.
fn visible(line: &str, at: usize) -> Option<String> {
    let trimmed = line.trim_start();
    let bare =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ' ' | '\t');
    if trimmed.starts_with('[') {
        let inside = trimmed.trim_start_matches('[');
        let head = &inside[..inside.find(|c| !bare(c)).unwrap_or(inside.len())];
        let tail: String = inside[head.len()..].chars().take_while(|c| *c == ']').collect();
        let shown = &line[..line.len() - inside.len() + head.len() + tail.len()];
        let whole = head.len() <= 64 && (!tail.is_empty() || head.len() == inside.len());
        return (whole && at <= shown.chars().count()).then(|| shown.to_owned());
    }
    let (key, value) = line.split_once('=')?;
    let name = key.trim();
    if name.is_empty() || name.len() > 32 || !name.chars().all(bare) {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or(name).trim();
    let lower = value.to_ascii_lowercase();
    if OPEN_KEYS.contains(&last) && !CLOSED_WORDS.iter().any(|w| lower.contains(w)) {
        return Some(line.to_owned());
    }
    (at < key.trim_end().chars().count()).then(|| format!("{key}= ***"))
}

impl Problems {
    /// All problems as [`Problem::render`] shows them.
    pub fn render(&self, file: &str, source: &str, colour: bool) -> String {
        self.iter().map(|problem| problem.render(file, source, colour)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown() {
        for (line, at, shown) in [
            ("name = \"Front\"", 7, Some("name = \"Front\"")),
            ("  robot.name = \"Front\"", 15, Some("  robot.name = \"Front\"")),
            ("password = \"hunter2\"", 11, None),
            ("password = \"hunter2\"", 0, Some("password = ***")),
            ("passwrd = \"hunter2\"", 0, Some("passwrd = ***")),
            ("push = [\"rtmp://h/app/KEY\"]", 8, None),
            ("source = \"rtsp://u:p@h/\"", 9, None),
            ("source = \"sport:\"", 9, Some("source = \"sport:\"")),
            ("lte = { apn = \"x\", pin = \"1234\" }", 6, None),
            ("  \"rtmp://h/app/KEY\",", 2, None),
            ("  'hunter2',", 2, None),
            ("[[stream]] # hunter2", 2, Some("[[stream]]")),
            ("[\"hunter2\"]", 1, None),
            ("[robot", 6, Some("[robot")),
            ("MIIEvQIBADANBgkqhkiG9w0BAQ==", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(visible(line, at).as_deref(), shown, "{line}");
        }
    }

    #[test]
    fn a_problem_is_shown_with_its_line_and_a_mark() {
        let problem = Problem {
            hint: Some("did you mean `size`?".to_owned()),
            width: 3,
            ..Problem::error(2, 1, "unknown key `siz`")
        };
        let shown = problem.render("f.toml", "schema = 1\nsiz = 3\n", false);
        assert_eq!(
            shown,
            "f.toml:2:1: error: unknown key `siz`\n  |\n2 | siz = ***\n  | ^^^\n  hint: did you mean `size`?\n"
        );
        assert!(problem.render("f.toml", "", true).contains("\x1b[1;31merror:\x1b[0m"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let source = format!("name = \"{}X{}\"", "a".repeat(500), "b".repeat(500));
        let problem = Problem::error(1, 509, "x");
        let shown = problem.render("f", &source, false);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2].chars().count(), LONGEST + 4);
        assert_eq!(lines[2].chars().position(|c| c == 'X'), lines[3].chars().position(|c| c == '^'));
    }
}
