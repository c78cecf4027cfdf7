//! The steps as they are gone through: what becomes the receipt. Pure.

use crate::trouble::Trouble;
use robocast_stick::{Done, Part, Result_, Step};

/// The steps so far.
#[derive(Debug, Default)]
pub struct Log(Vec<Done>);

/// A step failed; the rest is not reached.
#[derive(Debug)]
pub struct Stop;

impl Log {
    fn put(&mut self, step: Step, result: Result_, text: &str, mend: Option<String>) {
        debug_assert!(self.0.last().is_none_or(|last| last.step < step), "{step:?} comes too late");
        // Lines of a receipt are one line each.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.push(Done { step, result, text, mend, parts: Vec::new() });
    }

    /// A step is done.
    pub fn done(&mut self, step: Step, text: &str) {
        self.put(step, Result_::Done, text, None);
    }

    /// There was nothing to do.
    pub fn skipped(&mut self, step: Step, text: &str) {
        self.put(step, Result_::Skipped, text, None);
    }

    /// A step failed.
    pub fn failed(&mut self, step: Step, trouble: Trouble) -> Stop {
        self.put(step, Result_::Failed, &trouble.text, trouble.mend);
        Stop
    }

    /// Parts of the last step.
    pub fn parts(&mut self, parts: impl IntoIterator<Item = Part>) {
        if let Some(last) = self.0.last_mut() {
            last.parts.extend(parts);
        }
    }

    /// All steps: those that have nothing said about them were not reached.
    #[must_use]
    pub fn finish(self) -> Vec<Done> {
        let mut said = self.0.into_iter().peekable();
        let all = Step::ALL.into_iter().map(|step| {
            said.next_if(|done| done.step == step).unwrap_or_else(|| Done {
                step,
                result: Result_::NotReached,
                text: String::new(),
                mend: None,
                parts: Vec::new(),
            })
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_said_once_in_order() {
        let mut log = Log::default();
        log.done(Step::Find, "a\n b");
        log.skipped(Step::Verify, "");
        let Stop = log.failed(Step::Write, Trouble::new("full").mend("empty it"));
        let steps = log.finish();
        assert_eq!(steps.iter().map(|done| done.step).collect::<Vec<_>>(), Step::ALL);
        let results: Vec<_> = steps.iter().map(|done| done.result.as_str()).collect();
        let away = "not reached";
        assert_eq!(results, ["done", away, "skipped", away, away, "failed", away, away]);
        assert_eq!((steps[0].text.as_str(), steps[5].mend.as_deref()), ("a b", Some("empty it")));
    }
}
