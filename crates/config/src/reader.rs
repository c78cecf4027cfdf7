//! Reads values from the document. An error does not stop the reader: it is reported, and reading continues.

mod secrets;

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::Vocabulary;
use crate::document::kind;
use crate::parse_error::{ParseError, quote};
use crate::problem::Collector;
use crate::rewriting::Held;
use crate::secret::Seals;
use crate::spans::Spans;

pub(crate) use secrets::SecretText;

/// A reader and everything it has found so far.
#[derive(Default)]
pub(crate) struct Reader<'a> {
    pub text: &'a str,
    pub out: Collector,
    pub spans: Spans,
    pub seals: Seals<'a>,
    /// The secrets found so far.
    pub held: Vec<Held>,
    /// The tables found so far, with the keys they can have.
    pub vocabulary: Vocabulary,
}

/// A value and its place.
pub(crate) struct Node<'d> {
    pub path: String,
    pub span: Range<usize>,
    value: &'d DeValue<'d>,
}

/// A table and its place.
pub(crate) struct Section<'d> {
    pub path: String,
    /// As written in the file: `[robot]`, `[[stream]]`; empty for the root.
    title: &'static str,
    span: Range<usize>,
    table: &'d DeTable<'d>,
}

impl<'d> Section<'d> {
    pub fn root(table: &'d DeTable<'d>) -> Self {
        Self { path: String::new(), title: "", span: 0..0, table }
    }

    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The path of a table without its positions in lists: `uplink.wifi[]` for `uplink.wifi.3`.
fn without_numbers(path: &str) -> String {
    path.split('.').fold(String::new(), |mut out, word| {
        if word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() {
            out.push_str("[]");
        } else {
            out.push_str(if out.is_empty() { "" } else { "." });
            out.push_str(word);
        }
        out
    })
}

impl Reader<'_> {
    /// Reports every unknown key of a table.
    pub fn known(&mut self, section: &Section<'_>, keys: &'static [&'static str]) {
        self.vocabulary.entry(without_numbers(&section.path)).or_default().extend(keys);
        for (key, value) in section.table {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let is_table = match value.get_ref() {
                DeValue::Table(_) => true,
                DeValue::Array(items) => items.first().is_some_and(|i| i.get_ref().is_table()),
                _ => false,
            };
            let what = if is_table { "table" } else { "key" };
            let place =
                if section.title.is_empty() { String::new() } else { format!(" in {}", section.title) };
            let message = format!("unknown {what} {}{place}", quote(name));
            self.out.unknown(key.span(), message, name, keys, "known here: ");
        }
    }

    /// The value of a key, if there is one.
    pub fn node<'d>(&mut self, section: &Section<'d>, key: &str) -> Option<Node<'d>> {
        let (name, value) = section.table.get_key_value(key)?;
        let span = if value.span().is_empty() { name.span() } else { value.span() };
        let path = section.path_of(key);
        self.spans.set(path.clone(), span.clone());
        Some(Node { path, span, value: value.get_ref() })
    }

    /// Reports an invalid value and marks its path, so that no rule checks the placeholder.
    pub fn fault(&mut self, node: &Node<'_>, fault: ParseError) {
        self.spans.mark_invalid(&node.path);
        self.out.error(node.span.clone(), fault);
    }

    fn wrong_type(&mut self, node: &Node<'_>, expected: &str, example: &str) {
        let name = node.path.rsplit('.').find(|p| p.parse::<usize>().is_err()).unwrap_or(&node.path);
        let found = kind(node.value);
        let entry = if node.path.ends_with(|c: char| c.is_ascii_digit()) { "an entry of " } else { "" };
        let fault = ParseError::new(format!("{entry}`{name}` is {found}, expected {expected}"));
        self.fault(node, fault.with_hint(format!("write {example}")));
    }

    pub fn has(&self, section: &Section<'_>, key: &str) -> bool {
        section.table.contains_key(key)
    }

    /// Reports that a required key is missing.
    pub fn missing(&mut self, section: &Section<'_>, key: &str, example: &str) {
        self.spans.mark_invalid(&section.path_of(key));
        let place = if section.title.is_empty() { String::new() } else { format!(" in {}", section.title) };
        let fault =
            ParseError::new(format!("missing key `{key}`{place}")).with_hint(format!("add {example}"));
        self.out.absence(section.span(), fault);
    }

    /// A string.
    pub fn text<'n>(&mut self, node: &'n Node<'_>, example: &str) -> Option<&'n str> {
        match node.value {
            DeValue::String(text) => Some(text),
            _ => {
                self.wrong_type(node, "text", example);
                None
            }
        }
    }

    /// A string that `parse` accepts. `example` is the whole line: `` `size = "1280x720"` ``.
    pub fn parsed<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        let node = self.node(section, key)?;
        let text = self.text(&node, example)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(&node, fault);
                None
            }
        }
    }

    /// Like [`Reader::parsed`], for a required key.
    pub fn required<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        if !self.has(section, key) {
            self.missing(section, key, example);
        }
        self.parsed(section, key, example, parse)
    }

    /// True or false.
    pub fn flag(&mut self, section: &Section<'_>, key: &str, default: bool) -> bool {
        let Some(node) = self.node(section, key) else { return default };
        let DeValue::Boolean(value) = node.value else {
            self.wrong_type(&node, "true or false", &format!("`{key} = {default}`"));
            return default;
        };
        *value
    }

    /// A whole number within bounds.
    pub fn integer(
        &mut self,
        section: &Section<'_>,
        key: &str,
        bounds: std::ops::RangeInclusive<u32>,
        example: &str,
    ) -> Option<u32> {
        let node = self.node(section, key)?;
        let DeValue::Integer(number) = node.value else {
            self.wrong_type(&node, "a whole number", example);
            return None;
        };
        let value = u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| bounds.contains(n));
        if value.is_none() {
            let fault = ParseError::new(format!("`{key}` is out of range")).with_hint(format!(
                "write a number from {} to {}",
                bounds.start(),
                bounds.end()
            ));
            self.fault(&node, fault);
        }
        value
    }

    /// The values of a list with their places; empty if there is no list.
    pub fn list<'d>(&mut self, section: &Section<'d>, key: &str, example: &str) -> Vec<Node<'d>> {
        let Some(node) = self.node(section, key) else { return Vec::new() };
        let DeValue::Array(items) = node.value else {
            self.wrong_type(&node, "a list", example);
            return Vec::new();
        };
        let mut nodes = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let span = if item.span().is_empty() { node.span.clone() } else { item.span() };
            let path = format!("{}.{number}", node.path);
            self.spans.set(path.clone(), span.clone());
            nodes.push(Node { path, span, value: item.get_ref() });
        }
        nodes
    }

    /// The strings of a list, each of which `parse` must accept.
    pub fn texts<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for node in self.list(section, key, example) {
            match self.text(&node, example).map(&parse) {
                Some(Ok(value)) => values.push(value),
                Some(Err(fault)) => self.fault(&node, fault),
                None => {}
            }
        }
        if values.is_empty() && self.spans.written(&section.path_of(key)) {
            self.spans.mark_invalid(&section.path_of(key));
        }
        values
    }

    /// A table that may occur once.
    pub fn section<'d>(
        &mut self,
        outer: &Section<'d>,
        key: &str,
        title: &'static str,
    ) -> Option<Section<'d>> {
        let node = self.node(outer, key)?;
        match node.value {
            DeValue::Table(table) => Some(Section { path: node.path, title, span: node.span, table }),
            DeValue::Array(items) if items.first().is_some_and(|i| i.get_ref().is_table()) => {
                let fault = ParseError::new(format!("`{key}` can be given only once"));
                self.fault(&node, fault.with_hint(format!("write `{title}` with single brackets")));
                None
            }
            _ => {
                self.wrong_type(&node, "a table", &format!("`{title}` and its keys on the lines below"));
                None
            }
        }
    }

    /// The range of a bitrate: a table, usually written inline.
    pub fn bounds<'d>(&mut self, node: &Node<'d>) -> Option<Section<'d>> {
        let DeValue::Table(table) = node.value else {
            self.wrong_type(node, "a table", "`bitrate = { min = \"300 kbit/s\", max = \"4 Mbit/s\" }`");
            return None;
        };
        Some(Section { path: node.path.clone(), title: "`bitrate`", span: node.span.clone(), table })
    }

    /// A table that may occur any number of times.
    pub fn sections<'d>(&mut self, outer: &Section<'d>, key: &str, title: &'static str) -> Vec<Section<'d>> {
        let Some(node) = self.node(outer, key) else { return Vec::new() };
        let example = format!("`{title}` and its keys on the lines below");
        if node.value.is_table() {
            let fault = ParseError::new(format!("`{key}` is a single table, expected a list of tables"));
            self.fault(&node, fault.with_hint(format!("write `{title}` with double brackets")));
            return Vec::new();
        }
        let mut sections = Vec::new();
        for item in self.list(outer, key, &example) {
            match item.value {
                DeValue::Table(table) => {
                    sections.push(Section { path: item.path, title, span: item.span, table });
                }
                _ => self.wrong_type(&item, "a table", &example),
            }
        }
        sections
    }
}
