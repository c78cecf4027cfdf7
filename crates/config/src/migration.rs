//! Older schemas are brought up to the current one before anything is read from them.

use toml::de::{DeTable, DeValue};

use crate::malformed::Malformed;
use crate::problem::Collector;

/// The schema this release writes and reads.
pub const SCHEMA: u32 = 1;

/// Brings a document from one schema to the next. Keys keep the spans they were written at.
pub(crate) type Step = fn(&mut DeTable<'_>);

/// The steps up to [`SCHEMA`], the last one last. Schema 1 is the first, so there is none yet.
pub(crate) const STEPS: &[Step] = &[];

/// Brings the document up to [`SCHEMA`]. False when it cannot be: then nothing else in it can be judged.
pub(crate) fn migrate(root: &mut DeTable<'_>, steps: &[Step], out: &mut Collector) -> bool {
    const MEND: &str = "write `schema = 1`";
    let Some((key, value)) = root.get_key_value("schema") else {
        out.absence(0..0, Malformed::new("the schema is missing").hint("add `schema = 1` as the first line"));
        return true;
    };
    let span = if value.span().is_empty() { key.span() } else { value.span() };
    let DeValue::Integer(number) = value.get_ref() else {
        let found = value.get_ref().type_str();
        out.error(span, Malformed::new(format!("`schema` is a {found}, expected a whole number")).hint(MEND));
        return true;
    };
    let written = i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX);
    let Some(age) = i64::from(SCHEMA).checked_sub(written).filter(|age| *age >= 0) else {
        let fault = Malformed::new(format!("schema {number} is newer than this release knows"))
            .hint(format!("update the box first, or write for schema {SCHEMA}"));
        out.error(span, fault);
        return false;
    };
    let Some(first) = usize::try_from(age).ok().and_then(|age| steps.len().checked_sub(age)) else {
        out.error(span, Malformed::new(format!("there is no schema {number}")).hint(MEND));
        return false;
    };
    for step in &steps[first..] {
        step(root);
    }
    true
}
