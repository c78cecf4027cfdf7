//! The place of each setting in the file, for rules that compare several settings.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Spans by path, such as `robot.address` or `stream.0.push.1`.
#[derive(Default)]
pub(crate) struct Spans {
    spans: HashMap<String, Range<usize>>,
    invalid: HashSet<String>,
}

impl Spans {
    pub fn set(&mut self, path: String, span: Range<usize>) {
        self.spans.insert(path, span);
    }

    /// Marks a setting as invalid: its value in the settings is a placeholder.
    pub fn mark_invalid(&mut self, path: &str) {
        self.invalid.insert(path.to_owned());
    }

    /// Whether the settings contain the value that was written, or the default if none was.
    pub fn is_valid(&self, path: &str) -> bool {
        !self.invalid.contains(path)
    }

    pub fn written(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// The span of a setting, or of the nearest table around it that was written.
    pub fn at(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return span.clone();
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return 0..0,
            }
        }
    }
}
