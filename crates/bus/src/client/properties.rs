//! Reads a status from single properties, for a program without the property `Status`: an older one, or a third party's
//! stand-in. Rows become dictionaries by the position of their values.

use crate::dictionary::{self, Dictionary};
use crate::names::Service;
use serde_json::{Map, Value};

const SINK: &[&str] =
    &["url", "state", "text", "frames_out", "bytes_out", "keyframes", "skipped", "reconnects"];
const SINK_UPLINK: &[&str] = &["uplink", "mptcp"];
const EVIDENCE: &[&str] = &["url", "interface", "mptcp", "stalled", "stalled_ms", "rtt_ms"];
const UPLINK: &[&str] = &["name", "interface", "state", "chosen", "metered", "address", "text"];
const ROBOT: &[&str] = &["interface", "present", "carrier", "address", "text"];

/// Whether a program has its whole status in one property.
pub fn has_status(properties: &Dictionary) -> bool {
    properties.contains_key("Status")
}

/// The status in a program's properties, as a dictionary.
pub fn status_of(service: &Service, properties: &Dictionary) -> Option<Dictionary> {
    if let Some(status) = properties.get("Status") {
        return Dictionary::try_from(status.clone()).ok();
    }
    let value = |name: &str| properties.get(name).and_then(|value| dictionary::json(value));
    let mut fields: Map<String, Value> = properties
        .iter()
        .filter_map(|(name, value)| Some((snake_case(name), dictionary::json(value)?)))
        .collect();
    match service {
        Service::Camera(_) => {
            if let Some(bitrate) = fields.remove("target_bitrate") {
                fields.insert("target_bps".into(), bitrate);
            }
        }
        Service::Push(_) => {
            fields.retain(|name, value| name != "latency_ms" || value.as_f64().is_some_and(|ms| ms >= 0.0));
            let mut sinks = rows(value("Sinks"), SINK);
            for (sink, uplink) in sinks.iter_mut().zip(rows(value("SinkUplinks"), SINK_UPLINK)) {
                sink.extend(uplink);
            }
            for (sink, bitrate) in sinks.iter_mut().zip(list(value("SinkBitrates"))) {
                sink.insert("bitrate_bps".into(), bitrate);
            }
            fields.insert("sinks".into(), sinks.into_iter().map(Value::Object).collect());
            fields.insert(
                "evidence".into(),
                rows(value("Evidence"), EVIDENCE).into_iter().map(Value::Object).collect(),
            );
        }
        Service::Net => {
            fields.insert(
                "uplinks".into(),
                rows(value("Uplinks"), UPLINK).into_iter().map(Value::Object).collect(),
            );
            fields.insert("robot".into(), Value::Object(row(list(value("Robot")), ROBOT)));
        }
        Service::Update => {}
    }
    Some(dictionary::dictionary(fields))
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    }
}

fn rows(value: Option<Value>, names: &[&str]) -> Vec<Map<String, Value>> {
    list(value).into_iter().map(|values| row(list(Some(values)), names)).collect()
}

fn row(values: Vec<Value>, names: &[&str]) -> Map<String, Value> {
    names.iter().map(|&name| name.to_owned()).zip(values).collect()
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
