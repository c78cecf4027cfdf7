//! Where a stream is pushed to.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::parse_error::ParseError;
use crate::redaction::{Parts, PathRule, dissect, redact, unknown_scheme};
use crate::secret::Secret;

/// What a media server is spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SinkScheme {
    /// `rtmp://`, port 1935.
    Rtmp,
    /// `rtmps://`, RTMP over TLS, port 443.
    Rtmps,
    /// `srt://`, the port is always written.
    Srt,
    /// `whip://` (over HTTP, port 80) and `whips://` (over HTTPS, port 443).
    Whip,
    /// `rtsp://`, port 554.
    Rtsp,
    /// `rtsps://`, RTSP over TLS, port 322.
    Rtsps,
}

const SCHEMES: [(&str, SinkScheme); 7] = [
    ("rtmp", SinkScheme::Rtmp),
    ("rtmps", SinkScheme::Rtmps),
    ("srt", SinkScheme::Srt),
    ("whip", SinkScheme::Whip),
    ("whips", SinkScheme::Whip),
    ("rtsp", SinkScheme::Rtsp),
    ("rtsps", SinkScheme::Rtsps),
];

/// A push URL. `Debug` and `Display` show it redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct SinkUrl {
    /// The URL as the URL standard normalises it; some characters of a key may be percent-encoded.
    pub url: Secret<Url>,
    /// What the server is spoken to with.
    pub scheme: SinkScheme,
    written: Secret<String>,
}

impl SinkUrl {
    /// The URL byte for byte as the user wrote it.
    pub fn as_written(&self) -> &Secret<String> {
        &self.written
    }

    /// The URL without its secrets: scheme, host, port and an RTMP app stay; user and password, stream key and query values
    /// become `***`. Of a WHIP endpoint no path is shown, as some services put the key there.
    pub fn redacted(&self) -> String {
        match Parts::of(self.written.expose()) {
            Some(parts) => redact(&parts, path_rule(self.scheme)),
            None => "***".to_owned(),
        }
    }

    /// App and stream key of an RTMP URL, as written: the key is the last path segment with its query, the app all before.
    /// With one segment and a query (`/mystream?user=U&pass=P`) the app is all of it and the key is empty.
    /// `None` for other schemes.
    pub fn app_and_key(&self) -> Option<(&str, Secret<&str>)> {
        if !matches!(self.scheme, SinkScheme::Rtmp | SinkScheme::Rtmps) {
            return None;
        }
        let text = self.written.expose();
        let after_scheme = text.find("://")? + 3;
        let path_start = after_scheme + text[after_scheme..].find('/')? + 1;
        let rest = &text[path_start..];
        let path_end = rest.find(['?', '#']).unwrap_or(rest.len());
        Some(match rest[..path_end].rfind('/') {
            Some(slash) => (&rest[..slash], Secret::new(&rest[slash + 1..])),
            None => (rest, Secret::new("")),
        })
    }

    /// The port to connect to: the written one, else the scheme's.
    pub fn port(&self) -> u16 {
        let url = self.url.expose();
        url.port().unwrap_or(match self.scheme {
            SinkScheme::Rtmp => 1935,
            SinkScheme::Rtmps => 443,
            SinkScheme::Srt => 0,
            SinkScheme::Whip => {
                if url.scheme() == "whips" {
                    443
                } else {
                    80
                }
            }
            SinkScheme::Rtsp => 554,
            SinkScheme::Rtsps => 322,
        })
    }

    /// Whether user and password go over the wire in the clear.
    pub(crate) fn bares_password(&self) -> bool {
        let url = self.url.expose();
        let plain = matches!(url.scheme(), "rtmp" | "rtsp" | "whip");
        let named = |n: &str| matches!(n, "pass" | "password" | "token" | "jwt");
        plain && (url.password().is_some() || url.query_pairs().any(|(name, _)| named(&name)))
    }
}

fn path_rule(scheme: SinkScheme) -> PathRule {
    match scheme {
        SinkScheme::Rtmp | SinkScheme::Rtmps => PathRule::First,
        SinkScheme::Rtsp | SinkScheme::Rtsps => PathRule::Plain,
        SinkScheme::Srt | SinkScheme::Whip => PathRule::Nothing,
    }
}

impl fmt::Debug for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkUrl({})", self.redacted())
    }
}

