//! Services and uplinks with invalid values, with all the problems that they cause.

mod table;

use table::expect_problems;

#[test]
fn an_invalid_service_is_refused() {
    expect_problems(
        r#"schema = 1
[control]
mqtt = "mqtts://u:hunter2@h"
topic = "a/#"
"#,
        r#"3:8: error: the broker's URL has a user in it
  hint: use the keys `username` and `password`
4:9: error: the topic `a/#` has a wildcard
  hint: write words separated by `/`, such as "robocast/spot-07"
"#,
    );
    expect_problems(
        r#"schema = 1
[control]
mqtt = "http://h"
"#,
        r#"3:8: error: no broker speaks `http://`
  hint: the form is mqtts://HOST or mqtt://HOST, with :PORT if it is not 8883 or 1883
"#,
    );
    expect_problems(
        r#"schema = 1
[control]
mqtt = "mqtt://h/path"
"#,
        r#"3:8: error: the broker's URL has more than host and port
  hint: the form is mqtts://HOST or mqtt://HOST, with :PORT if it is not 8883 or 1883
"#,
    );
    expect_problems(
        r#"schema = 1
[page]
password = "short"
"#,
        r#"3:12: error: the page's password has only 5 characters
  hint: use at least 6
"#,
    );
    expect_problems(
        r#"schema = 1
[update]
url = "http://h/x"
window = "2-4"
"#,
        r#"3:7: error: updates cannot be downloaded over `http://`
  hint: use https://
4:10: error: `2-4` is not a window of the day
  hint: write start and end in 24 hours, such as "02:00-04:00"
"#,
    );
    expect_problems(
        r#"schema = 1
[time]
ntp = ["pool.example.net:123"]
"#,
        r#"3:8: error: `pool.example.net:123` is not the name of a server
  hint: write only a name or an address, such as "pool.example.net"
"#,
    );
    expect_problems(
        r#"schema = 1
[tls]
ca = "hello"
"#,
        r#"3:6: error: there is no certificate here
  hint: write a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`
"#,
    );
    expect_problems(
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
  hint: take it out, and make a new one: this one is no longer secret
"#,
    );
    expect_problems(
        r#"schema = 1
[tls]
ca = """
-----BEGIN CERTIFICATE-----
MIIB
"""
"#,
        r#"3:6: error: a certificate is incomplete
  hint: write a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`
"#,
    );
}

#[test]
fn a_country_with_another_official_code_is_refused() {
    expect_problems(
        r#"schema = 1
[[uplink.wifi]]
ssid = "Lab"
country = "UK"
"#,
        r#"4:11: error: `UK` is not a country code
  hint: did you mean `GB`?
"#,
    );
}

