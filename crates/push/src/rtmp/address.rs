//! What an RTMP URL says: where to connect, and the names to publish under.
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
//! The stream name is taken as it is written, never decoded or encoded again: keys are opaque.

use robocast_config::{Secret, SinkScheme, SinkUrl};

/// Where and as what to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// Host name or address; IPv6 in brackets.
    pub host: String,
    /// TCP port: 1935, or 443 for TLS, unless given.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The application.
    pub app: Secret<String>,
    /// The stream's name, mostly a key.
    pub stream: Secret<String>,
    /// `tcUrl` of the connect command: the URL without the stream's name.
    pub tc_url: Secret<String>,
}

/// The URL cannot be published to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// It names no host.
    #[error("the URL has no host")]
    NoHost,
    /// It is not RTMP.
    #[error("not an RTMP URL")]
    Scheme,
}

impl Address {
    /// Reads a sink's URL.
    ///
    /// # Errors
    /// When it cannot be published to by RTMP.
    pub fn of(sink: &SinkUrl) -> Result<Self, AddressError> {
        let tls = match sink.scheme {
            SinkScheme::Rtmp => false,
            SinkScheme::Rtmps => true,
            _ => return Err(AddressError::Scheme),
        };
        let url = sink.url.expose();
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError::NoHost)?.to_owned();
        let (app, stream) = sink.app_and_key().ok_or(AddressError::Scheme)?;
        let (app, stream) = (app.to_owned(), (*stream.expose()).to_owned());
        let port = sink.port();
        let scheme = if tls { "rtmps" } else { "rtmp" };
        let tc_url = format!("{scheme}://{host}:{port}/{app}");
        Ok(Self {
            host,
            port,
            tls,
            app: Secret::new(app),
            stream: Secret::new(stream),
            tc_url: Secret::new(tc_url),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::of(&url.parse::<SinkUrl>().unwrap()).unwrap()
    }

    #[test]
    fn urls_are_read_as_the_services_write_them() {
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
                "rtmp://h/front?user=U&pass=P",
                "h",
                1935,
                "front?user=U&pass=P",
                "",
                "rtmp://h:1935/front?user=U&pass=P",
            ),
            ("rtmp://h/app/instance/key", "h", 1935, "app/instance", "key", "rtmp://h:1935/app/instance"),
            ("rtmp://[::1]:19350/live/a", "[::1]", 19350, "live", "a", "rtmp://[::1]:19350/live"),
        ];
        for (url, host, port, app, stream, tc_url) in cases {
            let found = address(url);
            assert_eq!((found.host.as_str(), found.port), (host, port), "{url}");
            assert_eq!((found.app.expose().as_str(), found.stream.expose().as_str()), (app, stream), "{url}");
            assert_eq!(found.tc_url.expose(), tc_url, "{url}");
        }
    }

    #[test]
    fn a_key_is_not_in_the_debug_print() {
        let text = format!("{:?}", address("rtmp://host/live/KEY?pass=PASS"));
        assert!(!text.contains("KEY") && !text.contains("PASS"), "{text}");
    }
}
