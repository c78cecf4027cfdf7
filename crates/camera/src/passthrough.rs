//! Whether a source's H.264 is passed through or decoded and encoded again. Pure.

use robocast_config::{Encode, Stream};
use robocast_video::h264::VideoFormat;

/// How a source's H.264 is handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passthrough {
    /// It is published untouched.
    Pass,
    /// It must be re-encoded, for this reason.
    Encode(String),
}

/// Decides for pictures of this format under the settings of `stream`.
#[must_use]
pub fn decide_passthrough(format: &VideoFormat, stream: &Stream) -> Passthrough {
    match stream.encode {
        Encode::Never => Passthrough::Pass,
        Encode::Always => Passthrough::Encode("the settings ask for it".into()),
        Encode::Auto => {
            if !format.common {
                return Passthrough::Encode("players only show 8 bit 4:2:0".into());
            }
            match stream.size {
                Some(size) if (size.width, size.height) != (format.width, format.height) => {
                    Passthrough::Encode(format!(
                        "the source is {}x{}, the settings ask for {}x{}",
                        format.width, format.height, size.width, size.height
                    ))
                }
                _ => Passthrough::Pass,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: VideoFormat =
        VideoFormat { width: 1280, height: 720, fps: None, profile: 77, common: true, reorder: 0 };

    fn decide(format: &VideoFormat, more: &str) -> Passthrough {
        let text =
            format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"rtp://0.0.0.0:5004\"\n{more}\n");
        let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
        decide_passthrough(format, &settings.streams[0])
    }

    #[test]
    fn h264_is_passed_through_unless_the_settings_or_players_cannot_have_it_so() {
        let ten_bit = VideoFormat { common: false, ..HD };
        for (format, more, reason) in [
            (HD, "", None),
            (HD, "size = \"1280x720\"", None),
            (HD, "size = \"640x360\"", Some("1280x720")),
            (HD, "encode = \"never\"\nsize = \"640x360\"", None),
            (HD, "encode = \"always\"\nsize = \"1280x720\"", Some("settings")),
            (ten_bit, "", Some("8 bit")),
            (ten_bit, "encode = \"never\"", None),
        ] {
            match (decide(&format, more), reason) {
                (Passthrough::Pass, None) => {}
                (Passthrough::Encode(why), Some(reason)) if why.contains(reason) => {}
                (decided, _) => panic!("{decided:?} with {more}"),
            }
        }
    }
}
