use super::*;
use nix::sys::stat::Mode;
use nix::sys::stat::mknod;
use nix::unistd::mkfifo;
use proptest::prelude::*;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;

const WANTED: &str = "robocast.toml";

fn list(names: &[&str]) -> Vec<OsString> {
    names.iter().map(OsString::from).collect()
}

#[test]
fn case_does_not_matter_and_everything_else_does() {
    for (names, found) in [
        (&["robocast.toml"][..], Some("robocast.toml")),
        (&["ROBOCAST.TOML", "a"], Some("ROBOCAST.TOML")),
        (&["Robocast.Toml", "._robocast.toml"], Some("Robocast.Toml")),
        (&[], None),
        (&["robocast.toml "], None),
        (&["robocast.toml."], None),
        (&["robocast.tom"], None),
        (&["robocast.toml.txt"], None),
        // Letters that only look alike, or become ASCII when folded.
        (&["roboca\u{17f}t.toml"], None),
        (&["r\u{43e}b\u{43e}cast.toml"], None),
        (&["\u{ff52}obocast.toml"], None),
        (&["robocast\u{2024}toml"], None),
    ] {
        assert_eq!(pick_name(&list(names), WANTED).unwrap(), found.map(OsStr::new), "{names:?}");
    }
    let told = pick_name(&list(&["robocast.toml", "ROBOCAST.toml"]), WANTED).unwrap_err().message;
    assert!(told.contains("`robocast.toml` and `ROBOCAST.toml`"), "{told}");
}

#[test]
fn bundles_are_known_by_their_ending() {
    for (names, found) in [
        (&["a.raucb"][..], Some("a.raucb")),
        (&["A.RaucB", "._A.RaucB"], Some("A.RaucB")),
        (&[".raucb", "raucb", "a.raucb.part", "araucb"], None),
    ] {
        assert_eq!(pick_by_extension(&list(names), "raucb").unwrap(), found.map(OsStr::new), "{names:?}");
    }
    assert!(pick_by_extension(&list(&["a.raucb", "b.RAUCB"]), "raucb").is_err());
}

#[test]
fn a_name_that_was_nearly_right_is_seen() {
    for (name, seen) in [
        ("robocast.toml.txt", true),
        ("robocast (1).toml", false),
        ("Robocast_toml", true),
        ("robocast.toml ", true),
        ("._robocast.toml", false),
        ("robocast-receipt.txt", false),
        ("holiday.jpg", false),
    ] {
        assert_eq!(find_similar(&list(&[name]), WANTED).is_some(), seen, "{name}");
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    use std::io::Write;
    File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
}

fn told(folder: &Path, name: &str, limit: usize) -> Result<Vec<u8>, String> {
    let folder = File::open(folder).unwrap();
    read_file(folder.as_fd(), OsStr::new(name), limit).map_err(|problem| problem.message)
}

#[test]
fn only_regular_files_are_read_and_what_else_there_is_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    put(path, "file", b"abc");
    symlink("file", path.join("link")).unwrap();
    symlink("/etc/passwd", path.join("out")).unwrap();
    std::fs::create_dir(path.join("folder")).unwrap();
    mkfifo(&path.join("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    assert_eq!(told(path, "file", 3), Ok(b"abc".to_vec()));
    let mut rows = vec![("link", "a link"), ("out", "a link"), ("folder", "a folder"), ("pipe", "a pipe")];
    rows.push(("socket", "a socket"));
    if nix::unistd::geteuid().is_root()
        && mknod(&path.join("device"), SFlag::S_IFCHR, Mode::S_IRWXU, nix::sys::stat::makedev(1, 5)).is_ok()
    {
        rows.push(("device", "a device"));
    }
    for (name, what) in rows {
        assert_eq!(told(path, name, 10), Err(format!("`{name}` is {what}, not a file")));
    }
    assert!(told(path, "nothing", 10).is_err());
    // No name leads out of the folder.
    for name in ["folder/../file", "../x", "/etc/passwd", "folder/../../etc"] {
        assert!(told(path, name, 1 << 20).is_err(), "{name}");
    }
}

#[test]
fn a_large_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    File::create(folder.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
    let told = told(folder.path(), "sparse", 100).unwrap_err();
    assert_eq!(told, "`sparse` has 1099511627776 bytes; at most 100 are accepted");
}

#[test]
fn a_file_that_lies_about_its_size_is_bounded_while_it_is_read() {
    // Its size reads as 0 bytes.
    let told = told(Path::new("/proc/self"), "maps", 100).unwrap_err();
    assert!(told.contains("at most 100 are accepted"), "{told}");
}

#[test]
fn a_folder_with_too_many_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=MOST_NAMES {
        File::create(folder.path().join(number.to_string())).unwrap();
    }
    let open = File::open(folder.path()).unwrap();
    assert!(list_names(open.as_fd()).unwrap_err().message.contains("more than"));
    std::fs::remove_file(folder.path().join("0")).unwrap();
    assert_eq!(list_names(open.as_fd()).unwrap().len(), MOST_NAMES);
}

fn name() -> impl Strategy<Value = OsString> {
    prop_oneof![
        proptest::collection::vec(1u8.., 1..40).prop_map(OsString::from_vec),
        "(?i-u:robocast\\.toml)".prop_map(OsString::from),
        "(?i)robocast.?toml.?".prop_map(OsString::from),
        "\\PC{1,20}\\.raucb".prop_map(OsString::from),
    ]
}

proptest! {
    #[test]
    fn any_names_are_told_apart_as_by_lower_case(names in proptest::collection::vec(name(), 0..6)) {
        let same = |name: &&OsString| name.to_ascii_lowercase() == *WANTED;
        match (names.iter().filter(same).count(), pick_name(&names, WANTED)) {
            (0, found) => prop_assert_eq!(found, Ok(None)),
            (1, found) => prop_assert_eq!(found, Ok(names.iter().find(same).map(OsString::as_os_str))),
            (_, found) => prop_assert!(found.is_err()),
        }
        let _ = pick_by_extension(&names, "raucb");
        let _ = find_similar(&names, WANTED);
        for name in &names {
            let shown = display_name(name);
            prop_assert!(!shown.chars().any(char::is_control), "{}", shown);
        }
    }

    #[test]
    fn no_name_reaches_out(name in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'/'), 1u8..], 1..12)) {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        put(outer.path(), "secret", b"secret");
        let folder = File::open(&inner).unwrap();
        prop_assert!(read_file(folder.as_fd(), &OsString::from_vec(name), 1 << 20).is_err());
    }
}
