//! Brings documents of older schemas up to the current one before anything is read from them.

use toml::de::{DeTable, DeValue};

use crate::document::kind;
use crate::parse_error::ParseError;
use crate::problem::Collector;

/// The schema this release writes and reads.
pub const SCHEMA: u32 = 1;

/// Brings a document from one schema to the next. Keys keep their original spans.
pub(crate) type Step = fn(&mut DeTable<'_>);

/// The steps up to [`SCHEMA`], in order. Schema 1 is the first, so there is none yet.
pub(crate) const STEPS: &[Step] = &[];

/// Brings the document up to [`SCHEMA`]. False if that is impossible: then nothing else in it can be checked.
pub(crate) fn migrate(root: &mut DeTable<'_>, steps: &[Step], out: &mut Collector) -> bool {
    const HINT: &str = "write `schema = 1`";
    let Some((key, value)) = root.get_key_value("schema") else {
        out.absence(
            0..0,
            ParseError::new("the schema is missing").with_hint("add `schema = 1` as the first line"),
        );
        return true;
    };
    let span = if value.span().is_empty() { key.span() } else { value.span() };
    let DeValue::Integer(number) = value.get_ref() else {
        let found = kind(value.get_ref());
        out.error(
            span,
            ParseError::new(format!("`schema` is {found}, expected a whole number")).with_hint(HINT),
        );
        return true;
    };
    let shown: String = number.to_string().chars().take(20).collect();
    let beyond = if number.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
    let written = i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(beyond);
    if written > i64::from(SCHEMA) {
        let fault = ParseError::new(format!("schema {shown} is newer than this release knows"))
            .with_hint(format!("update the box first, or write schema {SCHEMA}"));
        out.error(span, fault);
        return false;
    }
    let age = usize::try_from(i64::from(SCHEMA).saturating_sub(written)).unwrap_or(usize::MAX);
    let Some(first) = steps.len().checked_sub(age) else {
        out.error(span, ParseError::new(format!("there is no schema {shown}")).with_hint(HINT));
        return false;
    };
    for step in &steps[first..] {
        step(root);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewriting::rewrite_from;
    use crate::secret::{Seals, Secret};
    use crate::{Checked, Problems, Value, examine};

    /// Schema 0 never existed; here it calls the robot's address `ip`.
    fn from_zero(root: &mut DeTable<'_>) {
        let Some(robot) = root.get_mut("robot") else { return };
        let DeValue::Table(robot) = robot.get_mut() else { return };
        if let Some((mut key, value)) = robot.remove_entry("ip") {
            *key.get_mut() = "address".into();
            robot.insert(key, value);
        }
    }

    fn parse(document: &str) -> Result<Checked, Problems> {
        examine(document.as_bytes(), Seals::Refuse, &[from_zero])
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date() {
        let old = parse("schema = 0\n[robot]\nip = \"10.0.0.1\"\n").unwrap();
        let new = parse("schema = 1\n[robot]\naddress = \"10.0.0.1\"\n").unwrap();
        assert_eq!(old.settings, new.settings);
        assert!(parse("schema = 1\n[robot]\nip = \"10.0.0.1\"\n").is_err());
    }

    #[test]
    fn an_error_in_an_older_schema_is_reported_where_it_was_written() {
        let problems = parse("schema = 0\n[robot]\nip = \"10.0.0\"\n").unwrap_err();
        assert_eq!(
            problems.to_string().lines().next(),
            Some("<settings>:3:6: error: `10.0.0` is not an IP address")
        );
    }

    #[test]
    fn an_older_schema_is_sealed_and_opened_as_it_was_written() {
        const OLD: &str = "schema = 0\n[robot] # the old way\nip = \"10.0.0.1\"\nown_address = \"10.0.0.2/24\"\npassword = \"secret\"\n";
        let sealed = |value: &Value| match value {
            Value::Plain(_) => Some(Value::Sealed("s".to_owned())),
            Value::Sealed(_) => None,
        };
        let opened = |value: &Value| match value {
            Value::Plain(_) => None,
            Value::Sealed(_) => Some(Value::Plain(Secret::new("secret".to_owned()))),
        };
        let text = rewrite_from(OLD, sealed, &[from_zero]).unwrap();
        assert_eq!(text, OLD.replace("\"secret\"", "{ sealed = \"s\" }"));
        assert_eq!(rewrite_from(&text, opened, &[from_zero]).unwrap(), OLD);
        let problems = rewrite_from(OLD, sealed, &[]).unwrap_err();
        assert!(problems.to_string().contains("there is no schema 0"), "{problems}");
    }

    #[test]
    fn a_schema_before_the_first_or_after_the_last_is_refused() {
        for (document, message) in [
            ("schema = -1", "there is no schema -1"),
            ("schema = 2", "schema 2 is newer than this release knows"),
            ("schema = -9223372036854775808", "there is no schema -9223372036854775808"),
        ] {
            let problems = parse(document).unwrap_err();
            assert_eq!(problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), [message]);
        }
    }
}
