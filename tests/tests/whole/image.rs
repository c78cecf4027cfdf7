//! The image's calls at boot: the generator, and the second copy of the settings.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use robocast_tests::process::{command, run};
use robocast_tests::product::{Place, robot, settings, stream};
use robocast_tests::programs::have;

/// Every file below a folder by its relative path: a link's target, or a file's contents.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_symlink() {
            found.insert(name, std::fs::read_link(&path).unwrap().display().to_string());
        } else if path.is_dir() {
            found.extend(tree(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Runs the generator: returns its files, and its log.
fn generate(place: &Place) -> (BTreeMap<String, String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for name in ["normal", "early", "late"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    File::create(at("log")).unwrap();
    let (code, told, errors) =
        run(place.robocast(&["generate", &at("normal"), &at("early"), &at("late"), "--log", &at("log")]));
    assert_eq!((code, told.as_str(), errors.as_str()), (Some(0), "", ""));
    assert_eq!((tree(Path::new(&at("early"))), tree(Path::new(&at("late")))), Default::default());
    (tree(Path::new(&at("normal"))), std::fs::read_to_string(at("log")).unwrap())
}

#[test]
fn the_generator_turns_settings_into_units() {
    let place = Place::new("");
    let (go2, key) = (robot("go2").replace("\"lo\"", "\"enp1s0\""), "rtmp://host/live/KeyThatNobodyMaySee");
    let streams = [stream("front", "go2:", &[key], ""), stream("left-arm", "test:", &[], "")];
    place.provision(&settings(&[&[go2][..], &streams].concat()));
    let (units, log) = generate(&place);
    assert_eq!(log, "");
    let mut arm = "left\\x2darm".to_owned();
    if have(&["systemd-escape"]) {
        let mut escape = command("systemd-escape");
        escape.arg("left-arm");
        arm = run(escape).1.trim().to_owned();
    }
    let link = |name: &str| format!("/usr/lib/systemd/system/{name}");
    let streaming = |unit: &str| format!("robocast-streaming.target.wants/{unit}.service");
    let expected = [
        (streaming("robocast-camera@front"), link("robocast-camera@.service")),
        (streaming("robocast-push@front"), link("robocast-push@.service")),
        (streaming(&format!("robocast-camera@{arm}")), link("robocast-camera@.service")),
        (streaming(&format!("robocast-push@{arm}")), link("robocast-push@.service")),
        (
            "robocast-camera@front.service.d/50-robot.conf".into(),
            "[Unit]\nWants=robocast-net.service\nAfter=robocast-net.service\n\n\
             [Service]\nNetworkNamespacePath=/run/netns/robot\n"
                .into(),
        ),
    ];
    assert_eq!(units, BTreeMap::from(expected));
}

#[test]
fn the_generator_lets_the_boot_go_on_whatever_the_settings_are() {
    let place = Place::new("");
    assert_eq!(generate(&place), Default::default(), "no settings: nothing to do, nothing to say");
    place.provision(
        "schema = 1\n[[stream]]\nname = \"Front\"\nsourse = \"test:\"\npush = [\"rtmp://KeyOfMine@h\"]\n",
    );
    let (units, log) = generate(&place);
    assert_eq!(units, BTreeMap::new());
    let lines: Vec<_> = log.lines().collect();
    assert!(lines.len() >= 3, "{log}");
    for line in lines {
        assert!(line.starts_with("<3>robocast: ") && line.contains("settings.toml:"), "{line}");
        assert!(line.contains(": error: ") && !line.contains("KeyOfMine"), "{line}");
    }
    std::fs::remove_file(place.state().join("settings.toml")).unwrap();
    std::fs::create_dir(place.state().join("settings.toml")).unwrap();
    let (units, log) = generate(&place);
    assert_eq!(units, BTreeMap::new());
    assert!(log.starts_with("<3>robocast: cannot read ") && log.lines().count() == 1, "{log}");
}

/// A stand-in for the partition `env`.
fn partition(place: &Place) -> PathBuf {
    let path = place.state().with_file_name("env");
    File::create(&path).unwrap().set_len(4 << 20).unwrap();
    path
}

#[test]
fn settings_that_are_lost_come_back_from_their_copy() {
    let place = Place::new("");
    let (copy, text) = (partition(&place), settings(&[stream("front", "test:", &[], "")]));
    let call = |word: &str| run(place.robocast(&["settings", word, "--copy", copy.to_str().unwrap()]));
    let quiet = (Some(0), String::new(), String::new());
    assert_eq!(call("restore"), quiet, "never provisioned");
    assert_eq!(call("keep"), quiet, "nothing to keep");
    assert_eq!(run(place.robocast(&["settings", "name"])), quiet);

    let file = place.provision(&text);
    let (code, told, _) = call("keep");
    assert!(code == Some(0) && told.contains("copy 1"), "{told}");
    assert_eq!(call("keep"), quiet, "the same settings are not written again");
    assert_eq!(call("restore"), quiet, "nothing is lost");
    assert_eq!(run(place.robocast(&["settings", "name"])).1, "box\n");

    std::fs::remove_dir_all(place.state()).unwrap();
    let (code, told, _) = call("restore");
    assert!(code == Some(0) && told.contains("were missing; they are put back"), "{told}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    place.provision("schema = 1\n[devise]\n");
    let (code, told, errors) = call("keep");
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(errors.contains("the settings are not copied") && errors.contains("did you mean"), "{errors}");
    let (code, told, _) = call("restore");
    assert!(code == Some(0) && told.contains("were not valid (line 2"), "{told}");

    OpenOptions::new().write(true).open(&copy).unwrap().write_all_at(b"?", (1 << 20) + 60).unwrap();
    place.provision("");
    let (code, told, errors) = call("restore");
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(
        errors.contains("are empty") && errors.contains("damaged") && errors.contains("stick"),
        "{errors}"
    );
}
