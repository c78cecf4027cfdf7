//! Which units the settings want: pure, for `robocast generate`.
//!
//! Every stream gets both of its programs, as under `robocast run`: a stream on demand must be on the bus so that it
//! can be requested (its push program waits there, its camera rests). The program of a source or sink that this version
//! lacks reports that itself, and `robocast status` shows it.
//!
//! Nothing here reads a secret: units contain names of streams (a-z, 0-9, `-`) only.

use robocast_bus::names::Program;
use robocast_config::Settings;
use std::path::PathBuf;

/// The folder of the image's units.
const UNITS: &str = "/usr/lib/systemd/system";
/// The network namespace of the robot's side, and the unit that keeps it.
const NAMESPACE: &str = "/run/netns/robot";
const NET: &str = "robocast-net.service";

/// A file for systemd, below the generator's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// Relative to that folder: one folder and one file in it.
    pub path: PathBuf,
    /// Its content.
    pub body: Body,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A symbolic link to this.
    Link(PathBuf),
    /// A file of this text.
    Text(String),
}

/// The units that the settings want.
#[must_use]
pub fn units(settings: &Settings) -> Vec<UnitFile> {
    let robot_side = settings.robot_side();
    let mut units = Vec::new();
    for stream in &settings.streams {
        for program in [Program::Camera, Program::Push] {
            let (template, unit) =
                (format!("robocast-{}@.service", program.word()), program.unit(&stream.name));
            units.push(wanted("robocast-streaming.target", &unit, &template));
        }
        if robot_side.as_ref().is_some_and(|side| side.reaches(&stream.source)) {
            let text =
                format!("[Unit]\nWants={NET}\nAfter={NET}\n\n[Service]\nNetworkNamespacePath={NAMESPACE}\n");
            units.push(dropin(&Program::Camera.unit(&stream.name), "50-robot.conf", text));
        }
    }
    units
}

fn wanted(target: &str, unit: &str, file: &str) -> UnitFile {
    let path = PathBuf::from(format!("{target}.wants")).join(unit);
    UnitFile { path, body: Body::Link(PathBuf::from(UNITS).join(file)) }
}

