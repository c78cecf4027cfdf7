//! Services by their name instead of a URL: `twitch:KEY`, `youtube:KEY`, `mediamtx:HOST`.

use robocast_config::{Secret, SinkUrl};

/// A service that needs no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Twitch's ingest, which finds its nearest location; over TLS.
    Twitch,
    /// YouTube's ingest, over TLS.
    YouTube,
    /// A MediaMTX of one's own, over RTMP: the path is `robocast/DEVICE-STREAM`.
    MediaMtx,
}

/// Why a text is not a place to push to. No message holds a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// Nothing behind the colon.
    #[error("there is no {what} behind `{name}:`; the form is {name}:{form}")]
    Missing {
        /// The preset.
        name: &'static str,
        /// The missing part.
        what: &'static str,
        /// Its form.
        form: &'static str,
    },
    /// A character that no key has.
    #[error("a stream key has letters, digits, `-` and `_` alone; copy it again from the service's page")]
    Key,
    /// Neither preset nor URL.
    #[error("{message}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Url {
        /// The problem.
        message: String,
        /// How to correct it.
        hint: Option<String>,
    },
}

impl Preset {
    /// All, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Twitch, Self::YouTube, Self::MediaMtx];

    /// The word before the colon.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Twitch => "twitch",
            Self::YouTube => "youtube",
            Self::MediaMtx => "mediamtx",
        }
    }

    /// The push URL for the text after the colon: a stream key, or `[USER:PASSWORD@]HOST[:PORT]`.
    ///
    /// # Errors
    /// It is empty, or not of that form.
    pub fn url(self, rest: &str, device: &str, stream: &str) -> Result<Secret<String>, PresetError> {
        let missing = |what, form| PresetError::Missing { name: self.word(), what, form };
        let url = match self {
            Self::Twitch | Self::YouTube if rest.is_empty() => return Err(missing("stream key", "KEY")),
            Self::Twitch => format!("rtmps://ingest.global-contribute.live-video.net/app/{}", key(rest)?),
            Self::YouTube => format!("rtmps://a.rtmps.youtube.com/live2/{}", key(rest)?),
            Self::MediaMtx => {
                let (user, host) =
                    rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
                if host.is_empty() {
                    return Err(missing("host", "[USER:PASSWORD@]HOST"));
                }
                let (name, password) = user.and_then(|user| user.split_once(':')).unwrap_or_default();
                let login = match user {
                    None => String::new(),
                    Some(_) => format!("?user={}&pass={}", escaped(name), escaped(password)),
                };
                format!("rtmp://{host}/robocast/{device}-{stream}{login}")
            }
        };
        judged(&url)?;
        Ok(Secret::new(url))
    }
}

/// A place to push to, as the owner writes it: a preset or a URL.
///
/// # Errors
/// It is neither.
pub fn target(text: &str, device: &str, stream: &str) -> Result<Secret<String>, PresetError> {
    let text = text.trim();
    let preset = text.split_once(':').and_then(|(word, rest)| {
        let word = word.to_ascii_lowercase();
        Preset::ALL.into_iter().find(|preset| preset.word() == word).map(|preset| (preset, rest))
    });
    match preset {
        Some((preset, rest)) => preset.url(rest.trim(), device, stream),
        None => judged(text).map(|()| Secret::new(text.to_owned())),
    }
}

fn judged(url: &str) -> Result<(), PresetError> {
    url.parse::<SinkUrl>().map(|_| ()).map_err(|fault| PresetError::Url {
        message: fault.message().to_owned(),
        hint: fault.hint().map(str::to_owned),
    })
}

fn key(text: &str) -> Result<&str, PresetError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    // Twitch's keys may carry `?bandwidthtest=true`.
    let (key, _) = text.split_once('?').unwrap_or((text, ""));
    if key.is_empty() || !key.bytes().all(legal) { Err(PresetError::Key) } else { Ok(text) }
}

/// A value of a query.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_service_is_named_in_place_of_its_url() {
        for (text, url) in [
            ("twitch:live_1_aB", "rtmps://ingest.global-contribute.live-video.net/app/live_1_aB"),
            (
                "Twitch: live_1?bandwidthtest=true ",
                "rtmps://ingest.global-contribute.live-video.net/app/live_1?bandwidthtest=true",
            ),
            ("youtube:ab12-cd34", "rtmps://a.rtmps.youtube.com/live2/ab12-cd34"),
            ("mediamtx:media.example.net", "rtmp://media.example.net/robocast/spot-07-front"),
            ("mediamtx:10.0.0.5:1936", "rtmp://10.0.0.5:1936/robocast/spot-07-front"),
            ("mediamtx:u:p@s&s@h", "rtmp://h/robocast/spot-07-front?user=u&pass=p%40s%26s"),
            ("srt://h:8890?streamid=x", "srt://h:8890?streamid=x"),
        ] {
            assert_eq!(target(text, "spot-07", "front").unwrap().expose(), url);
        }
    }

    #[test]
    fn what_is_no_place_is_told_without_its_key() {
        for (text, said) in [
            ("twitch:", "there is no stream key behind `twitch:`"),
            ("youtube:SECRET key", "a stream key has letters"),
            ("youtube:https://SECRET", "a stream key has letters"),
            ("mediamtx:", "there is no host behind `mediamtx:`"),
            ("mediamtx:SECRET:SECRET@", "there is no host"),
            ("mediamtx:SECRET SECRET@h x", "the URL contains a space"),
            ("rtpm://h/app/SECRET", "did you mean `rtmp://`?"),
            ("SECRET", "not a URL"),
        ] {
            let error = target(text, "d", "s").unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("SECRET"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(twitch:|youtube:|mediamtx:)?\\PC{0,40}") {
            if let Ok(url) = target(&text, "d", "s") {
                prop_assert!(url.expose().parse::<SinkUrl>().is_ok());
            }
        }
    }
}
