//! Takes the settings' secrets out of any text. Pure except for reading the settings.
//!
//! A secret may have been written in other forms than the settings': percent-encoded in a URL, escaped in JSON, one
//! line of a private key. All of these are looked for. Hiding too much (a password that is a common word) costs a
//! reader something; showing too much costs the owner more.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use robocast_config::{Problems, Secret, Value, rewrite};
use std::path::PathBuf;

const HIDDEN: &str = "***";
/// Shorter ones occur in every text: they are hidden only where they are a separate word.
const SHORT: usize = 4;
/// The shortest line of a private key that can be distinguished from other words.
const LINE: usize = 12;
/// Words of the URLs themselves.
const PUBLIC: [&str; 4] = ["publish", "request", "play", "live"];
/// The prefix of a box's key, wherever it comes from.
const BOX_KEY: &str = "AGE-SECRET-KEY-1";

/// The hidden texts, longest first.
pub struct Scrub(Vec<Secret<String>>);

impl Scrub {
    /// The secrets of these settings files. No secrets can be found in one that is not valid.
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let texts = files.iter().filter_map(|file| robocast_config::read(file).ok());
        let texts = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self::of_texts(texts)
    }

    fn of_texts(texts: impl Iterator<Item = String>) -> Self {
        let mut forms = Vec::new();
        let mut public = PUBLIC.map(str::to_owned).to_vec();
        for text in texts {
            // Names are in units, on the bus and in every line: a part of a URL that equals a name is no secret.
            if let Ok(checked) = robocast_config::parse(text.as_bytes()) {
                public.extend(checked.settings.streams.into_iter().map(|stream| stream.name));
                public.push(checked.settings.device.name);
            }
            let collected = rewrite(&text, |value| {
                if let Value::Plain(secret) = value {
                    collect(secret.expose(), &public, &mut forms);
                }
                None
            });
            if collected.is_err() {
                tracing::debug!("settings that are not valid: their secrets are not known");
            }
        }
        forms.retain(|form| !form.is_empty());
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms.into_iter().map(Secret::new).collect())
    }

    /// The text without them.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut text = keys(text);
        for secret in &self.0 {
            let secret = secret.expose();
            if text.contains(secret.as_str()) {
                text = if secret.chars().count() < SHORT {
                    words(&text, secret)
                } else {
                    text.replace(secret, HIDDEN)
                };
            }
        }
        text
    }
}

/// A settings text with `***` for each secret.
///
/// # Errors
/// When it is not valid: where its secrets are is not known then.
pub fn redacted(text: &str) -> Result<String, Problems> {
    rewrite(text, |_| Some(Value::Plain(Secret::new(HIDDEN.to_owned()))))
}

/// All forms of a secret; `public` are words for which no part of a URL is hidden.
fn collect(secret: &str, public: &[String], forms: &mut Vec<String>) {
    let mut parts = vec![secret.to_owned()];
    if let Some((_, rest)) = secret.split_once("://") {
        parts.extend(of_url(rest).into_iter().filter(|part| !public.contains(part)));
    }
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= LINE && !line.starts_with("-----"));
    parts.extend(lines.map(str::to_owned));
    for part in parts {
        forms.push(utf8_percent_encode(&part, NON_ALPHANUMERIC).to_string());
        if let Ok(decoded) = percent_decode_str(&part).decode_utf8() {
            forms.push(decoded.into_owned());
        }
        if let Ok(json) = serde_json::to_string(&part) {
            forms.push(json[1..json.len() - 1].to_owned());
        }
        forms.push(part);
    }
}

/// The secret parts of a URL after its scheme: user and password, the path after its first word, and the query's
/// values.
fn of_url(rest: &str) -> Vec<String> {
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let mut parts = Vec::new();
    if let Some((user, _)) = authority.rsplit_once('@') {
        parts.push(user.to_owned());
        // A user name alone may be a word of any text.
        parts.extend(user.split_once(':').map(|(_, password)| password.to_owned()));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let behind = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    parts.push(behind.to_owned());
    for pair in query.split(['&', '#']) {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        parts.push(value.to_owned());
        // SRT's `streamid=publish:NAME:USER:PASSWORD`, or `#!::r=NAME,u=USER,s=PASSWORD`.
        parts.extend(value.split([':', ',', '=']).map(str::to_owned));
    }
    parts.retain(|part| part.chars().count() >= SHORT);
    parts
}

/// Hides a short secret where it is a separate word.
fn words(text: &str, secret: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let (before, after) = (&rest[..at], &rest[at + secret.len()..]);
        let inside = before.chars().next_back().is_some_and(char::is_alphanumeric)
            || after.chars().next().is_some_and(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if inside { secret } else { HIDDEN });
        rest = after;
    }
    out + rest
}