fn dropin(unit: &str, name: &str, text: String) -> UnitFile {
    UnitFile { path: PathBuf::from(format!("{unit}.d")).join(name), body: Body::Text(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn read(text: &str) -> Settings {
        let text = format!("schema = 1\n{text}");
        robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}\n{e}")).settings
    }

    fn paths(text: &str) -> Vec<String> {
        units(&read(text)).iter().map(|unit| unit.path.display().to_string()).collect()
    }

    fn text_of(text: &str, path: &str) -> String {
        let units = units(&read(text));
        match units.into_iter().find(|unit| unit.path.ends_with(path)).map(|unit| unit.body) {
            Some(Body::Text(text)) => text,
            other => panic!("{path}: {other:?}"),
        }
    }

    const FRONT: &str = "[[stream]]\nname = \"front\"\nsource = ";

    #[test]
    fn every_stream_gets_both_programs_whatever_it_is_and_when_it_pushes() {
        for source in ["test:", "v4l2:/dev/video0", "rtsp://10.0.0.1/x"] {
            for more in ["", "push = [\"rtmp://h/a/k\"]", "push = [\"srt://h:1\"]\nstart = \"on-demand\""] {
                assert_eq!(
                    paths(&format!("{FRONT}\"{source}\"\n{more}\n")),
                    [
                        "robocast-streaming.target.wants/robocast-camera@front.service",
                        "robocast-streaming.target.wants/robocast-push@front.service"
                    ],
                    "{source} {more}"
                );
            }
        }
    }

    #[test]
    fn links_lead_to_the_templates_of_the_image() {
        let links: Vec<_> =
            units(&read(&format!("{FRONT}\"test:\"\n"))).into_iter().map(|unit| unit.body).collect();
        let link = |name: &str| Body::Link(PathBuf::from("/usr/lib/systemd/system").join(name));
        assert_eq!(links, [link("robocast-camera@.service"), link("robocast-push@.service")]);
    }

    #[test]
    fn a_dash_in_a_name_is_escaped_in_the_name_of_the_unit() {
        let paths = paths("[[stream]]\nname = \"left-arm\"\nsource = \"test:\"\n");
        assert_eq!(paths[1], "robocast-streaming.target.wants/robocast-push@left\\x2darm.service");
    }

    /// Whether the camera of a stream with this source runs in the robot's namespace.
    fn is_inside(robot: &str, source: &str) -> bool {
        let paths = paths(&format!("[robot]\n{robot}\n{FRONT}\"{source}\"\n"));
        paths.iter().any(|path| path.starts_with("robocast-camera@front.service.d"))
    }

    #[test]
    fn without_a_wire_to_a_robot_no_camera_runs_in_its_namespace() {
        for (robot, inside) in [
            ("kind = \"go2\"", true),
            ("kind = \"spot\"", true),
            ("kind = \"go2\"\ninterface = \"enp1s0\"\nown_address = \"192.168.123.18/24\"", true),
            ("kind = \"none\"", false),
            ("kind = \"go2\"\naddress = \"127.0.0.1\"", false),
            ("kind = \"go2\"\ninterface = \"lo\"", false),
        ] {
            assert_eq!(is_inside(robot, "rtp://230.1.1.1:1720"), inside, "{robot}");
            assert!(units(&read(&format!("[robot]\n{robot}\n"))).is_empty());
        }
    }

    #[test]
    fn a_camera_of_the_robot_waits_for_its_namespace_and_runs_in_it() {
        let settings = format!("[robot]\nkind = \"go2\"\n{FRONT}\"go2:\"\n");
        assert_eq!(
            text_of(&settings, "robocast-camera@front.service.d/50-robot.conf"),
            "[Unit]\nWants=robocast-net.service\nAfter=robocast-net.service\n\n\
             [Service]\nNetworkNamespacePath=/run/netns/robot\n"
        );
        assert!(!paths(&settings).iter().any(|path| path.starts_with("robocast-push@front.service.d")));
    }

    #[test]
    fn a_camera_of_a_second_interface_runs_where_that_interface_is() {
        let settings = format!("[robot]\nkind = \"go2\"\n{FRONT}\"rtp://230.1.1.1:1720?interface=eth1\"\n");
        assert!(paths(&settings).iter().any(|path| path.starts_with("robocast-camera@front.service.d")));
        let alone = format!("{FRONT}\"rtp://230.1.1.1:1720?interface=eth1\"\n");
        assert!(!paths(&alone).iter().any(|path| path.starts_with("robocast-camera@front.service.d")));
    }

    #[test]
    fn a_camera_runs_in_the_namespace_when_its_source_is_reached_there() {
        for (source, inside) in [
            ("go2:", true),
            ("go2:?interface=eth0", true),
            ("go2:?interface=eth1", true),
            ("rtp://230.1.1.1:1720", true),
            ("rtp://[ff02::1]:1720", true),
            ("rtp://230.1.1.1:1720?interface=eth0&payload=96", true),
            ("rtp://230.1.1.1:1720?interface=eth1", true),
            ("rtp://192.168.123.222:5004", true),
            ("rtp://0.0.0.0:5004", false),
            ("rtp://0.0.0.0:5004?interface=eth0", true),
            ("rtsp://192.168.123.64/live", true),
            ("rtsp://user:secret@192.168.123.64:554/live", true),
            ("rtsps://192.168.123.64/live?verify=off", true),
            ("rtsp://192.168.1.64/live", false),
            ("rtsp://192.168.1.64/live?interface=eth0", true),
            ("rtsp://192.168.1.64/live?interface=eth1", true),
            ("rtsp://[fd00::1]/live", false),
            ("rtsp://camera.local/live", false),
            ("v4l2:/dev/video0", false),
            ("libcamera:0", false),
            ("argus:0", false),
            ("test:", false),
            ("file:/clip.mp4", false),
        ] {
            assert_eq!(is_inside("kind = \"go2\"", source), inside, "{source}");
        }
        assert!(is_inside("kind = \"spot\"", "spot:"));
        let six = "kind = \"go2\"\naddress = \"fd00::9\"\nown_address = \"fd00::2/64\"";
        assert!(is_inside(six, "rtsp://[fd00::1]/live"));
    }

    #[test]
    fn without_a_robot_no_camera_is_put_away() {
        for source in ["rtp://230.1.1.1:1720", "rtsp://192.168.123.64/live?interface=eth0"] {
            assert_eq!(paths(&format!("{FRONT}\"{source}\"\n")).len(), 2, "{source}");
        }
    }

    fn settings() -> impl Strategy<Value = String> {
        let kind = prop_oneof![Just("go2"), Just("spot"), Just("none")];
        let source = prop_oneof![
            Just("test:".to_owned()),
            Just("rtp://230.1.1.1:1720".to_owned()),
            "rtsp://SECRET[a-z]{0,4}:SECRET[a-z]{0,4}@192\\.168\\.123\\.[1-9]/SECRET\\?key=SECRET",
        ];
        let stream = ("[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", source, "SECRET[a-zA-Z0-9]{0,8}");
        (kind, proptest::collection::vec(stream, 0..4)).prop_map(|(kind, streams)| {
            let mut text = format!(
                "schema = 1\n[device]\nname = \"box\"\n[robot]\nkind = \"{kind}\"\nusername = \"SECRETuser\"\n\
                 password = \"SECRETpass\"\n"
            );
            for (number, (name, source, key)) in streams.iter().enumerate() {
                let push = format!("rtmps://h/app{number}/{key}");
                text += &format!("[[stream]]\nname = \"{name}\"\nsource = \"{source}\"\npush = [\"{push}\"]\n");
            }
            text + "[[uplink.wifi]]\nssid = \"SECRETnet\"\npassword = \"SECRETwpa1\"\n[page]\npassword = \"SECRETpage\"\n"
        })
    }

    proptest! {
        #[test]
        fn no_secret_is_written_and_no_path_leads_out(text in settings()) {
            let parsed = robocast_config::parse(text.as_bytes());
            // Two streams with one name are refused; nothing else here may be refused.
            let Ok(checked) = parsed else {
                let problems = parsed.unwrap_err();
                prop_assert!(problems.iter().all(|p| p.message.starts_with("a stream named")), "{problems}");
                return Ok(());
            };
            let units = units(&checked.settings);
            prop_assert!(units.len() >= 2 * checked.settings.streams.len());
            for UnitFile { path, body } in units {
                prop_assert!(!format!("{path:?}{body:?}").contains("SECRET"), "{path:?} {body:?}");
                let parts: Vec<_> = path.components().collect();
                let (plain, two) = (parts.iter().all(|part| matches!(part, Component::Normal(_))), parts.len());
                prop_assert!(plain && two == 2, "{path:?}");
                if let Body::Link(to) = body {
                    prop_assert_eq!(to.parent(), Some(std::path::Path::new(UNITS)));
                }
            }
        }
    }
}
