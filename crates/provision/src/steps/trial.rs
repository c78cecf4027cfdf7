//! Settings that are good are written, applied and proven.

use crate::home::Home;
use crate::log::{Log, Stop};
use crate::opened::Opened;
use crate::owner::Owner;
use crate::the_box::{Answer, New, TheBox};
use crate::trouble::Trouble;
use crate::{journal, swap};
use robocast_config::{Settings, parse};
use robocast_stick::{Outcome, Part, Step};

/// Writes settings, then applies and proves them. Those that are in force and proven already are only proven again.
///
/// # Errors
/// They cannot be written: nothing was changed.
pub fn run(
    home: &Home,
    the_box: &mut dyn TheBox,
    log: &mut Log,
    opened: &Opened,
    owner: Option<&Owner>,
) -> Result<Outcome, Stop> {
    let bytes = opened.plain.as_slice();
    // Old settings that cannot be read are as good as none: these mend them.
    let old = swap::in_force(home).unwrap_or(None);
    let same = old.as_deref() == Some(bytes);
    let known = same && swap::proven(home).unwrap_or(None).as_deref() == Some(bytes);
    let written = match known {
        true => keep_owner(home, owner),
        false => journal::begin(home, bytes, owner),
    };
    written.map_err(|trouble| log.failed(Step::Write, trouble))?;
    log.done(Step::Write, if same { "already in force" } else { "the new settings are in force" });
    let before = old.and_then(|old| parse(&old).ok()).map(|checked| checked.settings);
    let new = New { before: before.as_ref(), settings: &opened.settings, bytes };
    if known {
        log.skipped(Step::Apply, "already in force");
        return Ok(prove(home, the_box, log, new));
    }
    Ok(apply(home, the_box, log, new))
}

/// Goes on with a trial whose settings are written.
pub fn go_on(home: &Home, the_box: &mut dyn TheBox, log: &mut Log) -> Outcome {
    let bytes = swap::in_force(home).unwrap_or(None).unwrap_or_default();
    match parse(&bytes) {
        Ok(checked) => {
            apply(home, the_box, log, New { before: None, settings: &checked.settings, bytes: &bytes })
        }
        Err(_) => {
            let Stop =
                log.failed(Step::Validate, Trouble::new("the settings in force are not valid any more"));
            end(home);
            Outcome::Refused
        }
    }
}

/// Looks whether settings work that are in force already, and changes nothing.
pub fn prove_again(the_box: &mut dyn TheBox, log: &mut Log, bytes: &[u8], settings: &Settings) -> Outcome {
    let new = New { before: Some(settings), settings, bytes };
    let Some(parts) = the_box.prove(new) else {
        log.skipped(Step::Prove, NOBODY);
        return Outcome::Kept;
    };
    let failed = tell(log, &parts, "");
    log.parts(parts);
    if failed { Outcome::Kept } else { Outcome::Proven }
}

const NOBODY: &str = "nobody here can tell whether they work";

fn keep_owner(home: &Home, owner: Option<&Owner>) -> Result<(), Trouble> {
    match owner {
        Some(owner) if journal::read_owner(home)?.as_ref() != Some(owner) => {
            journal::write_owner(home, owner)
        }
        _ => Ok(()),
    }
}

fn apply(home: &Home, the_box: &mut dyn TheBox, log: &mut Log, new: New<'_>) -> Outcome {
    match the_box.apply(new) {
        Answer::Done(text) => log.done(Step::Apply, &text),
        Answer::Nobody(text) => log.skipped(Step::Apply, &text),
        Answer::Failed(mut trouble) => {
            trouble.text.push_str(&told(the_box.back(new, &[])));
            let Stop = log.failed(Step::Apply, trouble);
            end(home);
            return Outcome::Kept;
        }
    }
    prove(home, the_box, log, new)
}

fn prove(home: &Home, the_box: &mut dyn TheBox, log: &mut Log, new: New<'_>) -> Outcome {
    let outcome = match the_box.prove(new) {
        None => {
            log.skipped(Step::Prove, NOBODY);
            Outcome::Kept
        }
        Some(parts) if parts.iter().all(|part| part.ok) => match keep(home, the_box, new) {
            Ok(()) => {
                tell(log, &parts, "");
                log.parts(parts);
                Outcome::Proven
            }
            Err(trouble) => {
                let Stop = log.failed(Step::Prove, trouble);
                log.parts(parts);
                Outcome::Kept
            }
        },
        Some(parts) => {
            let back = told(the_box.back(new, &parts));
            tell(log, &parts, &back);
            log.parts(parts);
            Outcome::Kept
        }
    };
    end(home);
    outcome
}

fn keep(home: &Home, the_box: &mut dyn TheBox, new: New<'_>) -> Result<(), Trouble> {
    swap::mark_proven(home, new.bytes)?;
    match the_box.keep(new) {
        Answer::Failed(trouble) => Err(trouble),
        Answer::Done(_) | Answer::Nobody(_) => Ok(()),
    }
}

/// Says how a proof went. True when a part of it failed.
fn tell(log: &mut Log, parts: &[Part], back: &str) -> bool {
    let failed: Vec<_> = parts.iter().filter(|part| !part.ok).map(|part| part.what.as_str()).collect();
    if failed.is_empty() {
        log.done(Step::Prove, "all that they say was seen to work");
        return false;
    }
    let Stop =
        log.failed(Step::Prove, Trouble::new(format!("not seen to work: {}{back}", failed.join(", "))));
    true
}

/// What going back came to, as the end of a sentence.
fn told(back: Answer) -> String {
    match back {
        Answer::Done(text) => format!("; {text}"),
        Answer::Failed(trouble) => format!("; {}", trouble.text),
        Answer::Nobody(_) => String::new(),
    }
}

/// Should the journal stay, the next boot applies once more what is in force: no harm.
fn end(home: &Home) {
    if let Err(trouble) = journal::end(home) {
        tracing::warn!(%trouble, "the journal of the settings stays");
    }
}