impl fmt::Display for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl FromStr for SinkUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let names: Vec<&str> = SCHEMES.iter().map(|(name, _)| *name).collect();
        let written_scheme = Parts::of(text).map_or("", |p| p.scheme).to_ascii_lowercase();
        let scheme = SCHEMES.iter().find(|(name, _)| *name == written_scheme).map(|(_, scheme)| *scheme);
        let Some(scheme) = scheme else {
            return Err(match written_scheme.as_str() {
                "" => dissect(text, "rtmps://HOST/APP/KEY")
                    .err()
                    .unwrap_or_else(|| ParseError::new("not a URL")),
                "http" => {
                    ParseError::new("no sink speaks `http://`").hint("a WHIP endpoint is written `whip://`")
                }
                "https" => {
                    ParseError::new("no sink speaks `https://`").hint("a WHIP endpoint is written `whips://`")
                }
                other => unknown_scheme(other, "sink", &names),
            });
        };
        let form = match scheme {
            SinkScheme::Rtmp | SinkScheme::Rtmps => format!("{written_scheme}://HOST/APP/KEY"),
            SinkScheme::Srt => "srt://HOST:PORT?streamid=ID".to_owned(),
            SinkScheme::Whip => format!("{written_scheme}://HOST/PATH"),
            SinkScheme::Rtsp | SinkScheme::Rtsps => format!("{written_scheme}://HOST/PATH"),
        };
        let (parts, url) = dissect(text, &form)?;
        match scheme {
            SinkScheme::Rtmp | SinkScheme::Rtmps => rtmp(&parts, &form)?,
            SinkScheme::Srt if url.port().is_none() => {
                return Err(ParseError::new("the SRT URL has no port").hint(format!("the form is {form}")));
            }
            SinkScheme::Srt | SinkScheme::Whip | SinkScheme::Rtsp | SinkScheme::Rtsps => {
                if parts.fragment.is_some() {
                    return Err(
                        ParseError::new("the URL contains `#`, which ends it").hint("write `#` as %23")
                    );
                }
                if scheme != SinkScheme::Srt && parts.path.trim_matches('/').is_empty() {
                    return Err(ParseError::new("the URL has no path").hint(format!("the form is {form}")));
                }
            }
        }
        Ok(Self { url: Secret::new(url), scheme, written: Secret::new(text.to_owned()) })
    }
}

