//! The document as written: TOML with spans, and the parser's errors in our words.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use crate::parse_error::{ParseError, quote};
use crate::problem::{Collector, SHOWN};
use crate::text::Lines;

/// How deep tables and arrays may nest; each dot of a key counts as a level. The settings need 5.
pub(crate) const DEEPEST: usize = 32;

/// The bracket structure of a text, found token by token and without recursion, before any recursive parser reads the text.
#[derive(Default)]
struct Brackets {
    /// Where the text nests deeper than [`DEEPEST`].
    too_deep: Option<Range<usize>>,
    /// From the first bracket to the end of the line of each table header.
    headers: Vec<Range<usize>>,
    /// The outermost bracket that is never closed.
    open: Option<Range<usize>>,
}

impl Brackets {
    fn of(text: &str) -> Self {
        let mut found = Self::default();
        // Each open bracket, outermost first, with the dots of the key being read in it. The first entry is the file itself.
        let mut open = vec![(0..0, 0_usize)];
        let (mut line_is_empty, mut in_header) = (true, false);
        for token in toml_parser::Source::new(text).lex() {
            let span = token.span().start()..token.span().end();
            let outermost = open.len() == 1;
            match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                    if line_is_empty && outermost && token.kind() == TokenKind::LeftSquareBracket {
                        in_header = true;
                        found.headers.push(span.start..text.len());
                    }
                    open.push((span.clone(), 0));
                }
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    if outermost {
                        open[0].1 = 0;
                    } else {
                        open.pop();
                    }
                }
                TokenKind::Dot => open.last_mut().into_iter().for_each(|(_, dots)| *dots += 1),
                TokenKind::Comma => open.last_mut().into_iter().for_each(|(_, dots)| *dots = 0),
                TokenKind::Newline if in_header => {
                    in_header = false;
                    open.truncate(1);
                    open[0].1 = 0;
                    if let Some(header) = found.headers.last_mut() {
                        header.end = span.start;
                    }
                }
                TokenKind::Newline if outermost => open[0].1 = 0,
                _ => {}
            }
            line_is_empty = match token.kind() {
                TokenKind::Newline => true,
                TokenKind::Whitespace => line_is_empty,
                _ => false,
            };
            let depth = open.len() - 1 + open.iter().map(|(_, dots)| dots).sum::<usize>();
            if depth > DEEPEST {
                found.too_deep = Some(span);
                return found;
            }
        }
        found.open = open.get(1).filter(|_| !in_header).map(|(span, _)| span.clone());
        found
    }

    fn in_header(&self, offset: usize) -> bool {
        let next = self.headers.partition_point(|header| header.start <= offset);
        next.checked_sub(1).is_some_and(|last| offset <= self.headers[last].end)
    }
}

/// Parses as much as can be parsed and reports the rest.
pub(crate) fn tree<'t>(text: &'t str, lines: &Lines<'_>, out: &mut Collector) -> DeTable<'t> {
    let brackets = Brackets::of(text);
    if let Some(span) = brackets.too_deep {
        out.syntax(
            span,
            ParseError::new(format!("nested deeper than {DEEPEST} levels"))
                .with_hint("the settings need at most a table in a list in a table"),
        );
        return DeTable::new();
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    let runs_out =
        |message: &str| message.starts_with("unclosed array,") || message.starts_with("unclosed inline");
    // The parser read everything after an unclosed list as part of that list.
    let open = brackets.open.clone().filter(|_| errors.iter().any(|e| runs_out(e.message())));
    let mut found: Vec<(Range<usize>, &str)> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            (span.start.min(text.len())..span.end.min(text.len()), error.message())
        })
        .filter(|(span, _)| open.as_ref().is_none_or(|open| span.start <= open.start))
        .collect();
    // One mistake causes several errors: the first on a line describes it best.
    found.sort_by_key(|(span, _)| span.start);
    found.dedup_by_key(|(span, _)| lines.line(span.start));
    for (number, (mut span, message)) in found.into_iter().enumerate() {
        // Errors that are only counted need no text.
        let fault = if number <= SHOWN {
            explain(message, text.get(span.clone()).unwrap_or(""))
        } else {
            ParseError::new("")
        };
        if fault.message() == UNQUOTED {
            let before = text.get(..span.start).unwrap_or("");
            let word = before.char_indices().rfind(|(_, c)| c.is_whitespace() || "=[{,".contains(*c));
            span.start = word.map_or(0, |(at, c)| at + c.len_utf8());
        }
        // After a broken header nobody knows which table the lines below belong to.
        if brackets.in_header(span.start) && !message.starts_with("duplicate key") {
            out.bracket(span, fault);
        } else {
            out.syntax(span, fault);
        }
    }
    if let Some(span) = open {
        let (what, end) = if text[span.clone()].starts_with('[') { ("list", "]") } else { ("table", "}") };
        out.bracket(
            span,
            ParseError::new(format!("unclosed {what}")).with_hint(format!("it ends with `{end}`")),
        );
    }
    root.into_inner()
}

