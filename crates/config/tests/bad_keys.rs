//! Keys that are unknown, missing or of the wrong type, with all the problems that they cause.

mod table;

use table::expect_problems;

#[test]
fn an_unknown_key_gets_a_suggestion() {
    expect_problems(
        r#"schema = 1
[robot]
adress = "192.168.50.3"
"#,
        r#"3:1: error: unknown key `adress` in [robot]
  hint: did you mean `address`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrat = 3
"#,
        r#"5:1: error: unknown key `bitrat` in [[stream]]
  hint: did you mean `bitrate`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
keyframe-interval = "2s"
"#,
        r#"5:1: error: unknown key `keyframe-interval` in [[stream]]
  hint: did you mean `keyframe_interval`?
"#,
    );
    expect_problems(
        r#"schema = 1
[devise]
name = "x"
"#,
        r#"2:2: error: unknown table `devise`
  hint: did you mean `device`?
"#,
    );
    expect_problems(
        r#"schema = 1
[xyzzy]
"#,
        r#"2:2: error: unknown table `xyzzy`
  hint: known here: `schema`, `erase_secrets`, `device`, `robot`, `stream`, `uplink`, `control`, `page`, `update`, `time`, `tls`, `debug`
"#,
    );
    expect_problems(
        r#"schema = 1
xyzzy = 1
"#,
        r#"2:1: error: unknown key `xyzzy`
  hint: known here: `schema`, `erase_secrets`, `device`, `robot`, `stream`, `uplink`, `control`, `page`, `update`, `time`, `tls`, `debug`
"#,
    );
    expect_problems(
        r#"schema = 1
[page]
password = "hunter2"
[page.pasword]
"#,
        r#"4:7: error: unknown table `pasword` in [page]
  hint: did you mean `password`?
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate = { mix = "1 Mbit/s" }
"#,
        r#"5:13: error: unknown key `mix` in `bitrate`
  hint: did you mean `min`?
"#,
    );
    expect_problems(
        r#"schema = 1
"\u001b[31m" = 1
"#,
        r#"2:1: error: unknown key `\u{1b}[31m`
  hint: known here: `schema`, `erase_secrets`, `device`, `robot`, `stream`, `uplink`, `control`, `page`, `update`, `time`, `tls`, `debug`
"#,
    );
}

#[test]
fn a_wrong_type_is_reported_with_the_right_form() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = "rtmp://h/a/K"
bitrate = "4 Mbit/s"
size = 1280
fps = "30"
slate = "yes"
keyframe_interval = 2
"#,
        r#"5:8: error: `push` is text, expected a list
  hint: write `push = ["rtmps://HOST/APP/KEY"]`
6:11: error: `bitrate` is text, expected a table
  hint: write `bitrate = { min = "300 kbit/s", max = "4 Mbit/s" }`
7:8: error: `size` is a whole number, expected text
  hint: write `size = "1280x720"`
8:7: error: `fps` is text, expected a whole number
  hint: write `fps = 30`
9:9: error: `slate` is text, expected true or false
  hint: write `slate = true`
10:21: error: `keyframe_interval` is a whole number, expected text
  hint: write `keyframe_interval = "2 s"`
"#,
    );
    expect_problems(
        r#"schema = 1
device = "x"
"#,
        r#"2:10: error: `device` is text, expected a table
  hint: write `[device]` and its keys on the lines below
"#,
    );
    expect_problems(
        r#"schema = 1
[[page]]
password = "abcdef"
"#,
        r#"2:1: error: `page` can be given only once
  hint: write `[page]` with single brackets
"#,
    );
    expect_problems(
        r#"schema = 1
[stream]
name = "a"
"#,
        r#"2:1: error: `stream` is a single table, expected a list of tables
  hint: write `[[stream]]` with double brackets
"#,
    );
    expect_problems(
        r#"schema = 1
stream = [3]
"#,
        r#"2:11: error: an entry of `stream` is a whole number, expected a table
  hint: write `[[stream]]` and its keys on the lines below
"#,
    );
    expect_problems(
        r#"schema = 1
[uplink.lte]
apn = "a"
pin = 1234
"#,
        r#"4:7: error: `pin` is a whole number, expected text
  hint: write `pin = "..."`, in quotes
"#,
    );
    expect_problems(
        r#"schema = 1
[time]
ntp = "pool"
"#,
        r#"3:7: error: `ntp` is text, expected a list
  hint: write `ntp = ["pool.example.net"]`
"#,
    );
    expect_problems(
        r#"schema = 1
[time]
ntp = [1979-05-27, 1.5]
"#,
        r#"3:8: error: an entry of `ntp` is a date or time, expected text
  hint: write `ntp = ["pool.example.net"]`
3:20: error: an entry of `ntp` is a decimal number, expected text
  hint: write `ntp = ["pool.example.net"]`
"#,
    );
    expect_problems(
        r#"schema = 1
[page]
password = true
"#,
        r#"3:12: error: `password` is true or false, expected text
  hint: write `password = "..."`
"#,
    );
}

#[test]
fn a_missing_key_is_reported() {
    expect_problems(
        r#"schema = 1
[[stream]]
"#,
        r#"2:1: error: missing key `name` in [[stream]]
  hint: add `name = "front"`
2:1: error: missing key `source` in [[stream]]
  hint: add `source = "spot:"` or another source, such as "rtsp://192.168.1.5/stream"
"#,
    );
    expect_problems(
        r#"schema = 1
[page]
[control]
[update]
[[uplink.wifi]]
[uplink.lte]
[uplink.ethernet]
"#,
        r#"2:1: error: missing key `password` in [page]
  hint: add `password = "..."`
3:1: error: missing key `mqtt` in [control]
  hint: add `mqtt = "mqtts://broker.example.net"`
4:1: error: missing key `url` in [update]
  hint: add `url = "https://updates.example.net/robocast"`
5:1: error: missing key `ssid` in [[uplink.wifi]]
  hint: add `ssid = "Lab"`
6:1: error: missing key `apn` in [uplink.lte]
  hint: add `apn = "internet"`
7:1: error: missing key `interface` in [uplink.ethernet]
  hint: add `interface = "eth1"`
"#,
    );
}
