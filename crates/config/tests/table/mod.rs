//! Checks the problems that bad documents cause.

use robocast_config::parse;

/// Checks that a document causes exactly these problems, shown without a file name; of a valid document, these warnings.
#[track_caller]
pub fn expect_problems(document: &str, expected: &str) {
    let shown: String = match parse(document.as_bytes()) {
        Ok(checked) => checked.warnings.iter().map(|w| format!("{}\n", w.display(""))).collect(),
        Err(problems) => problems.iter().map(|p| format!("{}\n", p.display(""))).collect(),
    };
    let shown: Vec<&str> = shown.lines().map(|line| line.strip_prefix(':').unwrap_or(line)).collect();
    assert_eq!(shown, expected.lines().collect::<Vec<_>>(), "problems of\n{document}");
}