const UNQUOTED: &str = "text without quotes";

/// The parser's message, with a hint for common mistakes. The messages are constants of the parser; `source` is shown only
/// if it is a key.
fn explain(message: &str, source: &str) -> ParseError {
    let (what, rest) = message.split_once(", expected").unwrap_or((message, ""));
    match what {
        _ if what.ends_with("string") && rest.contains("characters") => {
            ParseError::new("a control character in the text")
                .with_hint("write it as an escape, such as `\\t` or `\\u0007`")
        }
        "duplicate key" => ParseError::new(format!("duplicate key {}", quote(source)))
            .with_hint("it is already given above: remove one of the two"),
        "key with no value" | "missing value for key" | "missing value" => {
            ParseError::new(what).with_hint("the form is `key = value`, with text in double quotes")
        }
        "string values must be quoted" if source.is_empty() => ParseError::new("missing value")
            .with_hint("the form is `key = value`, with text in double quotes"),
        "unquoted keys cannot be empty" => {
            ParseError::new("missing key").with_hint("the form is `key = value` or `[table]`")
        }
        "invalid unquoted key" | "invalid key-value pair" => ParseError::new("not a key")
            .with_hint("the form is `key = value`; a key has only letters, digits, `_` and `-`"),
        "unexpected leading zero" => {
            ParseError::new(what).with_hint("write the number without it, or text in double quotes")
        }
        "unclosed table" => {
            ParseError::new("the table's header is not closed").with_hint("the form is `[table]`")
        }
        "unclosed array table" => {
            ParseError::new("the table's header is not closed").with_hint("the form is `[[table]]`")
        }
        "missing comma between array elements" => {
            ParseError::new("missing comma between the entries of a list")
                .with_hint("put a comma between them")
        }
        "missing escaped value" => ParseError::new("a `\\` that starts no escape")
            .with_hint("write a backslash as `\\\\`, or put the text in single quotes"),
        "invalid basic string" | "invalid literal string" => ParseError::new("the text is not closed")
            .with_hint("text must end on the same line, with the quotes it starts with"),
        "invalid multi-line basic string" | "invalid multi-line literal string" => {
            ParseError::new("the text is not closed")
                .with_hint("text over several lines ends with three quotes")
        }
        "unexpected key or value" => ParseError::new("unexpected text after the value")
            .with_hint("write one `key = value` per line, with text in double quotes"),
        _ if unquoted(what) => ParseError::new(UNQUOTED).with_hint("put it in double quotes"),
        _ => ParseError::new(message.strip_suffix(", expected nothing").unwrap_or(message)),
    }
}

/// Whether the parser took a word for a number, a date or a boolean.
fn unquoted(what: &str) -> bool {
    let kinds = ["boolean", "date-time", "datetime", "float", "integer", "hexadecimal", "octal", "binary"];
    what == "string values must be quoted"
        || what.strip_prefix("invalid ").is_some_and(|rest| kinds.iter().any(|kind| rest.starts_with(kind)))
}

/// A value's type in plain words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str) -> Option<Range<usize>> {
        Brackets::of(text).too_deep
    }

    #[test]
    fn depth_counts_brackets_and_dots_together() {
        for (text, refused) in [
            ("a = [[[1]]]", false),
            ("x = '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['", false),
            ("# [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", false),
        ] {
            assert_eq!(deep(text).is_some(), refused, "{text}");
        }
        let dots = |n: usize| vec!["a"; n + 1].join(".");
        assert!(deep(&format!("{} = 1\n{} = 1", dots(32), dots(32))).is_none());
        assert!(deep(&format!("{} = 1", dots(33))).is_some());
        assert!(deep(&format!("{} = {{ {} = 1 }}", dots(16), dots(16))).is_some());
        assert!(deep(&format!("a = [{}]", vec!["1.5"; 100].join(","))).is_none());
        assert!(deep(&format!("[{}]\n", dots(40))).is_some());
        assert!(deep(&"]".repeat(100)).is_none());
    }
}
