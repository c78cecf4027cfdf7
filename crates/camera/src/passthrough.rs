//! Whether a source's H.264 is passed through or decoded and encoded again. Pure.

use robocast_config::{Encode, Stream};
use robocast_video::h264::VideoFormat;

/// What becomes of a source's H.264.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passthrough {
    /// It goes on untouched.
    Pass,
    /// It must be encoded anew, for this reason.
    Encode(String),
}

/// Decides for pictures like `picture` under the settings of `stream`.
#[must_use]
pub fn fit(picture: &VideoFormat, stream: &Stream) -> Passthrough {
    match stream.encode {
        Encode::Never => Passthrough::Pass,
        Encode::Always => Passthrough::Encode("the settings ask for it".into()),
        Encode::Auto => {
            if !picture.common {
                return Passthrough::Encode("players only show 8 bit 4:2:0".into());
            }
            match stream.size {
                Some(size) if (size.width, size.height) != (picture.width, picture.height) => {
                    Passthrough::Encode(format!(
                        "the source is {}x{}, the settings ask for {}x{}",
                        picture.width, picture.height, size.width, size.height
                    ))
                }
                _ => Passthrough::Pass,
            }
        }
    }
}
