//! Turns a stick's settings file into the form that the box keeps: sealed values opened, everything checked. Pure.

use crate::problem::ProvisionProblem;
use robocast_config::{Problem, Problems, Settings, Unseal, check, parse, parse_with};
use robocast_stick::{BoxKey, Part, ReceiptStep, open_document};
use std::cell::Cell;

/// Settings that can be put in force.
pub struct UnsealedSettings {
    /// The file with nothing sealed in it: full of secrets.
    pub plain: Vec<u8>,
    /// The parsed settings.
    pub settings: Settings,
    /// How many values were sealed.
    pub sealed: usize,
    /// Warnings for its author.
    pub warnings: Vec<Part>,
}

/// Settings that cannot.
#[derive(Debug)]
pub struct InvalidSettings {
    /// `Unseal` or `Validate`.
    pub step: ReceiptStep,
    /// In short.
    pub problem: ProvisionProblem,
    /// Each thing that is wrong.
    pub parts: Vec<Part>,
}

/// Unseals and checks a settings file.
///
/// # Errors
/// A sealed value is not for this box (`Unseal`), or something else is wrong (`Validate`).
pub fn unseal_settings(bytes: &[u8], key: &BoxKey) -> Result<UnsealedSettings, InvalidSettings> {
    // A wrong form proves nothing about the seals.
    check(bytes).map_err(|problems| invalid(ReceiptStep::Validate, &problems))?;
    let key = Counting { key, opened: Cell::new(0), failed: Cell::new(0) };
    let checked = parse_with(bytes, &key).map_err(|problems| {
        let step = if key.failed.get() > 0 { ReceiptStep::Unseal } else { ReceiptStep::Validate };
        invalid(step, &problems)
    })?;
    let sealed = key.opened.get();
    let plain = match sealed {
        0 => bytes.to_vec(),
        // It was parsed, so it is text.
        _ => open_document(&String::from_utf8_lossy(bytes), key.key)
            .map_err(|problems| invalid(ReceiptStep::Unseal, &problems))?
            .into_bytes(),
    };
    let again = parse(&plain).map_err(|problems| invalid(ReceiptStep::Validate, &problems))?;
    if again.settings != checked.settings {
        let problem =
            ProvisionProblem::new("the settings differ once they are unsealed").with_hint("seal them again");
        return Err(InvalidSettings { step: ReceiptStep::Unseal, problem, parts: Vec::new() });
    }
    let warnings = checked.warnings.iter().map(|warning| part(warning, true)).collect();
    Ok(UnsealedSettings { plain, settings: checked.settings, sealed, warnings })
}

fn invalid(step: ReceiptStep, problems: &Problems) -> InvalidSettings {
    let parts: Vec<_> = problems.iter().map(|problem| part(problem, false)).collect();
    let text = match &parts[..] {
        [_] => "one thing is wrong; nothing was changed".to_owned(),
        parts => format!("{} things are wrong; nothing was changed", parts.len()),
    };
    InvalidSettings { step, problem: ProvisionProblem::new(text), parts }
}

fn part(problem: &Problem, ok: bool) -> Part {
    let Problem { line, column, message, hint, .. } = problem;
    Part { what: format!("line {line}, column {column}"), ok, text: message.clone(), hint: hint.clone() }
}

/// A key that counts.
struct Counting<'k> {
    key: &'k BoxKey,
    opened: Cell<usize>,
    failed: Cell<usize>,
}

impl Unseal for Counting<'_> {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        let result = self.key.unseal(sealed);
        let count = if result.is_ok() { &self.opened } else { &self.failed };
        count.set(count.get() + 1);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_stick::seal;

    #[test]
    fn what_is_wrong_is_told_at_the_step_it_belongs_to() {
        let (own, other) = (BoxKey::generate(), BoxKey::generate());
        let text = |value: &str| format!("schema = 1\n[device]\nname = \"a\"\n[page]\npassword = {value}\n");
        let sealed = |key: &BoxKey, secret| format!("{{ sealed = \"{}\" }}", seal(&key.recipient(), secret));
        let step = |text: String| {
            unseal_settings(text.as_bytes(), &own)
                .map(|o| o.sealed)
                .map_err(|invalid| (invalid.step, invalid.parts.len()))
        };
        assert_eq!(step(text("\"long enough\"")), Ok(0));
        assert_eq!(step(text(&sealed(&own, "long enough"))), Ok(1));
        assert_eq!(step(text(&sealed(&other, "long enough"))), Err((ReceiptStep::Unseal, 1)));
        assert_eq!(step(text("{ sealed = \"AAAA\" }")), Err((ReceiptStep::Unseal, 1)));
        assert_eq!(step(text("3")), Err((ReceiptStep::Validate, 1)));
        assert_eq!(step(text(&format!("{}\nx = 1", sealed(&other, "a")))), Err((ReceiptStep::Validate, 1)));
        assert_eq!(step(String::new()).unwrap_err().0, ReceiptStep::Validate);
    }

    #[test]
    fn what_is_kept_is_the_file_with_its_seals_opened() {
        let key = BoxKey::generate();
        let sealed = seal(&key.recipient(), "long enough");
        let text = format!(
            "schema = 1 # mine\r\n[device]\r\nname = \"a\"\r\n[page]\r\npassword = {{ sealed = \"{sealed}\" }}\r\n"
        );
        let opened = unseal_settings(text.as_bytes(), &key).unwrap();
        let plain = String::from_utf8(opened.plain).unwrap();
        assert!(plain.contains("# mine") && plain.contains("\"long enough\""), "{plain}");
        assert_eq!(parse(plain.as_bytes()).unwrap().settings, opened.settings);
    }
}
