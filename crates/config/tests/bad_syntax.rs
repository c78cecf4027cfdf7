//! Text that is not valid TOML, with all the problems that it causes.

mod table;

use table::expect_problems;

#[test]
fn a_missing_or_unknown_schema_is_reported() {
    expect_problems(
        "",
        r#"1:1: error: the schema is missing
  hint: add `schema = 1` as the first line
"#,
    );
    expect_problems(
        r#"# only a comment
"#,
        r#"1:1: error: the schema is missing
  hint: add `schema = 1` as the first line
"#,
    );
    expect_problems(
        r#"schema = 2
[foo]
"#,
        r#"1:10: error: schema 2 is newer than this release knows
  hint: update the box first, or write schema 1
"#,
    );
    expect_problems(
        r#"schema = 0
"#,
        r#"1:10: error: there is no schema 0
  hint: write `schema = 1`
"#,
    );
    expect_problems(
        r#"schema = -1
"#,
        r#"1:10: error: there is no schema -1
  hint: write `schema = 1`
"#,
    );
    expect_problems(
        r#"schema = "1"
"#,
        r#"1:10: error: `schema` is text, expected a whole number
  hint: write `schema = 1`
"#,
    );
    expect_problems(
        r#"schema = 99999999999999999999
"#,
        r#"1:10: error: schema 99999999999999999999 is newer than this release knows
  hint: update the box first, or write schema 1
"#,
    );
}

#[test]
fn text_without_quotes_is_reported() {
    expect_problems(
        r#"schema = 1
[robot]
kind = spot
address = 192.168.50.3
"#,
        r#"3:8: error: text without quotes
  hint: put it in double quotes
4:11: error: text without quotes
  hint: put it in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[update]
url = https://x
window = 02:00-04:00
"#,
        r#"3:7: error: text without quotes
  hint: put it in double quotes
4:10: error: text without quotes
  hint: put it in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
size = 1280x720
keyframe_interval = 2s
slate = True
"#,
        r#"5:8: error: text without quotes
  hint: put it in double quotes
6:21: error: text without quotes
  hint: put it in double quotes
7:9: error: text without quotes
  hint: put it in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[uplink]
order = [wifi, lte]
"#,
        r#"3:10: error: text without quotes
  hint: put it in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = “spot”
"#,
        r#"3:8: error: text without quotes
  hint: put it in double quotes
"#,
    );
}

#[test]
fn a_missing_quote_or_value_is_reported() {
    expect_problems(
        r#"schema = 1
[device]
name = "a
"#,
        r#"3:10: error: the text is not closed
  hint: text must end on the same line, with the quotes it starts with
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = 'a
"#,
        r#"3:10: error: the text is not closed
  hint: text must end on the same line, with the quotes it starts with
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name =
"#,
        r#"3:7: error: missing value
  hint: the form is `key = value`, with text in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name
"#,
        r#"3:5: error: key with no value
  hint: the form is `key = value`, with text in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name: "a"
"#,
        r#"3:5: error: not a key
  hint: the form is `key = value`; a key has only letters, digits, `_` and `-`
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = "a" "b"
"#,
        r#"3:12: error: unexpected text after the value
  hint: write one `key = value` per line, with text in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = "C:\q"
"#,
        r#"3:12: error: a `\` that starts no escape
  hint: write a backslash as `\\`, or put the text in single quotes
"#,
    );
    expect_problems(
        "schema = 1\n[device]\nname = \"a\x07\"\n",
        r#"3:10: error: a control character in the text
  hint: write it as an escape, such as `\t` or `\u0007`
"#,
    );
    expect_problems(
        r#"schema = 1
[tls]
ca = """
x
"#,
        r#"3:6: error: there is no certificate here
  hint: write a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`
5:1: error: the text is not closed
  hint: text over several lines ends with three quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
fps = 030
"#,
        r#"5:7: error: unexpected leading zero
  hint: write the number without it, or text in double quotes
"#,
    );
    expect_problems(
        r#"schema = 1;
"#,
        r#"1:10: error: text without quotes
  hint: put it in double quotes
"#,
    );
}

#[test]
fn a_missing_bracket_is_reported_once() {
    expect_problems(
        r#"schema = 1
[[stream]
name = "A"
"#,
        r#"2:10: error: the table's header is not closed
  hint: the form is `[[table]]`
"#,
    );
    expect_problems(
        r#"schema = 1
[robot
kind = "x"
"#,
        r#"2:7: error: the table's header is not closed
  hint: the form is `[table]`
"#,
    );
    expect_problems(
        r#"schema = 1
[]
x = 1
"#,
        r#"2:2: error: missing key
  hint: the form is `key = value` or `[table]`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["rtmp://h/a/b",

[uplink]
order = ["wifi"]
[[uplink.wifi]]
ssid = "x"
"#,
        r#"5:8: error: unclosed list
  hint: it ends with `]`
"#,
    );
    expect_problems(
        r#"schema = 1
page = { password = "hunter2"
[robot]
kind = "x"
"#,
        r#"2:8: error: unclosed table
  hint: it ends with `}`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["rtmp://h/a/b" "rtmp://h/a/c"]
"#,
        r#"5:24: error: missing comma between the entries of a list
  hint: put a comma between them
"#,
    );
    expect_problems(
        r#"schema = 1
robot = ]
"#,
        r#"2:9: error: missing array opening, expected `[`
"#,
    );
}

#[test]
fn a_duplicate_is_reported() {
    expect_problems(
        r#"schema = 1
[device]
name = "a"
name = "b"
"#,
        r#"4:1: error: duplicate key `name`
  hint: it is already given above: remove one of the two
"#,
    );
    expect_problems(
        r#"schema = 1
[device]
name = "a"
[device]
"#,
        r#"4:2: error: duplicate key `device`
  hint: it is already given above: remove one of the two
"#,
    );
    expect_problems(
        r#"schema = 1
robot.kind = "spot"
[robot]
interface = "eth0"
"#,
        r#"3:2: error: duplicate key `robot`
  hint: it is already given above: remove one of the two
"#,
    );
    expect_problems(
        r#"schema = 1
[stream]
[[stream]]
"#,
        r#"2:1: error: `stream` is a single table, expected a list of tables
  hint: write `[[stream]]` with double brackets
3:3: error: duplicate key `stream`
  hint: it is already given above: remove one of the two
"#,
    );
    expect_problems(
        r#"schema = 1
robot = 1
robot.kind = "spot"
"#,
        r#"2:9: error: `robot` is a whole number, expected a table
  hint: write `[robot]` and its keys on the lines below
3:1: error: cannot extend value of type integer with a dotted key
"#,
    );
}

#[test]
fn another_language_is_reported() {
    expect_problems(
        r#"schema: 1
robot:
  kind: spot
"#,
        r#"1:7: error: not a key
  hint: the form is `key = value`; a key has only letters, digits, `_` and `-`
2:7: error: key with no value
  hint: the form is `key = value`, with text in double quotes
3:9: error: key with no value
  hint: the form is `key = value`, with text in double quotes
"#,
    );
    expect_problems(
        r#"{"schema": 1}
"#,
        r#"1:1: error: not a key
  hint: the form is `key = value`; a key has only letters, digits, `_` and `-`
"#,
    );
    expect_problems(
        r#"<schema>1</schema>
"#,
        r#"1:1: error: not a key
  hint: the form is `key = value`; a key has only letters, digits, `_` and `-`
"#,
    );
}
