//! A settings text with other secrets in it: comments, order and everything else stay byte for byte.

use std::ops::Range;

use toml_writer::{TomlStringBuilder, WriteTomlValue as _};

use crate::migration::{STEPS, Step};
use crate::problem::Problems;
use crate::secret::{Seals, Secret};
use crate::{examined, text};

/// A secret as it stands in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// As it is.
    Plain(Secret<String>),
    /// What stands in `{ sealed = "..." }`.
    Sealed(String),
}

/// A secret and its place.
pub(crate) struct Held {
    /// What is replaced, in bytes of the text without a byte order mark.
    pub span: Range<usize>,
    /// Whether the span begins behind the key: `.sealed = "..."`.
    pub dotted: bool,
    pub value: Value,
}

/// Replaces the secrets of a settings text for which `change` has another value. These are secrets: passwords, PINs, private
/// keys, and the URLs that are shown with `***` in them.
///
/// # Errors
/// Everything that is wrong with the text, by position; sealed values are taken as good.
pub fn rewrite(text: &str, change: impl FnMut(&Value) -> Option<Value>) -> Result<String, Problems> {
    rewrite_from(text, change, STEPS)
}

/// As [`rewrite`], of a text of any schema that `steps` know.
pub(crate) fn rewrite_from(
    written: &str,
    mut change: impl FnMut(&Value) -> Option<Value>,
    steps: &[Step],
) -> Result<String, Problems> {
    let mut held = examined(written.as_bytes(), Seals::Trust, steps)?.held;
    held.sort_by_key(|held| held.span.start);
    // Spans are those of the text without its byte order mark.
    let text = text::decode(written.as_bytes()).unwrap_or(written);
    let mut out = written[..written.len() - text.len()].to_owned();
    let mut done = 0;
    for Held { span, dotted, value } in held {
        let Some(new) = change(&value) else { continue };
        out.push_str(&text[done..span.start]);
        out.push_str(if dotted { " = " } else { "" });
        out.push_str(&show(&new));
        done = span.end;
    }
    out.push_str(&text[done..]);
    Ok(out)
}

/// A value in TOML, on one line.
fn show(value: &Value) -> String {
    match value {
        Value::Plain(text) => quoted(text.expose()),
        Value::Sealed(sealed) => format!("{{ sealed = {} }}", quoted(sealed)),
    }
}

/// A text as TOML writes it: in double quotes, on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    // Nothing can fail in memory.
    let _ = TomlStringBuilder::new(text).as_basic().write_toml_value(&mut out);
    out
}
