//! Tests of the judges: they notice what they must notice.

use std::time::{Duration, Instant};

use robocast_tests::decoding::{Picture, decodes, pictures};
use robocast_tests::flv::{Frame, Recording};
use robocast_tests::passing::exactly;
use robocast_tests::process::{command, run};
use robocast_tests::programs::have;
use robocast_tests::robot::FILM;
use robocast_tests::slices::Sent;

/// The film as FLV, and its tags: the position of each in the file.
fn film() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.flv");
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-i", FILM[1], "-an", "-c", "copy"]).arg(&path);
    assert_eq!(run(ffmpeg).0, Some(0));
    (folder, path)
}

#[test]
fn a_recording_is_read_and_a_missing_picture_noticed_by_comparison_and_by_decoder() {
    if !have(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let (folder, path) = film();
    let whole = Recording::read(&path);
    assert_eq!((whole.frames.len(), whole.headers.len()), (132, 1));
    assert!(whole.frames[0].keyframe);
    assert_eq!(whole.longest_gap(), 40);
    assert_eq!(decodes(&path), Ok(()));
    assert_eq!(pictures(&path), [Picture { width: 1280, height: 720 }; 132]);

    let bytes = std::fs::read(&path).unwrap();
    let mut tags = Vec::new();
    let mut at = 13;
    while let Some(header) = bytes.get(at..at + 11) {
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize + 15;
        tags.push(at..at + size);
        at += size;
    }
    let mut broken = bytes;
    broken.drain(tags[60].clone());
    let path = folder.path().join("broken.flv");
    #[allow(clippy::disallowed_methods)]
    std::fs::write(&path, broken).unwrap();
    let lacking = Recording::read(&path);
    assert_eq!((lacking.frames.len(), lacking.longest_gap()), (131, 80));
    let begin = Instant::now();
    let at = |frame: &Frame| begin + Duration::from_millis(frame.ms.into());
    let sent: Vec<_> = whole
        .frames
        .iter()
        .flat_map(|frame| frame.slices.iter().map(|&slice| Sent { at: at(frame), slice }))
        .collect();
    let judged = |recording: Recording| exactly(&[recording], &sent, &|_, _| Duration::ZERO);
    let told = judged(lacking).unwrap_err();
    assert!(told.contains("of 131 pictures 58 fit") && told.contains("sent elsewhere"), "{told}");
    assert_eq!(judged(whole), Ok(()));
    assert!(decodes(&path).is_err(), "a decoder that says nothing of a missing reference is no judge");
}
