//! The decoder's view of a recording. `ffmpeg` is the judge.

use std::path::Path;

use crate::process::{command, run};

/// A picture that came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
}

/// Decodes all of it. A missing reference picture is an error too, which `ffmpeg` reports only at its most verbose.
///
/// # Errors
/// The decoder's messages.
pub fn decodes(recording: &Path) -> Result<(), String> {
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "level+debug", "-xerror", "-threads", "1", "-i"]).arg(recording);
    ffmpeg.args(["-f", "null", "-"]);
    let (code, _, told) = run(ffmpeg);
    let grave = |line: &&str| {
        // Complaints of the empty output about times in its coarser clock are not the decoder's.
        let words = ["[error]", "[fatal]", "[panic]", "Frame num gap", "concealing", "Missing reference"];
        !line.starts_with("[null @") && words.iter().any(|word| line.contains(word))
    };
    let faults: Vec<_> = told.lines().filter(grave).collect();
    match (code, faults.len()) {
        (Some(0), 0) => Ok(()),
        (code, count) => {
            Err(format!("ffmpeg ended with {code:?} and {count} faults: {:#?}", &faults[..count.min(5)]))
        }
    }
}

/// The decoded pictures, in the order of decoding.
pub fn pictures(recording: &Path) -> Vec<Picture> {
    let mut ffprobe = command("ffprobe");
    ffprobe.args([
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "frame=width,height",
        "-of",
        "csv=p=0",
    ]);
    ffprobe.arg(recording);
    let (_, told, _) = run(ffprobe);
    let parse = |line: &str| {
        let mut numbers = line.split(',').map_while(|word| word.trim().parse().ok());
        Some(Picture { width: numbers.next()?, height: numbers.next()? })
    };
    told.lines().filter_map(parse).collect()
}
