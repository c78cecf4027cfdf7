//! New settings come into force on a box whose programs systemd runs.
//!
//! | module | owns |
//! |---|---|
//! | this | which programs have to learn of them: pure |
//! | [`systemd`] | telling them, over D-Bus |
//! | [`rauc`] | an update goes to the other slot |
//! | [`uplinks`] | the uplinks that were proven last, put back without the rest |
//!
//! A program whose part of the settings is as it was is left alone: new words for the Wi-Fi cost no stream a frame.

pub mod rauc;
pub mod systemd;
pub mod uplinks;

use robocast_bus::names::Program;
use robocast_config::{Robot, Settings, Source, Stream};
use std::time::Duration;

/// What has to be done, as units of systemd. The network's programs read the settings again in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whether other units are wanted, so that systemd has to run the generator again, which takes its time.
    pub reload: bool,
    /// Programs of streams that are gone.
    pub stop: Vec<String>,
    /// Programs of streams that are new.
    pub start: Vec<String>,
    /// Programs whose part of the settings is another; all, when nobody knows what they run with.
    pub restart: Vec<String>,
    /// The box's name, where it is another.
    pub name: Option<String>,
}

/// From the settings that were in force, if any were, to new ones.
#[must_use]
pub fn plan(before: Option<&Settings>, after: &Settings) -> Plan {
    let mut plan = Plan::default();
    let gone = before.into_iter().flat_map(|before| &before.streams);
    for stream in gone.filter(|stream| after.stream(&stream.name).is_none()) {
        plan.stop.extend(PROGRAMS.map(|program| program.unit(&stream.name)));
    }
    for stream in &after.streams {
        let units = PROGRAMS.map(|program| program.unit(&stream.name));
        let Some(before) = before else {
            plan.restart.extend(units);
            continue;
        };
        let Some(was) = before.stream(&stream.name) else {
            plan.start.extend(units);
            continue;
        };
        let around = (&before.robot, &before.tls) != (&after.robot, &after.tls);
        if around || as_camera(was) != as_camera(stream) {
            plan.restart.push(Program::Camera.unit(&stream.name));
        }
        let around = (&before.device, &before.tls) != (&after.device, &after.tls);
        if around || as_push(was) != as_push(stream) {
            plan.restart.push(Program::Push.unit(&stream.name));
        }
    }
    plan.reload = before.is_none_or(|before| of_units(before) != of_units(after));
    let name = &after.device.name;
    plan.name = before.is_none_or(|before| before.device.name != *name).then(|| name.clone());
    plan
}

const PROGRAMS: [Program; 2] = [Program::Camera, Program::Push];

/// What units are made from (`robocast generate`): the streams, and which of them come from the robot's side. An interface
/// that is an uplink is not there.
fn of_units(settings: &Settings) -> (&Robot, Option<&str>, Vec<(&str, &Source)>) {
    let uplink = settings.uplink.ethernet.as_ref().map(|ethernet| ethernet.interface.as_str());
    let streams = settings.streams.iter().map(|stream| (stream.name.as_str(), &stream.source));
    (&settings.robot, uplink, streams.collect())
}

/// A stream as far as its camera looks at it.
fn as_camera(stream: &Stream) -> Stream {
    Stream { push: Vec::new(), slate: true, ..stream.clone() }
}

/// A stream as far as its push program does.
fn as_push(stream: &Stream) -> Stream {
    Stream { source: Source::Test { pattern: None }, jitter_buffer: Duration::ZERO, ..stream.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        robocast_config::parse(format!("schema = 1\n{text}").as_bytes()).unwrap().settings
    }

    fn stream(name: &str, rest: &str) -> String {
        format!("[[stream]]\nname = \"{name}\"\nsource = \"test:\"\npush = [\"rtmp://h/a/{name}\"]\n{rest}")
    }

    fn units(programs: &[(&str, &str)]) -> Vec<String> {
        programs.iter().map(|(program, stream)| format!("robocast-{program}@{stream}.service")).collect()
    }

    #[test]
    fn a_program_learns_of_what_it_looks_at_and_of_nothing_else() {
        let before = stream("front", "");
        let (camera, push) = (("camera", "front"), ("push", "front"));
        let cases: [(&str, &[(&str, &str)]); 11] = [
            (&before, &[]),
            (&format!("{before}[page]\npassword = \"abcdefgh\"\n"), &[]),
            (
                &format!(
                    "{before}[[uplink.wifi]]\nssid = \"a\"\npassword = \"12345678\"\ncountry = \"US\"\n"
                ),
                &[],
            ),
            (&before.replace("rtmp://h/a", "rtmp://h/b"), &[push]),
            (&before.replace("test:", "file:/a.mp4"), &[camera]),
            (&stream("front", "jitter_buffer = \"80 ms\"\n"), &[camera]),
            (&stream("front", "slate = false\n"), &[push]),
            (&stream("front", "fps = 10\n"), &[camera, push]),
            (&format!("[robot]\nkind = \"go2\"\n{before}"), &[camera]),
            (&format!("[device]\nname = \"other\"\n{before}"), &[push]),
            (&format!("{before}[uplink.ethernet]\ninterface = \"eth1\"\n"), &[]),
        ];
        for (after, restart) in cases {
            let plan = plan(Some(&read(&before)), &read(after));
            assert_eq!(plan.restart, units(restart), "{after}");
            assert_eq!((plan.start, plan.stop), (vec![], vec![]), "{after}");
            assert_eq!(plan.name.is_some(), after.contains("other"), "{after}");
            let units = ["robot", "file:", "eth1"].iter().any(|word| after.contains(word));
            assert_eq!(plan.reload, units, "{after}");
        }
    }

    #[test]
    fn streams_come_and_go() {
        let (front, rear) = (stream("front", ""), stream("rear-left", ""));
        let plan = plan(Some(&read(&front)), &read(&rear));
        assert_eq!(plan.stop, units(&[("camera", "front"), ("push", "front")]));
        assert_eq!(plan.start, units(&[("camera", "rear\\x2dleft"), ("push", "rear\\x2dleft")]));
        assert_eq!((plan.restart, plan.reload), (vec![], true));
    }

    #[test]
    fn a_box_without_settings_gets_its_name_and_all_programs() {
        let first = plan(None, &read(&format!("[device]\nname = \"a\"\n{}", stream("front", ""))));
        assert_eq!(first.restart, units(&[("camera", "front"), ("push", "front")]));
        assert_eq!((first.name.as_deref(), first.reload), (Some("a"), true));
    }
}
