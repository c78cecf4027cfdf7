//! The servers that a stream is pushed to.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::parse_error::ParseError;
use crate::redaction::{Parts, PathRule, dissect, redact, unknown_scheme};
use crate::secret::Secret;

mod rtmp;

pub use rtmp::RtmpTarget;

const SCHEMES: [&str; 7] = ["rtmp", "rtmps", "srt", "whip", "whips", "rtsp", "rtsps"];

/// A push URL. `Debug` and `Display` show it redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct SinkUrl {
    /// The URL as normalised by the URL standard; some characters of a key may be percent-encoded.
    pub url: Secret<Url>,
    /// The parsed URL, by protocol.
    pub target: SinkTarget,
    written: Secret<String>,
}

/// A server that a stream is pushed to, by its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTarget {
    /// `rtmp://`, and `rtmps://` over TLS.
    Rtmp(RtmpTarget),
    /// `srt://`.
    Srt(SrtTarget),
    /// `whip://` over HTTP, `whips://` over HTTPS.
    Whip(WhipTarget),
    /// `rtsp://`, and `rtsps://` over TLS.
    Rtsp(RtspTarget),
}

/// An SRT listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtTarget {
    /// Host name or address; an IPv6 address has no brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// A WHIP endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhipTarget {
    /// Host name or address; an IPv6 address has no brackets.
    pub host: String,
    /// TCP port of the HTTP server; default 80, or 443 for TLS.
    pub port: u16,
    /// Whether to use HTTPS.
    pub tls: bool,
}

/// An RTSP server that accepts a stream (`ANNOUNCE`, `RECORD`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspTarget {
    /// Host name or address; an IPv6 address has no brackets.
    pub host: String,
    /// TCP port; default 554, or 322 for TLS.
    pub port: u16,
    /// Whether to use TLS.
    pub tls: bool,
}

impl SinkTarget {
    /// Host name or address; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        match self {
            Self::Rtmp(RtmpTarget { host, .. })
            | Self::Srt(SrtTarget { host, .. })
            | Self::Whip(WhipTarget { host, .. })
            | Self::Rtsp(RtspTarget { host, .. }) => host,
        }
    }

    /// The TCP port to connect to; none if the server is reached over UDP.
    pub fn tcp_port(&self) -> Option<u16> {
        match self {
            Self::Rtmp(RtmpTarget { port, .. })
            | Self::Whip(WhipTarget { port, .. })
            | Self::Rtsp(RtspTarget { port, .. }) => Some(*port),
            Self::Srt(_) => None,
        }
    }

    fn path_rule(&self) -> PathRule {
        match self {
            Self::Rtmp(_) => PathRule::First,
            Self::Rtsp(_) => PathRule::Plain,
            Self::Srt(_) | Self::Whip(_) => PathRule::Nothing,
        }
    }
}

impl SinkUrl {
    /// The URL byte for byte as the user wrote it.
    pub fn as_written(&self) -> &Secret<String> {
        &self.written
    }

    /// The URL without its secrets. Scheme, host, port and an RTMP app stay; user, password, stream key and query values
    /// become `***`. The path of a WHIP endpoint is not shown, because some services put the key there.
    pub fn redacted(&self) -> String {
        match Parts::of(self.written.expose()) {
            Some(parts) => redact(&parts, self.target.path_rule()),
            None => "***".to_owned(),
        }
    }

    /// Whether user and password are sent in the clear.
    pub(crate) fn bares_password(&self) -> bool {
        let url = self.url.expose();
        let plain = matches!(url.scheme(), "rtmp" | "rtsp" | "whip");
        let named = |n: &str| matches!(n, "pass" | "password" | "token" | "jwt");
        plain && (url.password().is_some() || url.query_pairs().any(|(name, _)| named(&name)))
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
        let scheme = Parts::of(text).map_or("", |parts| parts.scheme).to_ascii_lowercase();
        let form = match scheme.as_str() {
            "rtmp" | "rtmps" => format!("{scheme}://HOST/APP/KEY"),
            "srt" => "srt://HOST:PORT?streamid=ID".to_owned(),
            "whip" | "whips" | "rtsp" | "rtsps" => format!("{scheme}://HOST/PATH"),
            other => return Err(not_a_sink(text, other)),
        };
        let (parts, url) = dissect(text, &form)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(ParseError::new("the URL has no host").with_hint(format!("the form is {form}")));
        }
        let target = match scheme.as_str() {
            "rtmp" => SinkTarget::Rtmp(rtmp::target(&parts, &url, &form, 1935)?),
            "rtmps" => SinkTarget::Rtmp(rtmp::target(&parts, &url, &form, 443)?),
            "srt" => {
                let Some(port) = url.port() else {
                    return Err(
                        ParseError::new("the SRT URL has no port").with_hint(format!("the form is {form}"))
                    );
                };
                without_fragment(&parts)?;
                SinkTarget::Srt(SrtTarget { host, port })
            }
            _ => {
                without_fragment(&parts)?;
                if parts.path.trim_matches('/').is_empty() {
                    return Err(
                        ParseError::new("the URL has no path").with_hint(format!("the form is {form}"))
                    );
                }
                let port = |default| url.port().unwrap_or(default);
                match scheme.as_str() {
                    "whip" => SinkTarget::Whip(WhipTarget { host, port: port(80), tls: false }),
                    "whips" => SinkTarget::Whip(WhipTarget { host, port: port(443), tls: true }),
                    "rtsp" => SinkTarget::Rtsp(RtspTarget { host, port: port(554), tls: false }),
                    _ => SinkTarget::Rtsp(RtspTarget { host, port: port(322), tls: true }),
                }
            }
        };
        Ok(Self { url: Secret::new(url), target, written: Secret::new(text.to_owned()) })
    }
}

/// The error for a URL whose scheme no sink has.
fn not_a_sink(text: &str, scheme: &str) -> ParseError {
    match scheme {
        "" => dissect(text, "rtmps://HOST/APP/KEY").err().unwrap_or_else(|| ParseError::new("not a URL")),
        "http" => {
            ParseError::new("no sink speaks `http://`").with_hint("a WHIP endpoint is written `whip://`")
        }
        "https" => {
            ParseError::new("no sink speaks `https://`").with_hint("a WHIP endpoint is written `whips://`")
        }
        other => unknown_scheme(other, "sink", &SCHEMES),
    }
}

fn without_fragment(parts: &Parts<'_>) -> Result<(), ParseError> {
    if parts.fragment.is_some() {
        return Err(ParseError::new("the URL contains `#`, which ends it").with_hint("write `#` as %23"));
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
    fn a_missing_port_is_the_default_of_the_scheme() {
        for (text, port) in [
            ("rtmp://h/a/k", Some(1935)),
            ("rtmps://h/a/k", Some(443)),
            ("srt://h:8890", None),
            ("whip://h/x", Some(80)),
            ("whips://h/x", Some(443)),
            ("rtsp://h:8554/x", Some(8554)),
            ("rtsps://h/x", Some(322)),
        ] {
            assert_eq!(sink(text).target.tcp_port(), port);
            assert_eq!(sink(text).target.host(), "h");
        }
    }

    #[test]
    fn a_url_that_no_server_accepts_is_refused() {
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
                    let _ = (sink.redacted(), format!("{:?}", sink.target));
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
