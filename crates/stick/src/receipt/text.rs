//! A receipt in words, for a text editor or a terminal.

use textwrap::{Options, fill};

use super::{Outcome, Part, Receipt, StepRecord, StepResult};

/// The longest line in characters.
const WIDTH: usize = 78;

impl Receipt {
    /// In plain words: the result, each step, what to do, and the state of the box. Lines of 78 characters at most;
    /// control characters are shown as `?`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut page = TextPage::default();
        page.line("", "", "robocast receipt");
        page.line("", "", &self.time);
        page.empty();
        page.line("", "", &format!("{}: {}", self.device, verdict(self.outcome)));
        page.empty();
        page.line("", "", "Steps");
        for StepRecord { step, result, text, parts, .. } in &self.steps {
            let said = if *result == StepResult::NotReached { "" } else { text };
            page.row(2, shown(*result), step.as_str(), said);
            for Part { what, ok, text, hint } in parts {
                let word = match (ok, hint) {
                    (false, _) => "FAILED",
                    (true, Some(_)) => "beware",
                    (true, None) => "works",
                };
                page.part(word, what, text);
            }
        }
        let hints = self.hints();
        if !hints.is_empty() {
            page.empty();
            page.line("", "", "What to do");
            for (number, hint) in hints.iter().enumerate() {
                page.line(&format!("  {}. ", number + 1), "     ", hint);
            }
        }
        page.empty();
        page.line("", "", "The box");
        let owner = self.owner.as_deref().unwrap_or("none: it takes anybody's stick");
        let hardware = if self.hardware.is_empty() { "-" } else { &self.hardware };
        for (name, value) in [
            ("name", self.device.as_str()),
            ("board", &self.board),
            ("serial", hardware),
            ("robocast", &self.version),
            ("owner", owner),
            ("key", &self.public_key),
        ] {
            page.line(&format!("  {name:<10}"), "            ", value);
        }
        page.text
    }

    /// What to do, the most important first: failures come before things that work but could be better.
    fn hints(&self) -> Vec<String> {
        let said = |what: &str, hint: &Option<String>| hint.as_ref().map(|hint| format!("{what}: {hint}"));
        let (mut failed, mut better) = (Vec::new(), Vec::new());
        for StepRecord { step, hint, parts, .. } in &self.steps {
            failed.extend(said(step.as_str(), hint));
            for Part { what, ok, hint, .. } in parts {
                if *ok { &mut better } else { &mut failed }.extend(said(what, hint));
            }
        }
        failed.append(&mut better);
        failed
    }
}

fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Proven => "PROVEN. The settings are in force, and what they say was seen to work.",
        Outcome::Refused => "REFUSED. Nothing was changed.",
        Outcome::Kept => "KEPT, BUT NOT PROVEN. The settings are in force, but not all was seen to work.",
    }
}

fn shown(result: StepResult) -> &'static str {
    match result {
        StepResult::Failed => "FAILED",
        other => other.as_str(),
    }
}

#[derive(Default)]
struct TextPage {
    text: String,
}

impl TextPage {
    fn empty(&mut self) {
        self.text.push('\n');
    }

    /// A text after `first`; further lines begin with `next`.
    fn line(&mut self, first: &str, next: &str, text: &str) {
        let text = format!("{}{}", plain(first), plain(text));
        let options = Options::new(WIDTH).subsequent_indent(next);
        self.text.push_str(fill(&text, options).trim_end());
        self.text.push('\n');
    }

    fn row(&mut self, indent: usize, word: &str, name: &str, text: &str) {
        let next = " ".repeat(indent + 23);
        self.line(&format!("{:indent$}{word:<12}{name:<10} ", ""), &next, text);
    }

    /// The checked item may be a URL: the result is below a long one.
    fn part(&mut self, word: &str, what: &str, text: &str) {
        self.line(&format!("    {word:<10}"), "              ", &format!("{what}: {text}"));
    }
}

/// On one line, without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if robocast_config::printable(c) { c } else { '?' }).collect()
}
