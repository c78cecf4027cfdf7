//! A status as a D-Bus dictionary (`a{sv}`), and back: serde's form of the struct, key by key.
//!
//! A field is a key, under its name in JSON. A struct is a nested dictionary, a list is `av` (also when it is empty,
//! and so has no type), a state is its word; a field that is `None` is left out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashMap;
use zbus::wire::{Array, Str};
use zbus::{OwnedVariant, Variant};

/// Named values of any type.
pub type Dictionary = HashMap<String, OwnedVariant>;

/// The fields of a struct.
#[must_use]
pub fn to_dictionary(status: &impl Serialize) -> Dictionary {
    let Ok(Value::Object(fields)) = serde_json::to_value(status) else { return Dictionary::new() };
    dictionary(fields)
}

/// The struct with these fields. A missing field has its default, and so has one that does not fit: a newer program may
/// have given it another type.
#[must_use]
pub fn from_dictionary<T: DeserializeOwned + Default>(dictionary: &Dictionary) -> T {
    let fields: Map<String, Value> =
        dictionary.iter().filter_map(|(name, value)| Some((name.clone(), json(value)?))).collect();
    if let Ok(status) = serde_json::from_value(Value::Object(fields.clone())) {
        return status;
    }
    let fits = |(name, value): &(String, Value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        serde_json::from_value::<T>(Value::Object(alone)).is_ok()
    };
    let fitting: Map<String, Value> = fields.into_iter().filter(fits).collect();
    serde_json::from_value(Value::Object(fitting)).unwrap_or_default()
}

pub(crate) fn dictionary(fields: Map<String, Value>) -> Dictionary {
    let entry = |(name, value)| Some((name, OwnedVariant::try_from(variant(value)?).ok()?));
    fields.into_iter().filter_map(entry).collect()
}

fn variant(value: Value) -> Option<Variant<'static>> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Variant::Bool(value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Variant::U64(number),
            (None, Some(number)) => Variant::I64(number),
            (None, None) => Variant::F64(number.as_f64()?),
        },
        Value::String(text) => Variant::Str(Str::from(text)),
        Value::Array(values) => {
            let values: Vec<Variant<'static>> = values.into_iter().filter_map(variant).collect();
            Variant::Array(Array::from(values))
        }
        Value::Object(fields) => Variant::from(dictionary(fields)),
    })
}

pub(crate) fn json(value: &Variant<'_>) -> Option<Value> {
    Some(match value {
        Variant::Bool(value) => Value::from(*value),
        Variant::U8(number) => Value::from(*number),
        Variant::I16(number) => Value::from(*number),
        Variant::U16(number) => Value::from(*number),
        Variant::I32(number) => Value::from(*number),
        Variant::U32(number) => Value::from(*number),
        Variant::I64(number) => Value::from(*number),
        Variant::U64(number) => Value::from(*number),
        Variant::F64(number) => Value::from(*number),
        Variant::Str(text) => Value::from(text.as_str()),
        Variant::Variant(value) => json(value)?,
        Variant::Array(values) => values.iter().filter_map(json).collect(),
        Variant::Dict(entries) => {
            let entry = |(name, value): (&Variant<'_>, &Variant<'_>)| match name {
                Variant::Str(name) => Some((name.as_str().to_owned(), json(value)?)),
                _ => None,
            };
            Value::Object(entries.iter().filter_map(entry).collect())
        }
        Variant::Structure(row) => row.fields().iter().filter_map(json).collect(),
        Variant::Signature(_) | Variant::ObjectPath(_) | Variant::Fd(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_status::{CameraStatus, NetStatus, PushStatus, SinkState, SinkStatus, SourceState};
    use zbus::wire::Type;

    #[test]
    fn a_field_is_a_key_and_one_that_is_none_is_left_out() {
        let status =
            CameraStatus { source_state: SourceState::Lost, frames_in: 7, ..CameraStatus::default() };
        let dictionary = to_dictionary(&status);
        assert_eq!(*dictionary["source_state"], Variant::from("lost"));
        assert_eq!(*dictionary["frames_in"], Variant::U64(7));
        assert!(!dictionary.contains_key("since"));
        assert_eq!(<Dictionary as Type>::SIGNATURE.to_string(), "a{sv}");
    }

    #[test]
    fn a_list_has_the_same_type_whether_it_is_empty_or_not() {
        let list = |sinks: Vec<SinkStatus>| {
            let dictionary = to_dictionary(&PushStatus { sinks, ..PushStatus::default() });
            dictionary["sinks"].value_signature().to_string()
        };
        assert_eq!((list(vec![]), list(vec![SinkStatus::default()])), ("av".into(), "av".into()));
    }

    #[test]
    fn a_field_that_does_not_fit_costs_itself_alone() {
        let mut dictionary =
            to_dictionary(&NetStatus { chosen: "wlan0".into(), reads: 4, ..NetStatus::default() });
        dictionary.insert("reads".into(), Str::from("often").into());
        dictionary.insert("newer".into(), OwnedVariant::from(9u32));
        let status: NetStatus = from_dictionary(&dictionary);
        assert_eq!((status.chosen.as_str(), status.reads), ("wlan0", 0));
    }

    #[test]
    fn a_state_of_a_newer_program_costs_no_sink() {
        let sink = SinkStatus { state: SinkState::Publishing, frames_out: 3, ..SinkStatus::default() };
        let mut dictionary =
            to_dictionary(&PushStatus { sinks: vec![sink.clone()], ..PushStatus::default() });
        let mut newer = to_dictionary(&sink);
        newer.insert("state".into(), Str::from("levitating").into());
        let list = Array::from(vec![Variant::from(newer)]);
        dictionary.insert("sinks".into(), OwnedVariant::try_from(list).unwrap());
        let status: PushStatus = from_dictionary(&dictionary);
        assert_eq!(status.sinks, [SinkStatus { state: SinkState::Idle, ..sink }]);
    }

    #[test]
    fn integers_of_every_width_are_read() {
        let with = |value: OwnedVariant| {
            let dictionary = Dictionary::from([("frames_in".to_owned(), value)]);
            from_dictionary::<CameraStatus>(&dictionary).frames_in
        };
        assert_eq!((with(3u8.into()), with(3u16.into()), with(3u32.into())), (3, 3, 3));
        assert_eq!(
            (with(3i16.into()), with(3i32.into()), with(3i64.into()), with((-3i64).into())),
            (3, 3, 3, 0)
        );
        assert_eq!(with(u64::MAX.into()), u64::MAX);
    }
}