fn rtmp(parts: &Parts<'_>, form: &str) -> Result<(), ParseError> {
    let path = parts.path.trim_start_matches('/');
    let (app, key) = path.rsplit_once('/').unwrap_or((path, ""));
    if parts.user.is_some() {
        let mend = "write it behind the key, as `?user=NAME&pass=PASSWORD`";
        return Err(ParseError::new("RTMP servers do not read a user before the host").hint(mend));
    }
    if app.trim_matches('/').is_empty() {
        return Err(
            ParseError::new("the RTMP URL has no app and no stream key").hint(format!("the form is {form}"))
        );
    }
    if key.is_empty() && parts.query.is_none_or(str::is_empty) {
        return Err(ParseError::new("the RTMP URL has no stream key").hint(format!("the form is {form}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sink(text: &str) -> SinkUrl {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn a_redacted_url_keeps_host_port_and_app() {
        for (text, shown) in [
            ("rtmps://live.example.net/app/KEY", "rtmps://live.example.net/app/***"),
            ("rtmp://h:1935/app/inst/KEY", "rtmp://h:1935/app/***"),
            ("rtsp://u:p@q@h/front", "rtsp://***@h/front"),
            ("rtmp://h/mystream?user=u&pass=p", "rtmp://h/mystream?user=***&pass=***"),
            ("rtmp://h/app/KEY?auth=x&SECRET&c2VjcmV0==", "rtmp://h/app/***?auth=***&***&***"),
            ("rtmp://h/app/KEY#more", "rtmp://h/app/***#***"),
            ("RTMP://h/app/KEY@x:y", "RTMP://h/app/***"),
            ("rtmp://[::1]:1935/app/KEY", "rtmp://[::1]:1935/app/***"),
            ("srt://h:8890?streamid=publish:a:u:p&passphrase=x", "srt://h:8890?streamid=***&passphrase=***"),
            ("whips://h/SECRET/webRTC/publish", "whips://h/***"),
            ("rtsp://u:p@h:8554/front", "rtsp://***@h:8554/front"),
            ("rtsps://h/user=a_password=b/front", "rtsps://h/***/front"),
        ] {
            assert_eq!(sink(text).redacted(), shown);
            assert_eq!(format!("{:?}", sink(text)), format!("SinkUrl({shown})"));
        }
    }

    #[test]
    fn the_text_of_a_key_stays_as_written() {
        let text = "rtmp://h/app/k|e{y}?auth=a\"b";
        assert_eq!(sink(text).as_written().expose(), text);
        assert_ne!(sink(text).url.expose().as_str(), text);
    }

    #[test]
    fn app_and_key_are_split_at_the_last_slash() {
        for (text, app, key) in [
            ("rtmp://h/app/KEY", "app", "KEY"),
            ("rtmp://h/app/inst/KEY?a=b/c", "app/inst", "KEY?a=b/c"),
            ("rtmp://h/mystream?user=u&pass=p/q", "mystream?user=u&pass=p/q", ""),
        ] {
            let sink = sink(text);
            let (got, secret) = sink.app_and_key().unwrap();
            assert_eq!((got, *secret.expose()), (app, key));
        }
        assert!(sink("srt://h:1").app_and_key().is_none());
    }

    #[test]
    fn a_port_left_out_is_the_schemes() {
        for (text, port) in [
            ("rtmp://h/a/k", 1935),
            ("rtmps://h/a/k", 443),
            ("srt://h:8890", 8890),
            ("whip://h/x", 80),
            ("whips://h/x", 443),
            ("rtsp://h:8554/x", 8554),
            ("rtsps://h/x", 322),
        ] {
            assert_eq!(sink(text).port(), port);
        }
    }

    #[test]
    fn a_url_that_no_server_takes_is_refused() {
        for (text, message) in [
            ("", "the URL is empty"),
            ("KEY", "not a URL"),
            ("rtpm://h/app/KEY", "no sink speaks `rtpm://`"),
            ("https://h/whip", "no sink speaks `https://`"),
            ("rtmp://h", "the RTMP URL has no app and no stream key"),
            ("rtmp://h/", "the RTMP URL has no app and no stream key"),
            ("rtmp://h/app", "the RTMP URL has no stream key"),
            ("rtmp://h/app/", "the RTMP URL has no stream key"),
            ("rtmp://h/app?", "the RTMP URL has no stream key"),
            ("rtmp:///app/KEY", "the URL has no host"),
            ("rtmp://KEY@/app/x", "the URL has no host"),
            ("rtmp://:1935/app/KEY", "the URL has no host"),
            ("rtmp://u:p@h/app/KEY", "RTMP servers do not read a user before the host"),
            ("rtmp://h:99999/app/KEY", "not a URL: invalid port number"),
            ("rtmp://h:0/app/KEY", "port 0 cannot be reached"),
            ("rtmp://h/app/K EY", "the URL contains a space"),
            ("rtmp://h/app/K\nEY", "the URL contains white space or a control character"),
            ("rtmp://u:pa/ss@h/app/KEY", "not a URL: invalid port number"),
            ("srt://h", "the SRT URL has no port"),
            ("srt://h:1?streamid=#!::r=a", "the URL contains `#`, which ends it"),
            ("whip://h/", "the URL has no path"),
        ] {
            let fault = text.parse::<SinkUrl>().unwrap_err();
            assert_eq!(fault.message(), message, "{text}");
            assert!(!format!("{fault:?}").contains("KEY@"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", tail in "[a-z:/@?#&=.\\[\\]0-9|% ]*") {
            for text in [text.clone(), format!("rtmp://{text}"), format!("srt://{tail}"), format!("rtmp://{tail}")] {
                if let Ok(sink) = text.parse::<SinkUrl>() {
                    let _ = (sink.redacted(), sink.port(), sink.app_and_key());
                }
            }
        }

        #[test]
        fn no_redacted_url_holds_a_secret(
            user in proptest::option::of("SECRET[a-z:@!$]{0,6}"),
            key in "SECRET[a-zA-Z0-9/=+~-]{0,12}",
            query in proptest::option::of("([a-z]{1,5}=)?SECRET[a-z/@=:]{0,8}(&SECRET)?"),
            scheme in "rtmps?|whips?",
        ) {
            let user = user.map(|u| format!("{u}@")).unwrap_or_default();
            let query = query.map(|q| format!("?{q}")).unwrap_or_default();
            if let Ok(sink) = format!("{scheme}://{user}host/app/{key}{query}").parse::<SinkUrl>() {
                prop_assert!(!sink.redacted().contains("SECRET"), "{}", sink.redacted());
            }
        }
    }
}
