//! The picture that is sent while the robot is away, as it travels from the process that encodes it to push:
//! one closed group of pictures that is sent over and over.

use bytes::Bytes;
use std::io::{self, Read, Write};

/// Frames a second of a slate: enough for a server to call it alive, few enough to cost nothing.
pub const FPS: u32 = 5;

/// One coded picture of a slate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlateFrame {
    /// Annex B.
    pub data: Bytes,
    /// Whether it is the IDR picture that begins the group.
    pub keyframe: bool,
}

/// Bytes that are not a slate.
#[derive(Debug, thiserror::Error)]
pub enum SlateFormatError {
    /// They are cut off.
    #[error("the slate is cut off")]
    CutOff(#[source] io::Error),
    /// They do not begin with a keyframe.
    #[error("the slate does not begin with a keyframe")]
    NoKeyframe,
}

/// Writes frames for [`read`]: a length (u32, little endian), 1 for a keyframe or 0, the bytes.
///
/// # Errors
/// When the pipe closes.
pub fn write(frames: &[SlateFrame], out: &mut impl Write) -> io::Result<()> {
    for frame in frames {
        out.write_all(&u32::try_from(frame.data.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        out.write_all(&[u8::from(frame.keyframe)])?;
        out.write_all(&frame.data)?;
    }
    out.flush()
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// When it is cut off, absurdly long, or does not begin with a keyframe.
pub fn read(mut bytes: &[u8]) -> Result<Vec<SlateFrame>, SlateFormatError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let mut header = [0; 5];
        bytes.read_exact(&mut header).map_err(SlateFormatError::CutOff)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((data, rest)) = bytes.split_at_checked(length) else {
            return Err(SlateFormatError::CutOff(io::ErrorKind::UnexpectedEof.into()));
        };
        frames.push(SlateFrame { data: Bytes::copy_from_slice(data), keyframe: header[4] == 1 });
        bytes = rest;
    }
    if frames.first().is_some_and(|frame| frame.keyframe) {
        Ok(frames)
    } else {
        Err(SlateFormatError::NoKeyframe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_are_read_as_they_were_written(sizes in prop::collection::vec(0usize..100, 1..8)) {
            let frames: Vec<SlateFrame> = sizes.iter().enumerate()
                .map(|(n, &size)| SlateFrame { data: vec![7; size].into(), keyframe: n == 0 }).collect();
            let mut bytes = Vec::new();
            write(&frames, &mut bytes).unwrap();
            prop_assert_eq!(read(&bytes).unwrap(), frames);
            prop_assert!(read(&bytes[..bytes.len() - 1]).is_err() || sizes.last() == Some(&0));
        }

        #[test]
        fn hostile_slates_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
