//! Reads secrets, which may be sealed, and remembers their places.

use toml::de::DeValue;

use super::{Node, Reader, Section};
use crate::parse_error::ParseError;
use crate::rewriting::{Held, Value};
use crate::secret::{Seals, Secret};

/// A secret text.
pub(crate) enum SecretText {
    Plain(String),
    /// Sealed; nobody here needs to open it.
    Trusted,
}

impl Reader<'_> {
    /// A string that may be sealed.
    pub fn secret_text(&mut self, node: &Node<'_>, example: &str) -> Option<SecretText> {
        let DeValue::Table(table) = node.value else {
            return self.text(node, example).map(|text| SecretText::Plain(text.to_owned()));
        };
        let section =
            Section { path: node.path.clone(), title: "a sealed value", span: node.span.clone(), table };
        self.known(&section, &["sealed"]);
        let form = "`{ sealed = \"...\" }`, as `robocast stick seal` prints it";
        let sealed = self.required(&section, "sealed", form, |text| Ok(text.to_owned()));
        let Some(sealed) = sealed.filter(|_| self.spans.is_valid(&node.path)) else {
            self.spans.mark_invalid(&node.path);
            return None;
        };
        let end = table.get("sealed").map_or(node.span.end, |value| value.span().end);
        match self.text.get(node.span.clone()) {
            Some(written) if written.starts_with('{') => self.hold(node, Value::Sealed(sealed.clone())),
            Some(written) if written.starts_with('[') => {
                let fault = ParseError::new("a sealed value in a table of its own");
                self.fault(node, fault.with_hint("write it on one line: `password = { sealed = \"...\" }`"));
                return None;
            }
            // `password.sealed = "..."`: everything after the key.
            _ => self.held.push(Held {
                span: node.span.end..end,
                dotted: true,
                value: Value::Sealed(sealed.clone()),
            }),
        }
        let opened = match self.seals {
            Seals::Trust => return Some(SecretText::Trusted),
            Seals::Refuse => Err("this value is sealed to a box; it can only be read there".to_owned()),
            Seals::Open(key) => {
                key.unseal(&sealed).map_err(|reason| format!("this value cannot be unsealed: {reason}"))
            }
        };
        match opened {
            Ok(text) => Some(SecretText::Plain(text)),
            Err(message) => {
                self.fault(node, ParseError::new(message));
                None
            }
        }
    }

    /// Remembers a secret and its place.
    pub fn hold(&mut self, node: &Node<'_>, value: Value) {
        self.held.push(Held { span: node.span.clone(), dotted: false, value });
    }

    /// Remembers a secret that is written in plain text.
    pub fn hold_plain(&mut self, node: &Node<'_>, text: &str) {
        if !node.value.is_table() {
            self.hold(node, Value::Plain(Secret::new(text.to_owned())));
        }
    }

    /// A secret that `check` accepts. A sealed value that is assumed to be valid is returned as an empty string.
    pub fn secret(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        check: impl FnOnce(&str) -> Result<(), ParseError>,
    ) -> Option<Secret<String>> {
        let node = self.node(section, key)?;
        match self.secret_text(&node, example)? {
            SecretText::Trusted => Some(Secret::new(String::new())),
            SecretText::Plain(text) => match check(&text) {
                Ok(()) => {
                    self.hold_plain(&node, &text);
                    Some(Secret::new(text))
                }
                Err(fault) => {
                    self.fault(&node, fault);
                    None
                }
            },
        }
    }
}
