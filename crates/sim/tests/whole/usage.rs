use crate::process::{FOOTAGE, program};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn wrong_usage_ends_with_2() {
    let table: [&[&str]; 5] =
        [&[], &["fly"], &["go2", "--size", "big"], &["rtsp", "--user", "operator"], &["probe"]];
    for arguments in table {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}

#[test]
fn a_failure_is_reported_in_one_line_with_a_hint() {
    let table: [(&[&str], &str); 4] = [
        (&["go2", "--file", "/nowhere.mp4"], "give a readable video file"),
        (&["go2", "--interface", "nowhere0"], "`ip link` lists them"),
        (&["go2", "--log", "/nowhere/log"], "give a writable path"),
        (&["probe", "gopher://host/"], "use rtmp(s)://"),
    ];
    for (arguments, hint) in table {
        let (code, _, text) = run(arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(text.contains(hint) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_file_is_probed_and_a_picture_saved() {
    let folder = tempfile::tempdir().unwrap();
    let png = folder.path().join("picture.png");
    let (code, text, _) = run(&["probe", FOOTAGE, "--json", "--png", png.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["frames"], &report["keyframes"]), (&132.into(), &1.into()));
    assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn a_stream_that_does_not_exist_ends_with_1() {
    let (code, text, _) = run(&["probe", "rtsp://127.0.0.1:1/none", "--wait", "0.5", "--json"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("\"frames\":0"), "{text}");
}
