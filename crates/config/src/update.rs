//! `[update]`: where updates come from.

use url::Url;

use crate::parse_error::{ParseError, quote};
use crate::reader::{Reader, Section};
use crate::redaction::dissect;
use crate::window::Window;

/// Where updates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// `https://` only, without user and password.
    pub url: Url,
    /// When an update may be installed; if absent, at any time.
    pub window: Option<Window>,
}

impl Update {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Self> {
        let section = reader.section(root, "update", "[update]")?;
        reader.known(&section, &["url", "window"]);
        let url =
            reader.required(&section, "url", "`url = \"https://updates.example.net/robocast\"`", |text| {
                let (parts, url) = dissect(text, "https://HOST/PATH")?;
                if url.scheme() != "https" {
                    let scheme = quote(&format!("{}://", url.scheme()));
                    return Err(ParseError::new(format!("updates cannot be downloaded over {scheme}"))
                        .with_hint("use https://"));
                }
                if parts.user.is_some() {
                    return Err(ParseError::new("the update URL has a user in it")
                        .with_hint("leave it out: this URL is not kept secret"));
                }
                Ok(url)
            });
        let window = reader.parsed(&section, "window", "`window = \"02:00-04:00\"`", str::parse);
        Some(Self { url: url?, window })
    }
}
