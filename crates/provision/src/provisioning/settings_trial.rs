//! The trial of settings: written, applied, verified; then proven, or the network is rolled back.

use crate::host::{Answer, Change, Host};
use crate::log::{StepFailed, StepLog};
use crate::owner::Owner;
use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use crate::unsealed::UnsealedSettings;
use crate::verification::VerificationResult;
use crate::{journal, settings_files};
use robocast_config::{Settings, parse};
use robocast_stick::{Outcome, ReceiptStep};

/// Writes settings, then applies and verifies them. Those that are in force and proven already are only verified again.
///
/// # Errors
/// They cannot be written: nothing was changed.
pub fn run_trial(
    state: &StateDir,
    host: &mut dyn Host,
    log: &mut StepLog,
    unsealed: &UnsealedSettings,
    owner: Option<&Owner>,
) -> Result<Outcome, StepFailed> {
    let bytes = unsealed.plain.as_slice();
    // Old settings that cannot be read count as none: these replace them.
    let old = settings_files::read_current(state).unwrap_or(None);
    let same = old.as_deref() == Some(bytes);
    let known = same && settings_files::read_proven(state).unwrap_or(None).as_deref() == Some(bytes);
    let written = match known {
        true => keep_owner(state, owner),
        false => journal::begin_trial(state, bytes, owner),
    };
    written.map_err(|problem| log.failed(ReceiptStep::Write, problem))?;
    log.done(ReceiptStep::Write, if same { "already in force" } else { "the new settings are in force" });
    let before = old.and_then(|old| parse(&old).ok()).map(|checked| checked.settings);
    let change = Change { before: before.as_ref(), settings: &unsealed.settings, bytes };
    if known {
        log.skipped(ReceiptStep::Apply, "already in force");
        return Ok(verify(state, host, log, change));
    }
    Ok(apply(state, host, log, change))
}

/// Resumes a trial whose settings are written.
pub fn resume_trial(state: &StateDir, host: &mut dyn Host, log: &mut StepLog) -> Outcome {
    let bytes = settings_files::read_current(state).unwrap_or(None).unwrap_or_default();
    match parse(&bytes) {
        Ok(checked) => {
            apply(state, host, log, Change { before: None, settings: &checked.settings, bytes: &bytes })
        }
        Err(_) => {
            let StepFailed = log.failed(
                ReceiptStep::Validate,
                ProvisionProblem::new("the settings in force are not valid any more"),
            );
            end_trial(state);
            Outcome::Refused
        }
    }
}

/// Verifies settings that are in force already, and changes nothing.
pub fn verify_again(host: &mut dyn Host, log: &mut StepLog, bytes: &[u8], settings: &Settings) -> Outcome {
    let change = Change { before: Some(settings), settings, bytes };
    let Some(result) = host.verify(change) else {
        log.skipped(ReceiptStep::Prove, CANNOT_TELL);
        return Outcome::Kept;
    };
    log_verification(log, result, "")
}

const CANNOT_TELL: &str = "this machine cannot tell whether they work";

fn keep_owner(state: &StateDir, owner: Option<&Owner>) -> Result<(), ProvisionProblem> {
    match owner {
        Some(owner) if journal::read_owner(state)?.as_ref() != Some(owner) => {
            journal::write_owner(state, owner)
        }
        _ => Ok(()),
    }
}

fn apply(state: &StateDir, host: &mut dyn Host, log: &mut StepLog, change: Change<'_>) -> Outcome {
    match host.apply(change) {
        Answer::Done(text) => log.done(ReceiptStep::Apply, &text),
        Answer::Unsupported(text) => log.skipped(ReceiptStep::Apply, &text),
        Answer::Failed(mut problem) => {
            problem.message.push_str(&describe_rollback(host.roll_back(change, false)));
            let StepFailed = log.failed(ReceiptStep::Apply, problem);
            end_trial(state);
            return Outcome::Kept;
        }
    }
    verify(state, host, log, change)
}

fn verify(state: &StateDir, host: &mut dyn Host, log: &mut StepLog, change: Change<'_>) -> Outcome {
    let outcome = match host.verify(change) {
        None => {
            log.skipped(ReceiptStep::Prove, CANNOT_TELL);
            Outcome::Kept
        }
        Some(result) if result.passed() => match commit(state, host, change) {
            Ok(()) => log_verification(log, result, ""),
            Err(problem) => {
                let StepFailed = log.failed(ReceiptStep::Prove, problem);
                log.parts(result.parts);
                Outcome::Kept
            }
        },
        Some(result) => {
            let rollback = describe_rollback(host.roll_back(change, result.uplink_failed));
            log_verification(log, result, &rollback)
        }
    };
    end_trial(state);
    outcome
}

fn commit(state: &StateDir, host: &mut dyn Host, change: Change<'_>) -> Result<(), ProvisionProblem> {
    settings_files::mark_proven(state, change.bytes)?;
    match host.commit(change) {
        Answer::Failed(problem) => Err(problem),
        Answer::Done(_) | Answer::Unsupported(_) => Ok(()),
    }
}

/// Logs how a verification ended, with the result of the rollback.
fn log_verification(log: &mut StepLog, result: VerificationResult, rollback: &str) -> Outcome {
    let failed: Vec<_> = result.parts.iter().filter(|part| !part.ok).map(|part| part.what.as_str()).collect();
    let outcome = if failed.is_empty() {
        log.done(ReceiptStep::Prove, "all that they say was seen to work");
        Outcome::Proven
    } else {
        let message = format!("not seen to work: {}{rollback}", failed.join(", "));
        let StepFailed = log.failed(ReceiptStep::Prove, ProvisionProblem::new(message));
        Outcome::Kept
    };
    log.parts(result.parts);
    outcome
}

/// The result of a rollback, as the end of a sentence.
fn describe_rollback(answer: Answer) -> String {
    match answer {
        Answer::Done(text) => format!("; {text}"),
        Answer::Failed(problem) => format!("; {}", problem.message),
        Answer::Unsupported(_) => String::new(),
    }
}

/// If the journal cannot be removed, the next boot applies the settings in force once more: no harm.
fn end_trial(state: &StateDir) {
    if let Err(problem) = journal::end_trial(state) {
        tracing::warn!(%problem, "the journal of the settings cannot be removed");
    }
}
