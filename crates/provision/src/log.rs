//! The steps so far: they become the receipt. Pure.

use crate::problem::ProvisionProblem;
use robocast_stick::{Part, ReceiptStep, StepRecord, StepResult};

/// The steps so far.
#[derive(Debug, Default)]
pub struct StepLog(Vec<StepRecord>);

/// A step failed; the later ones are not reached.
#[derive(Debug)]
pub struct StepFailed;

impl StepLog {
    fn put(&mut self, step: ReceiptStep, result: StepResult, text: &str, hint: Option<String>) {
        debug_assert!(self.0.last().is_none_or(|last| last.step < step), "{step:?} is out of order");
        // Lines of a receipt are one line each.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.push(StepRecord { step, result, text, hint, parts: Vec::new() });
    }

    /// A step is done.
    pub fn done(&mut self, step: ReceiptStep, text: &str) {
        self.put(step, StepResult::Done, text, None);
    }

    /// There was nothing to do.
    pub fn skipped(&mut self, step: ReceiptStep, text: &str) {
        self.put(step, StepResult::Skipped, text, None);
    }

    /// A step failed.
    pub fn failed(&mut self, step: ReceiptStep, problem: ProvisionProblem) -> StepFailed {
        self.put(step, StepResult::Failed, &problem.message, problem.hint);
        StepFailed
    }

    /// Parts of the last step.
    pub fn parts(&mut self, parts: impl IntoIterator<Item = Part>) {
        if let Some(last) = self.0.last_mut() {
            last.parts.extend(parts);
        }
    }

    /// All steps; those without an entry were not reached.
    #[must_use]
    pub fn finish(self) -> Vec<StepRecord> {
        let mut entries = self.0.into_iter().peekable();
        let all = ReceiptStep::ALL.into_iter().map(|step| {
            entries.next_if(|done| done.step == step).unwrap_or_else(|| StepRecord {
                step,
                result: StepResult::NotReached,
                text: String::new(),
                hint: None,
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
    fn every_step_is_listed_once_in_order() {
        let mut log = StepLog::default();
        log.done(ReceiptStep::Find, "a\n b");
        log.skipped(ReceiptStep::Verify, "");
        let StepFailed = log.failed(ReceiptStep::Write, ProvisionProblem::new("full").with_hint("empty it"));
        let steps = log.finish();
        assert_eq!(steps.iter().map(|done| done.step).collect::<Vec<_>>(), ReceiptStep::ALL);
        let results: Vec<_> = steps.iter().map(|done| done.result.as_str()).collect();
        let away = "not reached";
        assert_eq!(results, ["done", away, "skipped", away, away, "failed", away, away]);
        assert_eq!((steps[0].text.as_str(), steps[5].hint.as_deref()), ("a b", Some("empty it")));
    }
}
