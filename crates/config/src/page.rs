//! `[page]`: the local page.

use crate::parse_error::ParseError;
use crate::reader::{Reader, Section};
use crate::secret::Secret;

/// The local page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At least 6 characters.
    pub password: Secret<String>,
}

impl Page {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Self> {
        let section = reader.section(root, "page", "[page]")?;
        reader.known(&section, &["password"]);
        let example = "`password = \"...\"`";
        if !reader.has(&section, "password") {
            reader.missing(&section, "password", example);
        }
        let password = reader.secret(&section, "password", example, |text| match text.chars().count() {
            6.. => Ok(()),
            0 => Err(ParseError::new("the page's password is empty")
                .with_hint("leave [page] out to turn the page off")),
            length => Err(ParseError::new(format!("the page's password has only {length} characters"))
                .with_hint("use at least 6")),
        })?;
        Some(Self { password })
    }
}
