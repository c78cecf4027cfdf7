//! What is wrong with one value, without its position in a file.

use std::fmt;

/// A value that does not have the form its key requires. `Display` shows the message without the hint.
///
/// Neither ever contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    message: String,
    hint: Option<String>,
}

impl ParseError {
    /// An error with a message in plain lower-case words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds a hint: how to fix it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn into_parts(self) -> (String, Option<String>) {
        (self.message, self.hint)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// Text from the file, made safe for a message: in backticks, short, without anything that a terminal would act on.
pub(crate) fn quote(text: &str) -> String {
    const LIMIT: usize = 40;
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == LIMIT {
            out.push('…');
            break;
        }
        if printable(c) { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out.push('`');
    out
}

/// Whether a character may be printed to a terminal as it is: no control character, and none that reorders or hides text.
pub fn printable(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'))
}

/// The known word that was most likely meant, if one is close enough.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .filter_map(|candidate| {
            let plain = candidate.replace('-', "_");
            let edits = strsim::damerau_levenshtein(&word, &plain);
            let near =
                edits <= (plain.chars().count() / 3).max(1) || strsim::jaro_winkler(&word, &plain) >= 0.9;
            near.then_some((edits, *candidate))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` or `c`, each in backticks.
fn choice(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} or `{last}`", list(rest)),
        _ => list(words),
    }
}

/// All words, each in backticks.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

/// The error for a word that is not one of the known ones.
pub(crate) fn unknown_word(what: &str, word: &str, known: &[&str]) -> ParseError {
    let fault = ParseError::new(format!("unknown {what} {}", quote(word)));
    match nearest(word, known) {
        Some(meant) => fault.with_hint(format!("did you mean `{meant}`?")),
        None => fault.with_hint(format!("write {}", choice(known))),
    }
}