/// Hides keys that are recognizable by their form.
fn keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BOX_KEY) {
        out.push_str(&rest[..at]);
        out.push_str(HIDDEN);
        let key = &rest[at..];
        rest = &key[key.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(key.len())..];
    }
    out.push_str(rest);
    private_keys(&out)
}

/// Hides the text between the two marker lines of a private key, or after the first where the second is missing.
fn private_keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const KIND: &str = "PRIVATE KEY-----";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let named = at + BEGIN.len();
        let kind = rest[named..].find("-----").map(|dashes| named + dashes + 5);
        let key = kind.filter(|&end| rest[..end].ends_with(KIND));
        let Some(body) = key else {
            out.push_str(&rest[..named]);
            rest = &rest[named..];
            continue;
        };
        out.push_str(&rest[..body]);
        out.push_str(HIDDEN);
        rest = rest[body..].find("-----END").map_or("", |end| &rest[body + end..]);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: &str = "schema = 1
[robot]
kind = \"spot\"
username = \"operator\"
password = 'spot\"pass\\word'
[[uplink.wifi]]
ssid = \"Lab\"
password = \"wpa secret 1\"
country = \"US\"
[uplink.lte]
apn = \"internet\"
pin = \"8642\"
[control]
mqtt = \"mqtt://broker\"
username = \"robot\"
password = \"x7\"
[page]
password = \"abc def\"
[[stream]]
name = \"front\"
source = \"test:\"
push = [\"rtmps://live.example.net/app/live_KEY%2Fx?token=TOK-99\", \"rtsp://user:hunter22@relay.example.net/front\", \"srt://relay.example.net:8890?streamid=publish:NAME-9:me22:PASS-8\", \"rtmp://h/live/front\"]
";

    fn scrub() -> Scrub {
        Scrub::of_texts(std::iter::once(SETTINGS.to_owned()))
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let scrub = scrub();
        for leak in [
            "psk=wpa secret 1 (20)",
            "psk=wpa%20secret%201",
            "{\"p\":\"spot\\\"pass\\\\word\"}",
            "spot\"pass\\word",
            "PIN 8642 sent",
            "user:hunter22@live",
            "live_KEY%2Fx",
            "live_KEY/x",
            "?token=TOK-99",
            "streamid is NAME-9",
            "pass PASS-8",
            "password x7, again",
            "AGE-SECRET-KEY-1QQQQ8 done",
        ] {
            let clean = scrub.clean(leak);
            assert!(clean.contains(HIDDEN), "{leak} -> {clean}");
            for secret in [
                "wpa secret 1",
                "spot",
                "8642",
                "hunter22",
                "KEY%2F",
                "KEY/x",
                "TOK-99",
                "NAME-9",
                "PASS-8",
                "x7",
                "QQQQ8",
            ] {
                assert!(!clean.contains(secret), "{leak} -> {clean}");
            }
        }
        let plain = "Lab, operator and robot at live.example.net/app; 0x77 x78, robocast-push@front publish\n-----BEGIN CERTIFICATE-----";
        assert_eq!(scrub.clean(plain), plain);
    }

    #[test]
    fn a_private_key_is_hidden_by_its_form() {
        let pem = "a\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nb\n-----BEGIN RSA PRIVATE KEY-----\nMIIF";
        let clean = scrub().clean(pem);
        assert!(!clean.contains("MII") && clean.contains("\nb\n"), "{clean}");
    }

    #[test]
    fn settings_are_shown_without_their_secrets_and_with_all_else() {
        let shown = redacted(SETTINGS).unwrap();
        assert_eq!(shown.matches("= \"***\"").count(), 5, "{shown}");
        assert!(
            shown.contains("ssid = \"Lab\"") && shown.contains("push = [\"***\", \"***\", \"***\", \"***\"]"),
            "{shown}"
        );
        assert_eq!(scrub().clean(&shown), shown);
        assert!(redacted("schema = 1\npassword = \"x\n").is_err());
    }

    proptest! {
        #[test]
        fn no_secret_outlives_any_text_around_it(
            secret in "[!-~&&[^\"\\\\]]{8,20}", before in "[a-z .:]{0,20}", after in "[a-z .:]{0,20}"
        ) {
            let text = format!("schema = 1\n[page]\npassword = \"{secret}\"\n");
            let scrub = Scrub::of_texts(std::iter::once(text));
            let clean = scrub.clean(&format!("{before}{secret}{after}"));
            prop_assert!(!clean.contains(&secret), "{clean}");
        }

        #[test]
        fn any_text_can_be_cleaned(text in "(\\PC|AGE-SECRET-KEY-1|PRIVATE KEY-----|-----END|x7|\n){0,30}") {
            let _ = scrub().clean(&text);
        }
    }
}
