//! The settings document of robocast.
//!
//! This crate owns the schema of `robocast.toml`: its keys, units, defaults and secrets, the rules between them, and the
//! messages about mistakes. It turns bytes into [`Settings`] with every default filled in, or into a list of *all* mistakes,
//! each with line, column and hint. Its only I/O is to read a file, and it depends on no other part of robocast.
//!
//! The steps: bytes → text (`text`) → TOML with spans (`document`) → the current schema (`migration`) → values, read one by
//! one without stopping at an error (`reader` and the types' own files) → rules between values (`rules`).

mod addressing;
mod bitrate;
mod cidr;
mod control;
mod debug;
mod document;
pub mod duration;
mod excerpt;
mod file;
mod migration;
mod page;
mod parse_error;
mod parts;
mod problem;
mod reader;
mod redaction;
mod rewriting;
mod robot;
mod robot_side;
mod rules;
mod secret;
mod settings;
mod sink;
mod size;
mod source;
mod spans;
mod stream;
mod text;
mod time;
mod tls;
mod update;
mod uplink;
mod uplink_rules;
mod wifi;
mod window;

pub use addressing::Addressing;
pub use bitrate::{Bitrate, BitrateRange};
pub use cidr::Cidr;
pub use control::Control;
pub use debug::Debugging;
pub use file::{LIMIT, LoadError, load, load_with, read};
pub use migration::SCHEMA;
pub use page::Page;
pub use parse_error::{ParseError, printable};
pub use parts::{CameraPart, PushPart};
pub use problem::{Problem, Problems, Severity};
pub use rewriting::{Value, quoted, rewrite};
pub use robot::{AllowedPort, Device, Dhcp, Protocol, Robot, RobotKind};
pub use robot_side::RobotSide;
pub use secret::{Secret, Unseal};
pub use settings::Settings;
pub use sink::{RtmpTarget, RtspTarget, SinkTarget, SinkUrl, SrtTarget, WhipTarget};
pub use size::Size;
pub use source::{RtpSource, RtspSource, RtspTransport, Source};
pub use stream::{Encode, Start, Stream};
pub use time::Time;
pub use tls::Tls;
pub use update::Update;
pub use uplink::{Ethernet, Lte, Uplink, UplinkKind};
pub use url::Url;
pub use wifi::{Access, Credentials, Enterprise, Phase2, Wifi};
pub use window::Window;

use std::collections::{BTreeMap, BTreeSet};

use migration::{STEPS, Step};
use problem::Collector;
use reader::Reader;
use rewriting::Held;
use secret::Seals;
use text::Lines;

/// Valid settings, and warnings for their author.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The settings.
    pub settings: Settings,
    /// Sorted by position; at most 50.
    pub warnings: Vec<Problem>,
}

/// Checks a settings file's bytes as found: a byte order mark and CRLF are fine.
///
/// # Errors
/// Everything that is wrong, by position. A sealed value is an error: only its box can read it, with [`parse_with`].
pub fn parse(text: &[u8]) -> Result<Checked, Problems> {
    examine(text, Seals::Refuse, STEPS)
}

/// Like [`parse`], and opens sealed values with the box's own key.
///
/// # Errors
/// Everything that is wrong, by position.
pub fn parse_with(text: &[u8], key: &dyn Unseal) -> Result<Checked, Problems> {
    examine(text, Seals::Open(key), STEPS)
}

/// Checks a file on a machine that is not its box: sealed values are assumed to be valid. Returns the warnings.
///
/// # Errors
/// Everything that is wrong, by position.
pub fn check(text: &[u8]) -> Result<Vec<Problem>, Problems> {
    examine(text, Seals::Trust, STEPS).map(|checked| checked.warnings)
}

fn examine(bytes: &[u8], seals: Seals<'_>, steps: &[Step]) -> Result<Checked, Problems> {
    examined(bytes, seals, steps).map(|examined| examined.checked)
}

/// The keys that each table of a document can have, by the table's path, such as `uplink.wifi[]`; the path of the root is
/// empty. Only tables that the document has are listed.
///
/// # Errors
/// Everything that is wrong, by position; sealed values are assumed to be valid.
pub fn vocabulary(text: &[u8]) -> Result<Vocabulary, Problems> {
    examined(text, Seals::Trust, STEPS).map(|examined| examined.vocabulary)
}

/// Keys by the path of their table.
pub type Vocabulary = BTreeMap<String, BTreeSet<&'static str>>;

/// A document that has been read.
struct Examined {
    checked: Checked,
    /// Its secrets, with their places in the text without a byte order mark.
    held: Vec<Held>,
    vocabulary: Vocabulary,
}

fn examined(bytes: &[u8], seals: Seals<'_>, steps: &[Step]) -> Result<Examined, Problems> {
    if bytes.len() > LIMIT {
        return Err(Problems::one(file::too_large()));
    }
    let text = text::decode(bytes).map_err(|(good, fault)| {
        let (line, column) = Lines::new(good).position(good.len());
        let (message, hint) = fault.into_parts();
        Problems::one(Problem { hint, ..Problem::error(line, column, message) })
    })?;
    let lines = Lines::new(text);
    let mut out = Collector::default();
    let mut root = document::tree(text, &lines, &mut out);
    if !migration::migrate(&mut root, steps, &mut out) {
        // Of a document with another schema only the schema number can be checked.
        root.clear();
    }
    let mut reader = Reader { text, seals, out, ..Reader::default() };
    let settings = Settings::read(&mut reader, &root);
    let Reader { mut out, spans, held, vocabulary, .. } = reader;
    rules::check(&settings, &spans, &mut out);
    Ok(Examined { checked: Checked { settings, warnings: out.finish(&lines)? }, held, vocabulary })
}
