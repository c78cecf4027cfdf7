//! Secrets are replaced in place; the rest of the text does not change.

use proptest::prelude::*;
use robocast_config::{Secret, Unseal, Value, check, parse, parse_with, rewrite};

/// Seals text by reversing it.
struct Reverse;

impl Unseal for Reverse {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        Ok(sealed.chars().rev().collect())
    }
}

fn turned(text: &str) -> String {
    text.chars().rev().collect()
}

fn seal(text: &str) -> String {
    let change = |value: &Value| match value {
        Value::Plain(plain) => Some(Value::Sealed(turned(plain.expose()))),
        Value::Sealed(_) => None,
    };
    rewrite(text, change).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn open(text: &str) -> String {
    let change = |value: &Value| match value {
        Value::Plain(_) => None,
        Value::Sealed(sealed) => Some(Value::Plain(Secret::new(turned(sealed)))),
    };
    rewrite(text, change).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

const PLAIN: &str = r#"schema = 1 # the first
page = { password = "terces" } # inline

# the robot
[robot]
  password   =   'SECRET"robot'   # in single quotes
username = "operator"
[[stream]]
name = "a"
source = "rtsp://u:SECRET@h/"
push = [ # two of them
  "rtmp://h/app/SECRET", "srt://h:8890",
]
[[stream]]
name = "b"
source = "test:"
[uplink]
lte = { apn = "internet", pin = "1234" }
wifi = [{ ssid = "Lab", password = "SECRETwifi" }]
"#;

#[test]
fn only_secrets_are_replaced() {
    let sealed = seal(PLAIN);
    assert_eq!(
        sealed,
        r#"schema = 1 # the first
page = { password = { sealed = "secret" } } # inline

# the robot
[robot]
  password   =   { sealed = "tobor\"TERCES" }   # in single quotes
username = "operator"
[[stream]]
name = "a"
source = { sealed = "/h@TERCES:u//:pstr" }
push = [ # two of them
  { sealed = "TERCES/ppa/h//:pmtr" }, "srt://h:8890",
]
[[stream]]
name = "b"
source = "test:"
[uplink]
lte = { apn = "internet", pin = { sealed = "4321" } }
wifi = [{ ssid = "Lab", password = { sealed = "ifiwTERCES" } }]
"#
    );
    assert_eq!(open(&sealed), PLAIN.replace("'SECRET\"robot'", r#""SECRET\"robot""#));
    assert_eq!(seal(&sealed), sealed, "sealed values do not change");
}

#[test]
fn a_sealed_value_is_opened_however_it_is_written() {
    for (sealed, plain) in [
        ("[page]\npassword.sealed = \"terces\"", "[page]\npassword = \"secret\""),
        ("page.password.sealed = 'terces' # x", "page.password = \"secret\" # x"),
        ("page . \"password\" . sealed = \"terces\"", "page . \"password\" = \"secret\""),
        ("page = { password.sealed = \"terces\" }", "page = { password = \"secret\" }"),
        ("page.password = {sealed=\"\"\"terces\"\"\"}", "page.password = \"secret\""),
    ] {
        let text = |line: &str| format!("\u{feff}schema = 1\r\n{line}\r\n");
        assert_eq!(open(&text(sealed)), text(plain));
        assert_eq!(
            parse(text(plain).as_bytes()).unwrap().settings,
            parse_with(text(sealed).as_bytes(), &Reverse).unwrap().settings
        );
    }
}

#[test]
fn a_sealed_value_in_a_table_of_its_own_is_refused_with_a_hint() {
    for document in [
        "schema = 1\n[page.password]\nsealed = \"terces\"\n",
        "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\n[[stream.push]]\nsealed = \"yek\"\n",
    ] {
        let problems = check(document.as_bytes()).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!(problem.message, "a sealed value in a table of its own");
        assert!(problem.hint.as_ref().unwrap().contains("{ sealed ="));
        assert!(rewrite(document, |_| None).is_err());
    }
}

#[test]
fn a_file_that_is_not_valid_is_not_rewritten() {
    let problems = rewrite("schema = 1\n[page]\npassword = \"SECRE\"\n", |_| None).unwrap_err();
    assert!(!problems.to_string().contains("SECRE"));
}

proptest! {
    #[test]
    fn any_secret_comes_back(secret in "\\PC{6,30}", control in "[\u{1}-\u{1f}\u{7f}\"\\\\'\u{e000}]{0,5}") {
        let secret = format!("{secret}{control}");
        let held = Value::Plain(Secret::new(secret.clone()));
        let text = rewrite("schema = 1\npage.password = \"secret\" # end\n", |_| Some(held.clone())).unwrap();
        prop_assert!(text.ends_with(" # end\n") && text.lines().count() == 2, "{}", text);
        let plain = parse(text.as_bytes()).unwrap().settings.page.unwrap();
        prop_assert_eq!(plain.password.expose(), &secret);
        let sealed = seal(&text);
        prop_assert_eq!(open(&sealed), text);
        let opened = parse_with(sealed.as_bytes(), &Reverse).unwrap().settings.page.unwrap();
        prop_assert_eq!(opened.password.expose(), &secret);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(schema = 1\n)?(page\\.|password|\\.sealed| = |\"|[{}\\[\\]#\n\u{feff}]|\\PC){0,30}") {
        let _ = rewrite(&text, |_| Some(Value::Sealed("x".to_owned())));
    }
}
