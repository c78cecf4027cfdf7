//! From a stick's settings file to what the box keeps: sealed values opened, everything judged. Pure.

use crate::trouble::Trouble;
use robocast_config::{Problem, Problems, Settings, Unseal, check, parse, parse_with};
use robocast_stick::{BoxKey, Part, Step, open_document};
use std::cell::Cell;

/// Settings that may be put in force.
pub struct Opened {
    /// The file with nothing sealed in it: full of secrets.
    pub plain: Vec<u8>,
    /// What it says.
    pub settings: Settings,
    /// How many values were sealed.
    pub sealed: usize,
    /// What its author should know.
    pub warnings: Vec<Part>,
}

/// Settings that may not.
#[derive(Debug)]
pub struct Bad {
    /// `Unseal` or `Validate`.
    pub step: Step,
    /// In short.
    pub trouble: Trouble,
    /// Each thing that is wrong.
    pub parts: Vec<Part>,
}

/// Opens and judges a settings file.
///
/// # Errors
/// A sealed value is not for this box (`Unseal`), or something else is wrong (`Validate`).
pub fn open(bytes: &[u8], key: &BoxKey) -> Result<Opened, Bad> {
    // What is wrong with the form says nothing about the seals.
    check(bytes).map_err(|problems| bad(Step::Validate, &problems))?;
    let key = Counting { key, opened: Cell::new(0), failed: Cell::new(0) };
    let checked = parse_with(bytes, &key).map_err(|problems| {
        let step = if key.failed.get() > 0 { Step::Unseal } else { Step::Validate };
        bad(step, &problems)
    })?;
    let sealed = key.opened.get();
    let plain = match sealed {
        0 => bytes.to_vec(),
        // It was parsed, so it is text.
        _ => open_document(&String::from_utf8_lossy(bytes), key.key)
            .map_err(|problems| bad(Step::Unseal, &problems))?
            .into_bytes(),
    };
    let again = parse(&plain).map_err(|problems| bad(Step::Validate, &problems))?;
    if again.settings != checked.settings {
        let trouble = Trouble::new("the settings are others once they are opened").mend("seal them anew");
        return Err(Bad { step: Step::Unseal, trouble, parts: Vec::new() });
    }
    let warnings = checked.warnings.iter().map(|warning| part(warning, true)).collect();
    Ok(Opened { plain, settings: checked.settings, sealed, warnings })
}

fn bad(step: Step, problems: &Problems) -> Bad {
    let parts: Vec<_> = problems.iter().map(|problem| part(problem, false)).collect();
    let text = match &parts[..] {
        [_] => "one thing is wrong; nothing was changed".to_owned(),
        parts => format!("{} things are wrong; nothing was changed", parts.len()),
    };
    Bad { step, trouble: Trouble::new(text), parts }
}

fn part(problem: &Problem, ok: bool) -> Part {
    let Problem { line, column, message, hint, .. } = problem;
    Part { what: format!("line {line}, column {column}"), ok, text: message.clone(), mend: hint.clone() }
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
            open(text.as_bytes(), &own).map(|o| o.sealed).map_err(|bad| (bad.step, bad.parts.len()))
        };
        assert_eq!(step(text("\"long enough\"")), Ok(0));
        assert_eq!(step(text(&sealed(&own, "long enough"))), Ok(1));
        assert_eq!(step(text(&sealed(&other, "long enough"))), Err((Step::Unseal, 1)));
        assert_eq!(step(text("{ sealed = \"AAAA\" }")), Err((Step::Unseal, 1)));
        assert_eq!(step(text("3")), Err((Step::Validate, 1)));
        assert_eq!(step(text(&format!("{}\nx = 1", sealed(&other, "a")))), Err((Step::Validate, 1)));
        assert_eq!(step(String::new()).unwrap_err().0, Step::Validate);
    }

    #[test]
    fn what_is_kept_is_the_file_with_its_seals_opened() {
        let key = BoxKey::generate();
        let sealed = seal(&key.recipient(), "long enough");
        let text = format!(
            "schema = 1 # mine\r\n[device]\r\nname = \"a\"\r\n[page]\r\npassword = {{ sealed = \"{sealed}\" }}\r\n"
        );
        let opened = open(text.as_bytes(), &key).unwrap();
        let plain = String::from_utf8(opened.plain).unwrap();
        assert!(plain.contains("# mine") && plain.contains("\"long enough\""), "{plain}");
        assert_eq!(parse(plain.as_bytes()).unwrap().settings, opened.settings);
    }
}
