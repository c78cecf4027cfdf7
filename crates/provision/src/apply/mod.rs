//! Brings new settings into force on a box whose programs systemd runs.
//!
//! | module | owns |
//! |---|---|
//! | this | which programs are affected by a change: pure |
//! | [`programs`] | starting, stopping and reloading them, over D-Bus |
//! | [`uplinks`] | uses the last proven uplinks again, and leaves the rest |
//!
//! A program whose part of the settings did not change keeps running: another Wi-Fi password costs no stream a frame.

pub mod programs;
pub mod uplinks;

use robocast_bus::names::Program;
use robocast_config::{Robot, Settings, Source};

/// The needed changes, as units of systemd. The network's programs read the settings again in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyPlan {
    /// Whether other units are needed, so that systemd must run the generator again, which takes some time.
    pub reload: bool,
    /// Programs of streams that are gone.
    pub stop: Vec<String>,
    /// Programs of streams that are new.
    pub start: Vec<String>,
    /// Programs whose part of the settings changed; all of them, when their current settings are unknown.
    pub restart: Vec<String>,
    /// The box's name, where it changed.
    pub name: Option<String>,
}

/// From the settings that were in force, if any were, to new ones.
#[must_use]
pub fn plan_changes(before: Option<&Settings>, after: &Settings) -> ApplyPlan {
    let mut plan = ApplyPlan::default();
    let old = before.into_iter().flat_map(|before| &before.streams);
    for stream in old.filter(|stream| after.stream(&stream.name).is_none()) {
        plan.stop.extend(PROGRAMS.map(|program| program.unit(&stream.name)));
    }
    for stream in &after.streams {
        let units = PROGRAMS.map(|program| program.unit(&stream.name));
        let Some(before) = before else {
            plan.restart.extend(units);
            continue;
        };
        let name = stream.name.as_str();
        if before.stream(name).is_none() {
            plan.start.extend(units);
            continue;
        }
        if before.camera_part(name) != after.camera_part(name) {
            plan.restart.push(Program::Camera.unit(name));
        }
        if before.push_part(name) != after.push_part(name) {
            plan.restart.push(Program::Push.unit(name));
        }
    }
    plan.reload = before.is_none_or(|before| generator_part(before) != generator_part(after));
    let name = &after.device.name;
    plan.name = before.is_none_or(|before| before.device.name != *name).then(|| name.clone());
    plan
}

const PROGRAMS: [Program; 2] = [Program::Camera, Program::Push];

/// The input for units (`robocast generate`): the streams, and which of them come from the robot's side. An interface
/// that is an uplink is not on that side.
fn generator_part(settings: &Settings) -> (&Robot, Option<&str>, Vec<(&str, &Source)>) {
    let uplink = settings.uplink.ethernet.as_ref().map(|ethernet| ethernet.interface.as_str());
    let streams = settings.streams.iter().map(|stream| (stream.name.as_str(), &stream.source));
    (&settings.robot, uplink, streams.collect())
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
    fn a_program_is_restarted_for_what_it_looks_at_and_for_nothing_else() {
        let before = stream("front", "");
        let (camera, push) = (("camera", "front"), ("push", "front"));
        let cases: [(&str, &[(&str, &str)]); 14] = [
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
            (&stream("front", "fps = 10\n"), &[camera]),
            // It ended the session with the server, for a number that push does not use.
            (&stream("front", "bitrate = { min = \"300 kbit/s\", max = \"1 Mbit/s\" }\n"), &[camera]),
            (&stream("front", "encode = \"always\"\n"), &[camera]),
            (&stream("front", "size = \"640x360\"\n"), &[camera, push]),
            (&format!("[robot]\nkind = \"go2\"\n{before}"), &[camera]),
            (&format!("[device]\nname = \"other\"\n{before}"), &[push]),
            (&format!("{before}[uplink.ethernet]\ninterface = \"eth1\"\n"), &[]),
        ];
        for (after, restart) in cases {
            let plan = plan_changes(Some(&read(&before)), &read(after));
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
        let plan = plan_changes(Some(&read(&front)), &read(&rear));
        assert_eq!(plan.stop, units(&[("camera", "front"), ("push", "front")]));
        assert_eq!(plan.start, units(&[("camera", "rear\\x2dleft"), ("push", "rear\\x2dleft")]));
        assert_eq!((plan.restart, plan.reload), (vec![], true));
    }

    #[test]
    fn a_box_without_settings_gets_its_name_and_all_programs() {
        let first = plan_changes(None, &read(&format!("[device]\nname = \"a\"\n{}", stream("front", ""))));
        assert_eq!(first.restart, units(&[("camera", "front"), ("push", "front")]));
        assert_eq!((first.name.as_deref(), first.reload), (Some("a"), true));
    }
}
