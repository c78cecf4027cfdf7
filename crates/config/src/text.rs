//! From bytes to text, and from offsets to lines and columns.

use crate::parse_error::ParseError;

/// The text of a settings file without its byte order mark.
///
/// # Errors
/// The bytes are not UTF-8 text. The valid text before the first bad byte is returned with the error, so that its position
/// can be reported.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, (&str, ParseError)> {
    let utf16 = || {
        ParseError::new("the file is UTF-16, not UTF-8")
            .with_hint("save it again as UTF-8 (Notepad: Save as, Encoding)")
    };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || looks_utf16(bytes) {
        return Err(("", utf16()));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let good = std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or("");
            if let Some(nul) = good.find('\0') {
                return Err((&good[..nul], binary()));
            }
            let byte = bytes.get(e.valid_up_to()).copied().unwrap_or(0);
            let fault = ParseError::new(format!("byte 0x{byte:02x} is not UTF-8"))
                .with_hint("save the file as UTF-8");
            return Err((good, fault));
        }
    };
    if let Some(nul) = text.find('\0') {
        return Err((&text[..nul], binary()));
    }
    if let Some(lone) = lone_return(text) {
        let fault = ParseError::new("a carriage return without a line feed")
            .with_hint("save the file with Unix (LF) or Windows (CRLF) line endings");
        return Err((&text[..lone], fault));
    }
    Ok(text)
}

fn binary() -> ParseError {
    ParseError::new("a zero byte: this is not a text file")
        .with_hint("the settings are a plain text file in UTF-8")
}

/// Whether the first characters are plain ASCII in UTF-16: every other byte is zero.
fn looks_utf16(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(16) & !1];
    let zeros = |parity: usize| head.iter().skip(parity).step_by(2).all(|b| *b == 0);
    let text = |parity: usize| head.iter().skip(parity).step_by(2).all(|b| *b != 0);
    head.len() >= 2 && ((zeros(1) && text(0)) || (zeros(0) && text(1)))
}

fn lone_return(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|i| bytes[*i] == b'\r' && bytes.get(i + 1) != Some(&b'\n'))
}

/// Where each line of a text begins, and on which line each byte is.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// By offset, including the end of the text.
    lines: Vec<u32>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let mut starts = vec![0];
        let mut lines = Vec::with_capacity(text.len() + 1);
        let mut line = 0;
        for (offset, byte) in text.bytes().enumerate() {
            lines.push(line);
            if byte == b'\n' {
                starts.push(offset + 1);
                line += 1;
            }
        }
        lines.push(line);
        Self { text, starts, lines }
    }

    /// Line of a byte offset, from 0.
    pub fn line(&self, offset: usize) -> usize {
        self.lines[offset.min(self.text.len())] as usize
    }

    /// A line's text without its line ending.
    pub fn content(&self, line: usize) -> &'t str {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// Line and column (in characters) of a byte offset, both from 1. An offset past the text of its line counts as its end.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let inside = offset.saturating_sub(self.starts[line]);
        (line + 1, self.content(line).char_indices().take_while(|(i, _)| *i < inside).count() + 1)
    }

    /// How many characters of a span are on its first line, at least 1.
    pub fn width(&self, span: &std::ops::Range<usize>) -> usize {
        let line = self.line(span.start);
        let start = self.starts[line];
        let (from, to) = (span.start.saturating_sub(start), span.end.saturating_sub(start));
        self.content(line).char_indices().filter(|(i, _)| (from..to).contains(i)).count().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_before_their_return() {
        let lines = Lines::new("äb\r\nc\n");
        let positions: Vec<_> = [0, 2, 3, 4, 5, 6, 7, 99].map(|o| lines.position(o)).into();
        assert_eq!(positions, [(1, 1), (1, 2), (1, 3), (1, 3), (2, 1), (2, 2), (3, 1), (3, 1)]);
        assert_eq!(lines.width(&(0..3)), 2);
        assert_eq!(lines.width(&(6..6)), 1);
    }

    #[test]
    fn an_offset_within_a_character_does_no_harm() {
        assert_eq!(Lines::new("ä").position(1), (1, 2));
    }
}
