//! docs/robocast.schema.json and docs/robocast.example.toml contain every key and every word that this crate accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use robocast_config::{LIMIT, Problem, check, load, parse, vocabulary};
use serde_json::Value;

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn schema() -> Value {
    serde_json::from_slice(&std::fs::read(document("robocast.schema.json")).expect("valid test data"))
        .expect("valid test data")
}

fn example() -> String {
    std::fs::read_to_string(document("robocast.example.toml")).expect("valid test data")
}

fn json(text: &str) -> Value {
    toml::from_str(text).expect("valid test data")
}

/// The tables of the schema with their keys, by path; and the words of each key that allows only certain words.
#[derive(Default)]
struct SchemaKeys {
    tables: BTreeMap<String, BTreeSet<String>>,
    words: BTreeMap<String, BTreeSet<String>>,
}

impl SchemaKeys {
    fn walk(&mut self, path: &str, schema: &Value) {
        if let Some(words) = schema["enum"].as_array() {
            let words = words.iter().map(|word| word.as_str().expect("valid test data").to_owned()).collect();
            self.words.insert(path.to_owned(), words);
        }
        if let Some(items) = schema.get("items") {
            self.walk(&format!("{path}[]"), items);
        }
        let Some(properties) = schema["properties"].as_object() else { return };
        assert_eq!(schema["additionalProperties"], false, "{path}");
        self.tables.insert(path.to_owned(), properties.keys().cloned().collect());
        for (key, value) in properties {
            assert!(value["description"].is_string(), "{path}.{key} has no description");
            let dot = if path.is_empty() { "" } else { "." };
            self.walk(&format!("{path}{dot}{key}"), value);
        }
    }
}

fn schema_keys() -> SchemaKeys {
    let mut found = SchemaKeys::default();
    found.walk("", &schema());
    found
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    let known: BTreeMap<String, BTreeSet<String>> = vocabulary(example().as_bytes())
        .unwrap()
        .into_iter()
        .map(|(path, keys)| (path, keys.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(schema_keys().tables, known);
    assert_eq!(known.len(), 15, "the example has every table: {known:?}");
}

#[test]
fn the_example_is_valid_and_has_every_key() {
    let checked = load(&document("robocast.example.toml")).unwrap_or_else(|error| panic!("{error}"));
    let lacks = |warning: &Problem| warning.message.starts_with("this version does not");
    assert!(checked.warnings.iter().all(lacks), "{:?}", checked.warnings);
    /// The keys that a document has, by path.
    fn keys(path: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{key}");
                    keys(&path, value, found);
                    found.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(&format!("{path}[]"), item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    keys("", &json(&example()), &mut found);
    for (path, keys) in vocabulary(example().as_bytes()).expect("valid test data") {
        for key in keys {
            let dot = if path.is_empty() { "" } else { "." };
            assert!(found.contains(&format!("{path}{dot}{key}")), "no `{key}` in [{path}]");
        }
    }
}

#[test]
fn the_schema_has_every_word_and_no_other() {
    let words = schema_keys().words;
    assert_eq!(words.len(), 7, "{words:?}");
    for (path, words) in words {
        let document = match path.as_str() {
            "uplink.order[]" => "schema = 1\nuplink.order = [\"xyzzy\"]\n".to_owned(),
            path => {
                let (table, key) = path.rsplit_once('.').unwrap();
                let header = match table.strip_suffix("[]") {
                    Some(table) => format!("[[{table}]]"),
                    None => format!("[{table}]"),
                };
                let before = if key == "phase2" { "eap = \"peap\"\n" } else { "" };
                format!("schema = 1\n{header}\n{before}{key} = \"xyzzy\"\n")
            }
        };
        let problems = check(document.as_bytes()).unwrap_err();
        let hint =
            problems.iter().find(|p| p.message.contains("xyzzy")).and_then(|p| p.hint.clone()).unwrap();
        let known: BTreeSet<String> = hint.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(words, known, "{path}");
    }
}

/// Checks whether a document is valid by the schema.
fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&schema()).expect("valid test data")
}

#[test]
fn the_schema_accepts_valid_documents() {
    let validator = validator();
    let minimal =
        |lines: &str| format!("schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\n{lines}\n");
    let documents = [
        example(),
        include_str!("example.toml").to_owned(),
        "schema = 1".to_owned(),
        minimal("push = [\"rtmp://h/a/k\", { sealed = \"AAAA\" }]"),
        minimal(
            "bitrate = { min = \" 0.5Mbit/s \", max = \"2500000 bps\" }\nkeyframe_interval = \"1.5 s\"\njitter_buffer = \"0ms\"",
        ),
        minimal("size = \"1280x720\"\nfps = 240\n[page]\npassword.sealed = \"AAAA\""),
        minimal("[robot]\nkind = \"go2\"\naddress = \"fd00::1\"\nown_address = \"fd00::2/64\"\nallow = []"),
        minimal(
            "[uplink]\nprobe = \"HTTP://h/\"\n[control]\nmqtt = \"mqtt://h\"\n[update]\nurl = \"https://h\"\nwindow = \"2:00 - 14:00\"",
        ),
    ];
    for text in documents {
        check(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        if let Err(error) = validator.validate(&json(&text)) {
            panic!("{error} at {}\n{text}", error.instance_path());
        }
    }
}

#[test]
fn the_schema_refuses_the_common_mistakes() {
    let validator = validator();
    for text in [
        "device.name = \"a\"",
        "schema = 2",
        "schema = 1\ndevise.name = \"a\"",
        "schema = 1\ndevice.name = \"Spot 07\"",
        "schema = 1\nrobot.kind = \"spto\"",
        "schema = 1\nrobot.own_address = \"10.0.0.1\"",
        "schema = 1\n[[stream]]\nname = \"a\"",
        "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\nbitrate = { min = \"300\" }",
        "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\nfps = \"30\"",
        "schema = 1\n[[uplink.wifi]]\nssid = \"Lab\"\ncountry = \"us\"",
        "schema = 1\n[uplink.lte]\napn = \"internet\"\npin = 1234",
        "schema = 1\n[page]\npassword = { sealed = 3 }",
        "schema = 1\n[page]\npassword = { plain = \"secret\" }",
        "schema = 1\n[debug]\nssh = \"yes\"",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
        assert!(!validator.is_valid(&json(text)), "{text}");
    }
}

#[test]
fn the_example_fits_on_a_stick() {
    assert!(example().len() < LIMIT / 10);
}
