//! The parts of an RTMP URL: where to connect, and the names to publish under.
//!
//! | written | app | stream name |
//! |---|---|---|
//! | `rtmp://host/live/front` (SRS, nginx-rtmp) | `live` | `front` |
//! | `rtmps://live.twitch.tv/app/live_123_abc` | `app` | `live_123_abc` |
//! | `rtmps://a.rtmps.youtube.com/live2/key` | `live2` | `key` |
//! | `rtmp://host/live/front?user=U&pass=P` (MediaMTX) | `live` | `front?user=U&pass=P` |
//! | `rtmp://host/front?user=U&pass=P` (MediaMTX) | `front?user=U&pass=P` | none |
//! | `rtmp://host/app/instance/key` | `app/instance` | `key` |
//!
//! The stream name is used as written, never decoded or encoded again: keys are opaque.

use url::Url;

use crate::parse_error::ParseError;
use crate::redaction::Parts;
use crate::secret::Secret;

/// An RTMP server, and the names to publish under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpTarget {
    /// Host name or address; an IPv6 address has no brackets.
    pub host: String,
    /// TCP port; default 1935, or 443 for TLS.
    pub port: u16,
    /// Whether to use TLS.
    pub tls: bool,
    /// The application. In a URL with one segment and a query (`/mystream?user=U&pass=P`) it is the segment and the query.
    pub app: Secret<String>,
    /// The stream's name, usually a key: the last segment with its query; empty if everything belongs to the app.
    pub stream: Secret<String>,
    /// `tcUrl` of the connect command: the URL without the stream's name.
    pub tc_url: Secret<String>,
}

pub(super) fn target(
    parts: &Parts<'_>,
    url: &Url,
    form: &str,
    default_port: u16,
) -> Result<RtmpTarget, ParseError> {
    let form = || format!("the form is {form}");
    let path = parts.path.trim_start_matches('/');
    let (app, key) = path.rsplit_once('/').unwrap_or((path, ""));
    if parts.user.is_some() {
        let hint = "write it after the key, as `?user=NAME&pass=PASSWORD`";
        return Err(ParseError::new("RTMP servers do not read a user before the host").with_hint(hint));
    }
    if app.trim_matches('/').is_empty() {
        return Err(ParseError::new("the RTMP URL has no app and no stream key").with_hint(form()));
    }
    if key.is_empty() && parts.query.is_none_or(str::is_empty) {
        return Err(ParseError::new("the RTMP URL has no stream key").with_hint(form()));
    }
    let (app, stream) = app_and_stream(parts);
    let tls = parts.scheme.eq_ignore_ascii_case("rtmps");
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(default_port));
    let tc_url = format!("{}://{host}:{port}/{app}", if tls { "rtmps" } else { "rtmp" });
    Ok(RtmpTarget {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        tls,
        app: Secret::new(app),
        stream: Secret::new(stream),
        tc_url: Secret::new(tc_url),
    })
}

/// Everything after the host, as written, split at the last slash of the path.
fn app_and_stream(parts: &Parts<'_>) -> (String, String) {
    let path = parts.path.strip_prefix('/').unwrap_or(parts.path);
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    let fragment = parts.fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    match path.rsplit_once('/') {
        Some((app, stream)) => (app.to_owned(), format!("{stream}{query}{fragment}")),
        None => (format!("{path}{query}{fragment}"), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{SinkTarget, SinkUrl};

    fn target(url: &str) -> RtmpTarget {
        match url.parse::<SinkUrl>().unwrap_or_else(|e| panic!("{url}: {e}")).target {
            SinkTarget::Rtmp(target) => target,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn urls_are_parsed_as_the_services_write_them() {
        let cases = [
            ("rtmp://host/live/front", "host", 1935, "live", "front", "rtmp://host:1935/live"),
            (
                "rtmps://live.twitch.tv/app/live_1_aB?x=1",
                "live.twitch.tv",
                443,
                "app",
                "live_1_aB?x=1",
                "rtmps://live.twitch.tv:443/app",
            ),
            (
                "rtmps://a.rtmps.youtube.com:8443/live2/ab-cd",
                "a.rtmps.youtube.com",
                8443,
                "live2",
                "ab-cd",
                "rtmps://a.rtmps.youtube.com:8443/live2",
            ),
            (
                "rtmp://h/live/front?user=U&pass=P%2F/x",
                "h",
                1935,
                "live",
                "front?user=U&pass=P%2F/x",
                "rtmp://h:1935/live",
            ),
            (
                "rtmp://h/front?user=U&pass=P/q",
                "h",
                1935,
                "front?user=U&pass=P/q",
                "",
                "rtmp://h:1935/front?user=U&pass=P/q",
            ),
            (
                "rtmp://h/app/instance/KEY?a=b/c",
                "h",
                1935,
                "app/instance",
                "KEY?a=b/c",
                "rtmp://h:1935/app/instance",
            ),
            ("rtmp://[::1]:19350/live/a", "::1", 19350, "live", "a", "rtmp://[::1]:19350/live"),
            ("RTMPS://h/live/a#b", "h", 443, "live", "a#b", "rtmps://h:443/live"),
        ];
        for (url, host, port, app, stream, tc_url) in cases {
            let found = target(url);
            assert_eq!((found.host.as_str(), found.port), (host, port), "{url}");
            assert_eq!((found.app.expose().as_str(), found.stream.expose().as_str()), (app, stream), "{url}");
            assert_eq!(found.tc_url.expose(), tc_url, "{url}");
        }
    }

    #[test]
    fn a_key_is_not_in_the_debug_print() {
        let text = format!("{:?}", target("rtmp://host/live/KEY?pass=PASS"));
        assert!(!text.contains("KEY") && !text.contains("PASS"), "{text}");
    }
}
