//! What is wrong with a settings file, and where.

use std::fmt;
use std::ops::Range;

use crate::parse_error::{ParseError, list, nearest};
use crate::text::Lines;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted, but its author should know.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong with a file. Neither message nor hint ever contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1. It may be one past the line's last character.
    pub column: usize,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong; lower case, one line.
    pub message: String,
    /// How to fix it, if that is known; one line.
    pub hint: Option<String>,
    /// How many characters the problem spans, from the column on; at least 1.
    pub(crate) width: usize,
}

impl Problem {
    /// An error that is one character wide and has no hint.
    pub fn error(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self { line, column, severity: Severity::Error, message: message.into(), hint: None, width: 1 }
    }

    /// `FILE:LINE:COL: error: MESSAGE` and, if there is one, a second line `  hint: HINT`. No newline at the end.
    pub fn display<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        struct Shown<'a>(&'a Problem, &'a str);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(problem, file) = self;
                let Problem { line, column, severity, message, .. } = problem;
                write!(f, "{file}:{line}:{column}: {severity}: {message}")?;
                problem.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
            }
        }
        Shown(self, file)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(NO_FILE).fmt(f)
    }
}

/// Name of a file that has none.
const NO_FILE: &str = "<settings>";

/// Every error of a file, by position; never empty. After the first 50, one more entry gives the number of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// A single error.
    pub fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// The errors, by position.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// All errors as `FILE:LINE:COL: error: MESSAGE` with their hints, one below another. No newline at the end.
    pub fn display<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        struct Shown<'a>(&'a Problems, &'a str);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (number, problem) in self.0.iter().enumerate() {
                    f.write_str(if number == 0 { "" } else { "\n" })?;
                    problem.display(self.1).fmt(f)?;
                }
                Ok(())
            }
        }
        Shown(self, file)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(NO_FILE).fmt(f)
    }
}

impl std::error::Error for Problems {}

/// How many errors are reported one by one.
pub(crate) const SHOWN: usize = 50;

/// How a problem affects the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The text is not TOML here: values from the same line are not trusted.
    Syntax,
    /// A bracket is missing: nothing from here on is trusted, as it may be in another table than was meant.
    Bracket,
    /// Something is missing: not trusted if any part of the file could not be parsed.
    Absence,
    Fault,
}

enum Hint {
    Ready(Option<String>),
    /// Looked up only if the problem is shown.
    Nearest(String, &'static [&'static str], &'static str),
}

struct Entry {
    span: Range<usize>,
    severity: Severity,
    kind: Kind,
    message: String,
    hint: Hint,
}

/// Collects problems in any order.
#[derive(Default)]
pub(crate) struct Collector {
    entries: Vec<Entry>,
}

impl Collector {
    fn add(&mut self, span: Range<usize>, severity: Severity, kind: Kind, fault: ParseError) {
        let (message, hint) = fault.into_parts();
        self.entries.push(Entry { span, severity, kind, message, hint: Hint::Ready(hint) });
    }

    pub fn syntax(&mut self, span: Range<usize>, fault: ParseError) {
        self.add(span, Severity::Error, Kind::Syntax, fault);
    }

    pub fn bracket(&mut self, span: Range<usize>, fault: ParseError) {
        self.add(span, Severity::Error, Kind::Bracket, fault);
    }

    pub fn error(&mut self, span: Range<usize>, fault: ParseError) {
        self.add(span, Severity::Error, Kind::Fault, fault);
    }

    pub fn absence(&mut self, span: Range<usize>, fault: ParseError) {
        self.add(span, Severity::Error, Kind::Absence, fault);
    }

    pub fn warning(&mut self, span: Range<usize>, fault: ParseError) {
        self.add(span, Severity::Warning, Kind::Fault, fault);
    }

    /// An error whose hint is the nearest known word, or `all` followed by every known word.
    pub fn unknown(
        &mut self,
        span: Range<usize>,
        message: String,
        word: &str,
        known: &'static [&'static str],
        all: &'static str,
    ) {
        let hint = Hint::Nearest(word.chars().take(80).collect(), known, all);
        self.entries.push(Entry { span, severity: Severity::Error, kind: Kind::Fault, message, hint });
    }

    /// All errors by position, or the warnings if there is no error.
    pub fn finish(mut self, lines: &Lines<'_>) -> Result<Vec<Problem>, Problems> {
        let unparsed = |e: &Entry| matches!(e.kind, Kind::Syntax | Kind::Bracket);
        self.entries.sort_by_key(|e| (e.span.start, !unparsed(e)));
        let torn = self.entries.iter().find(|e| e.kind == Kind::Bracket).map_or(usize::MAX, |e| e.span.start);
        let mut broken: Vec<usize> =
            self.entries.iter().filter(|e| unparsed(e)).map(|e| lines.line(e.span.start)).collect();
        broken.dedup();
        let mut last_syntax = None;
        self.entries.retain(|e| {
            let line = lines.line(e.span.start);
            match e.kind {
                Kind::Syntax | Kind::Bracket => last_syntax.replace(line) != Some(line),
                Kind::Absence => broken.is_empty(),
                Kind::Fault => e.span.start < torn && broken.binary_search(&line).is_err(),
            }
        });
        self.entries.dedup_by(|b, a| a.span.start == b.span.start && a.message == b.message);
        let (errors, warnings): (Vec<Entry>, Vec<Entry>) =
            self.entries.into_iter().partition(|e| e.severity == Severity::Error);
        let more = errors.len().saturating_sub(SHOWN);
        let next = errors.get(SHOWN).map(|e| lines.position(e.span.start));
        let mut problems: Vec<Problem> = errors.into_iter().take(SHOWN).map(|e| e.place(lines)).collect();
        if let Some((line, column)) = next {
            let errors = if more == 1 { "1 more error".to_owned() } else { format!("{more} more errors") };
            problems.push(Problem::error(line, column, format!("{errors} from here on")));
        }
        if problems.is_empty() {
            Ok(warnings.into_iter().take(SHOWN).map(|e| e.place(lines)).collect())
        } else {
            Err(Problems(problems))
        }
    }
}

impl Entry {
    fn place(self, lines: &Lines<'_>) -> Problem {
        let (line, column) = lines.position(self.span.start);
        let width = lines.width(&self.span);
        let hint = match self.hint {
            Hint::Ready(hint) => hint,
            Hint::Nearest(word, known, all) => Some(match nearest(&word, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("{all}{}", list(known)),
            }),
        };
        Problem { line, column, severity: self.severity, message: self.message, hint, width }
    }
}
