//! Replaces secrets in a settings text; comments, order and everything else stay byte for byte.

use std::ops::Range;

use toml_writer::{TomlStringBuilder, WriteTomlValue as _};

use crate::migration::{STEPS, Step};
use crate::problem::Problems;
use crate::secret::{Seals, Secret};
use crate::{examined, text};

/// A secret as written in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// In plain text.
    Plain(Secret<String>),
    /// The string in `{ sealed = "..." }`.
    Sealed(String),
}

/// A secret and its place.
pub(crate) struct Held {
    /// The bytes to replace, in the text without a byte order mark.
    pub span: Range<usize>,
    /// Whether the span begins right after the key: `.sealed = "..."`.
    pub dotted: bool,
    pub value: Value,
}

/// Replaces the secrets of a settings text for which `change` returns a new value. Secrets are passwords, PINs, private
/// keys, and the URLs that are shown with `***` in them.
///
/// # Errors
/// Everything that is wrong with the text, by position; sealed values are assumed to be valid.
pub fn rewrite(text: &str, change: impl FnMut(&Value) -> Option<Value>) -> Result<String, Problems> {
    rewrite_from(text, change, STEPS)
}

/// Like [`rewrite`], for any schema that `steps` can migrate.
pub(crate) fn rewrite_from(
    written: &str,
    mut change: impl FnMut(&Value) -> Option<Value>,
    steps: &[Step],
) -> Result<String, Problems> {
    let mut held = examined(written.as_bytes(), Seals::Trust, steps)?.held;
    held.sort_by_key(|held| held.span.start);
    // Spans refer to the text without its byte order mark.
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

/// A string in TOML: in double quotes, on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    // Writing to memory cannot fail.
    let _ = TomlStringBuilder::new(text).as_basic().write_toml_value(&mut out);
    out
}
