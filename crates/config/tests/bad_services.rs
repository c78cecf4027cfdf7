//! Services and uplinks whose values are not what their key asks for. Each with all that is said about it.

mod table;

use table::told;

#[test]
fn a_service_of_another_form_is_refused() {
    told(
        r#"schema = 1
[control]
mqtt = "mqtts://u:hunter2@h"
topic = "a/#"
"#,
        r#"3:8: error: the broker's URL has a user in it
  hint: use the keys `username` and `password`
4:9: error: the topic `a/#` has a wildcard
  hint: words with `/` between them, such as "robocast/spot-07"
"#,
    );
    told(
        r#"schema = 1
[control]
mqtt = "http://h"
"#,
        r#"3:8: error: no broker speaks `http://`
  hint: the form is mqtts://HOST or mqtt://HOST, with :PORT if it is not 8883 or 1883
"#,
    );
    told(
        r#"schema = 1
[control]
mqtt = "mqtt://h/path"
"#,
        r#"3:8: error: the broker's URL has more than host and port
  hint: the form is mqtts://HOST or mqtt://HOST, with :PORT if it is not 8883 or 1883
"#,
    );
    told(
        r#"schema = 1
[page]
password = "short"
"#,
        r#"3:12: error: the page's password has only 5 characters
  hint: use at least 6
"#,
    );
    told(
        r#"schema = 1
[update]
url = "http://h/x"
window = "2-4"
"#,
        r#"3:7: error: updates do not come over `http://`
  hint: use https://
4:10: error: `2-4` is not a window of the day
  hint: write start and end in 24 hours, such as "02:00-04:00"
"#,
    );
    told(
        r#"schema = 1
[time]
ntp = ["pool.example.net:123"]
"#,
        r#"3:8: error: `pool.example.net:123` is not the name of a server
  hint: write a name or an address alone, such as "pool.example.net"
"#,
    );
    told(
        r#"schema = 1
[tls]
ca = "hello"
"#,
        r#"3:6: error: there is no certificate here
  hint: write a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`
"#,
    );
    told(
        r#"schema = 1
[tls]
ca = """
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
-----BEGIN EC PRIVATE KEY-----
"""
"#,
        r#"3:6: error: there is a private key among the certificates
  hint: take it out, and make a new one: this one has been handed around
"#,
    );
    told(
        r#"schema = 1
[tls]
ca = """
-----BEGIN CERTIFICATE-----
MIIB
"""
"#,
        r#"3:6: error: a certificate is cut off
  hint: write a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`
"#,
    );
}

#[test]
fn an_uplink_of_another_form_is_refused() {
    told(
        r#"schema = 1
[[uplink.wifi]]
ssid = "Lab"
password = "short"
country = "us"
hidden = 1
"#,
        r#"4:12: error: the Wi-Fi password has only 5 characters
  hint: a WPA passphrase has 8 to 63 characters of ASCII, a key has 64 hex digits
5:11: error: `us` is not a country code
  hint: did you mean `US`?
6:10: error: `hidden` is a whole number, expected true or false
  hint: write `hidden = false`
"#,
    );
    told(
        r#"schema = 1
[[uplink.wifi]]
ssid = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
"#,
        r#"3:8: error: the SSID has 33 bytes
  hint: an SSID has at most 32
"#,
    );
    told(
        r#"schema = 1
[uplink.wifi]
ssid = "Lab"
"#,
        r#"2:1: error: `wifi` is a single table, expected a list of tables
  hint: write `[[uplink.wifi]]` with double brackets
"#,
    );
    told(
        r#"schema = 1
[uplink.lte]
apn = "a b"
pin = "12"
"#,
        r#"3:7: error: `a b` is not an access point name
  hint: letters, digits, `.`, `_` and `-`, as the operator gives it, such as "internet"
4:7: error: the PIN is not 4 to 8 digits
  hint: leave `pin` out for a SIM without one
"#,
    );
    told(
        r#"schema = 1
[uplink]
order = ["wlan"]
"#,
        r#"3:10: error: unknown uplink `wlan`
  hint: write `wifi`, `lte` or `ethernet`
"#,
    );
}

#[test]
fn a_sealed_value_needs_its_box() {
    told(
        r#"schema = 1
[page]
password = { sealed = "abc" }
"#,
        r#"3:12: error: this value is sealed to a box; it can only be read there
"#,
    );
    told(
        r#"schema = 1
[page]
password = { seald = "abc" }
"#,
        r#"3:12: error: missing key `sealed` in a sealed value
  hint: add `{ sealed = "..." }`, as `robocast stick seal` prints it
3:14: error: unknown key `seald` in a sealed value
  hint: did you mean `sealed`?
"#,
    );
    told(
        r#"schema = 1
[page]
password = { sealed = 3 }
"#,
        r#"3:23: error: `sealed` is a whole number, expected a text
  hint: write `{ sealed = "..." }`, as `robocast stick seal` prints it
"#,
    );
    told(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = [{ sealed = "abc" }]
"#,
        r#"5:9: error: this value is sealed to a box; it can only be read there
"#,
    );
}
