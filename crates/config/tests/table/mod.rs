//! How the tables of bad documents are checked.

use robocast_config::parse;

/// Checks that exactly `said` (with no file name) is told about a document, warnings if it is valid.
#[track_caller]
pub fn told(document: &str, said: &str) {
    let told: String = match parse(document.as_bytes()) {
        Ok(checked) => checked.warnings.iter().map(|w| format!("{}\n", w.display(""))).collect(),
        Err(problems) => problems.iter().map(|p| format!("{}\n", p.display(""))).collect(),
    };
    let told: Vec<&str> = told.lines().map(|line| line.strip_prefix(':').unwrap_or(line)).collect();
    assert_eq!(told, said.lines().collect::<Vec<_>>(), "about\n{document}");
}
