//! The document as written: TOML with spans, and what the parser says about it in our words.

use std::ops::Range;

use toml::de::DeTable;
use toml_parser::lexer::TokenKind;

use crate::malformed::{Malformed, quote};
use crate::problem::Collector;

/// How deep tables and arrays may nest, dotted keys counted by their dots. The settings need 5.
pub(crate) const DEEPEST: usize = 32;

/// Where a text nests deeper than [`DEEPEST`]. Walked token by token, without recursion, before anything recursive sees it.
pub(crate) fn too_deep(text: &str) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    // Dots of the key being read at each open bracket, the outermost first.
    let mut dots = vec![0_usize];
    for token in toml_parser::Source::new(text).lex() {
        let reset = |dots: &mut Vec<usize>| dots.last_mut().map_or(0, std::mem::take);
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                depth += 1;
                dots.push(0);
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                depth -= reset(&mut dots);
                if dots.len() > 1 {
                    dots.pop();
                    depth -= 1;
                }
            }
            TokenKind::Dot => {
                depth += 1;
                if let Some(top) = dots.last_mut() {
                    *top += 1;
                }
            }
            TokenKind::Comma => depth -= reset(&mut dots),
            TokenKind::Newline if dots.len() == 1 => depth -= reset(&mut dots),
            _ => {}
        }
        if depth > DEEPEST {
            return Some(token.span().start()..token.span().end());
        }
    }
    None
}

/// Parses as much as can be parsed and reports the rest.
pub(crate) fn tree<'t>(text: &'t str, out: &mut Collector) -> DeTable<'t> {
    if let Some(span) = too_deep(text) {
        out.syntax(
            span,
            Malformed::new(format!("nested deeper than {DEEPEST} levels"))
                .hint("the settings need no more than a table in a list in a table"),
        );
        return DeTable::new();
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let span = span.start.min(text.len())..span.end.min(text.len());
        let source = text.get(span.clone()).unwrap_or("");
        out.syntax(span, explain(error.message(), source));
    }
    root.into_inner()
}

/// The parser's message with a mend for the common mistakes. The messages are constants of the parser; `source` is shown only
/// where it is a key.
fn explain(message: &str, source: &str) -> Malformed {
    let (what, _) = message.split_once(", expected").unwrap_or((message, ""));
    match what {
        "duplicate key" => Malformed::new(format!("duplicate key {}", quote(source)))
            .hint("it is given above already: remove one of the two"),
        "string values must be quoted" => {
            Malformed::new("a text without quotes").hint("put it in double quotes")
        }
        "key with no value" | "missing value for key" | "missing value" => {
            Malformed::new(what).hint("the form is `key = value`, a text in double quotes")
        }
        "unclosed table" => Malformed::new(what).hint("the form is `[table]`"),
        "unclosed array table" => Malformed::new(what).hint("the form is `[[table]]`"),
        "unclosed array" => Malformed::new(what).hint("a list ends with `]`"),
        "unclosed inline table" => Malformed::new(what).hint("an inline table ends with `}`"),
        "missing comma between array elements" => Malformed::new(what).hint("put a comma between the values"),
        "invalid basic string" | "invalid multi-line basic string" => Malformed::new(message)
            .hint("a text ends with the quotes it starts with; a `\\` within is written `\\\\`"),
        _ => Malformed::new(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_brackets_and_dots_together() {
        for (text, deep) in [
            ("a = [[[1]]]", false),
            ("x = '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['", false),
            ("# [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", false),
        ] {
            assert_eq!(too_deep(text).is_some(), deep, "{text}");
        }
        let dots = |n: usize| vec!["a"; n + 1].join(".");
        assert!(too_deep(&format!("{} = 1\n{} = 1", dots(32), dots(32))).is_none());
        assert!(too_deep(&format!("{} = 1", dots(33))).is_some());
        assert!(too_deep(&format!("{} = {{ {} = 1 }}", dots(16), dots(16))).is_some());
        assert!(too_deep(&format!("a = [{}]", vec!["1.5"; 100].join(","))).is_none());
        assert!(too_deep(&format!("[{}]\n", dots(40))).is_some());
        assert!(too_deep(&"]".repeat(100)).is_none());
    }
}