#[test]
fn an_invalid_uplink_is_refused() {
    expect_problems(
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
    expect_problems(
        r#"schema = 1
[[uplink.wifi]]
ssid = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
"#,
        r#"3:8: error: the SSID has 33 bytes
  hint: an SSID has at most 32
"#,
    );
    expect_problems(
        r#"schema = 1
[uplink.wifi]
ssid = "Lab"
"#,
        r#"2:1: error: `wifi` is a single table, expected a list of tables
  hint: write `[[uplink.wifi]]` with double brackets
"#,
    );
    expect_problems(
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
    expect_problems(
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
fn the_missing_keys_of_an_enterprise_network_are_reported() {
    expect_problems(
        r#"schema = 1
[[uplink.wifi]]
ssid = "Office"
eap = "peap"
[[uplink.wifi]]
ssid = "Plant"
eap = "tls"
identity = "robot"
password = "secret12"
[[uplink.wifi]]
ssid = "Lab"
identity = "robot"
password = "secret12"
[[uplink.wifi]]
ssid = "Hall"
eap = "leap"
"#,
        r#"2:1: error: missing key `identity` in [[uplink.wifi]]
  hint: add `identity = "robot"`
2:1: error: missing key `password` in [[uplink.wifi]]
  hint: add `password = "..."`
5:1: error: missing key `certificate` in [[uplink.wifi]]
  hint: add `certificate = """` and its lines
5:1: error: missing key `private_key` in [[uplink.wifi]]
  hint: add `private_key = """` and its lines
9:12: error: `password` has no effect with `eap = "tls"`
  hint: leave it out
12:12: error: `identity` has no effect without `eap`
  hint: add `eap = "peap"` (a user and a password) or `eap = "tls"` (a certificate)
16:7: error: unknown `eap` `leap`
  hint: did you mean `peap`?
"#,
    );
    let keyed = |key: &str| {
        format!(
            "schema = 1\n[[uplink.wifi]]\nssid = \"Plant\"\neap = \"tls\"\nidentity = \"robot\"\nprivate_key = \"\"\"\n{key}\n\"\"\"\n\
             certificate = \"\"\"\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\"\"\"\n"
        )
    };
    expect_problems(
        &keyed("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"),
        r#"6:15: error: the private key is protected by a password
  hint: nobody can type it on the box: remove it with `openssl pkey -in KEY -out PLAIN`
"#,
    );
    expect_problems(
        &keyed("-----BEGIN EC PRIVATE KEY-----\nAAAA\n"),
        r#"6:15: error: the private key is incomplete
  hint: write it with its last line, `-----END ...-----`
"#,
    );
    expect_problems(
        &keyed("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        r#"6:15: error: there is no private key here
  hint: write a key in PEM, from `-----BEGIN PRIVATE KEY-----` to `-----END PRIVATE KEY-----`
"#,
    );
    // Valid, but anybody could run a network of this name.
    let valid = keyed("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----");
    expect_problems(
        &valid,
        r#"1:1: warning: no [[stream]]: the box will push nothing
  hint: add a [[stream]] with `name`, `source` and `push`
4:7: warning: without `ca` the box trusts any network of this name, even with the password
  hint: add `ca`: the certificate of the authority that signed the network's
"#,
    );
}

#[test]
fn a_fixed_address_of_wifi_follows_the_rules_of_ethernet() {
    expect_problems(
        r#"schema = 1
[[uplink.wifi]]
ssid = "Lab"
address = "10.0.0.2/24"
gateway = "10.0.1.1"
[uplink.lte]
apn = "internet"
password = "secret"
metered = "no"
"#,
        r#"5:11: error: the gateway 10.0.1.1 is outside the network of 10.0.0.2/24
  hint: give both an address of one network
8:12: error: a password without a username
  hint: add `username`
9:11: error: `metered` is text, expected true or false
  hint: write `metered = true`
"#,
    );
    expect_problems(
        r#"schema = 1
[[uplink.wifi]]
ssid = "Lab"
address = "10.0.0.2/24"
country = "US"
[[uplink.wifi]]
ssid = "Other"
country = "DE"
"#,
        r#"1:1: warning: no [[stream]]: the box will push nothing
  hint: add a [[stream]] with `name`, `source` and `push`
4:11: warning: 10.0.0.2/24 has no gateway: nothing beyond its network can be reached
  hint: add `gateway`, unless the media server is in this network
8:11: warning: the radio can follow only one country's rules: `US` is already given above
  hint: write one country
"#,
    );
}

#[test]
fn a_probe_is_a_plain_page() {
    expect_problems(
        r#"schema = 1
[uplink]
probe = "https://probe.example.net/generate_204"
"#,
        r#"3:9: error: a login page cannot be detected over `https://`
  hint: use http://: nothing secret is sent
"#,
    );
}

#[test]
fn a_sealed_value_needs_its_box() {
    expect_problems(
        r#"schema = 1
[page]
password = { sealed = "abc" }
"#,
        r#"3:12: error: this value is sealed to a box; it can only be read there
"#,
    );
    expect_problems(
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
    expect_problems(
        r#"schema = 1
[page]
password = { sealed = 3 }
"#,
        r#"3:23: error: `sealed` is a whole number, expected text
  hint: write `{ sealed = "..." }`, as `robocast stick seal` prints it
"#,
    );
    expect_problems(
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
