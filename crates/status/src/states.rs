//! States. Each is one word in JSON, on D-Bus and on the screen.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The words of a state. An unknown word reads as the default: a newer program may have more.
macro_rules! words {
    ($state:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $state {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The state that has this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.word() == word)
            }
        }

        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl Serialize for $state {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $state {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Ok(Self::from_word(&word).unwrap_or_default())
            }
        }
    };
}

/// The state of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceState {
    /// It is being set up, or its program is being started.
    #[default]
    Starting,
    /// Frames arrive.
    Live,
    /// The robot or camera is away; the program looks for it.
    Lost,
    /// There are no readers, so the camera rests.
    Resting,
    /// It cannot work with these settings; somebody must act.
    Failed,
}

words!(SourceState: Starting = "starting", Live = "live", Lost = "lost", Resting = "resting", Failed = "failed");

/// The state of one sink of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SinkState {
    /// Not asked to push, or nothing to push yet.
    #[default]
    Idle,
    /// It connects: name, TCP, TLS, handshake, publish.
    Connecting,
    /// The server accepts the data.
    Publishing,
    /// The server cannot be reached; the next try follows soon.
    Waiting,
    /// The server refused: a wrong key, a wrong certificate. Tried again now and then.
    Refused,
    /// This sink cannot work with these settings.
    Failed,
}

words!(
    SinkState: Idle = "idle", Connecting = "connecting", Publishing = "publishing", Waiting = "waiting",
    Refused = "refused", Failed = "failed"
);

/// The state of a whole stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamState {
    /// Its programs are being started.
    #[default]
    Starting,
    /// The robot's video reaches at least one server.
    Live,
    /// A server gets the slate, since the robot is away.
    Slate,
    /// Neither: the robot is away and no slate is sent.
    Waiting,
    /// No server takes the stream.
    Offline,
    /// On demand, and not asked for.
    Stopped,
    /// It cannot work with these settings.
    Failed,
}

words!(
    StreamState: Starting = "starting", Live = "live", Slate = "slate", Waiting = "waiting", Offline = "offline",
    Stopped = "stopped", Failed = "failed"
);

impl StreamState {
    /// Whether all is as it should be.
    #[must_use]
    pub fn well(self) -> bool {
        matches!(self, Self::Live | Self::Stopped)
    }
}

/// The state of an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UplinkState {
    /// The box has no such interface: a modem that is not plugged in.
    #[default]
    Absent,
    /// The interface exists but is not connected: no cable, no access point in reach, no SIM.
    Down,
    /// It connects: radio, password, address.
    Connecting,
    /// Connected, but a login page blocks the way to the internet.
    Captive,
    /// It works, and is on standby.
    Ready,
    /// Connected, but nothing gets through.
    Failing,
    /// It works, and streams go through it.
    Carrying,
}

words!(
    UplinkState: Absent = "absent", Down = "down", Connecting = "connecting", Captive = "captive", Ready = "ready",
    Failing = "failing", Carrying = "carrying"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_its_word_in_json_and_comes_back_from_it() {
        fn check<S>(all: &[S], word: impl Fn(S) -> &'static str)
        where
            S: Copy + PartialEq + fmt::Debug + Serialize + for<'de> Deserialize<'de>,
        {
            for &state in all {
                let json = serde_json::to_string(&state).unwrap();
                assert_eq!(json, format!("\"{}\"", word(state)));
                assert_eq!(json, json.to_lowercase());
                assert_eq!(serde_json::from_str::<S>(&json).unwrap(), state);
            }
            let words: std::collections::BTreeSet<_> = all.iter().map(|&state| word(state)).collect();
            assert_eq!(words.len(), all.len(), "{words:?}");
        }
        check(SourceState::ALL, SourceState::word);
        check(SinkState::ALL, SinkState::word);
        check(StreamState::ALL, StreamState::word);
        check(UplinkState::ALL, UplinkState::word);
    }

    #[test]
    fn a_word_of_a_newer_program_reads_as_the_default() {
        assert_eq!(serde_json::from_str::<SinkState>("\"levitating\"").unwrap(), SinkState::Idle);
        assert_eq!(SinkState::from_word("levitating"), None);
        assert!(serde_json::from_str::<SinkState>("3").is_err(), "a number is no word");
    }

    #[test]
    fn a_word_is_padded_as_a_text_is() {
        assert_eq!(format!("{:12}|", SinkState::Publishing), "publishing  |");
    }

    #[test]
    fn live_streams_and_those_that_nobody_asked_for_are_well() {
        let well: Vec<_> = StreamState::ALL.iter().filter(|state| state.well()).collect();
        assert_eq!(well, [&StreamState::Live, &StreamState::Stopped]);
    }
}
