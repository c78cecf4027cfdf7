//! A box that says what a test wants, and a stick for it.

use robocast_config::Settings;
use robocast_provision::home::Home;
use robocast_provision::led::Sign;
use robocast_provision::steps::{Ended, provision};
use robocast_provision::the_box::{Answer, New, TheBox};
use robocast_provision::trouble::Trouble;
use robocast_stick::Part;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The settings before.
pub const OLD: &str = "schema = 1\n[device]\nname = \"old\"\n";
/// Those of a stick.
pub const NEW: &str = "schema = 1\n[device]\nname = \"new\"\n[page]\npassword = \"secret-4711\" # ours\n";

/// A box that says what a test wants, and writes down what it is asked.
#[derive(Default)]
pub struct Double {
    pub asked: Vec<String>,
    pub shown: Vec<Sign>,
    /// `apply` fails.
    pub stuck: bool,
    /// These parts of the proof fail.
    pub failing: Vec<&'static str>,
}

fn name(settings: Option<&Settings>) -> &str {
    settings.map_or("-", |settings| &settings.device.name)
}

impl TheBox for Double {
    fn apply(&mut self, new: New<'_>) -> Answer {
        assert_eq!(robocast_config::parse(new.bytes).unwrap().settings, *new.settings);
        self.asked.push(format!("apply {} after {}", new.settings.device.name, name(new.before)));
        match self.stuck {
            true => Answer::Failed(Trouble::new("nobody listens")),
            false => Answer::Done("told everybody".into()),
        }
    }

    fn prove(&mut self, new: New<'_>) -> Option<Vec<Part>> {
        self.asked.push(format!("prove {}", new.settings.device.name));
        let part = |what: &&str| Part {
            what: (*what).into(),
            ok: !self.failing.contains(what),
            text: "seen".into(),
            mend: None,
        };
        Some(["robot", "uplink"].iter().map(part).collect())
    }

    fn keep(&mut self, _: New<'_>) -> Answer {
        self.asked.push("keep".into());
        Answer::Done(String::new())
    }

    fn back(&mut self, _: New<'_>, parts: &[Part]) -> Answer {
        let failed: Vec<_> = parts.iter().filter(|part| !part.ok).map(|part| part.what.as_str()).collect();
        self.asked.push(format!("back {}", failed.join("+")));
        Answer::Done("the uplinks from before are back".into())
    }

    fn update(&mut self, name: &OsStr, bundle: &File) -> Answer {
        let mut text = String::new();
        let mut bundle = bundle;
        bundle.read_to_string(&mut text).unwrap();
        self.asked.push(format!("update {} {text}", name.display()));
        Answer::Done("installed".into())
    }

    fn authorized_keys(&mut self, file: &[u8]) -> Answer {
        self.asked.push(format!("ssh {}", String::from_utf8_lossy(file)));
        Answer::Done("let in".into())
    }

    fn support(&mut self, to: &mut dyn Write) -> Answer {
        to.write_all(b"bundle").unwrap();
        Answer::Done("written".into())
    }

    fn show(&mut self, sign: Sign) {
        self.shown.push(sign);
    }
}

/// A box and a stick.
pub struct Scene {
    folder: TempDir,
    pub home: Home,
    pub double: Double,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { state: folder.path().join("state"), run: folder.path().join("run") };
        let this = Self { folder, home, double: Double::default() };
        this.home.write("settings.toml", OLD.as_bytes()).unwrap();
        this.home.write("settings.proven.toml", OLD.as_bytes()).unwrap();
        std::fs::create_dir(this.stick()).unwrap();
        this
    }

    pub fn stick(&self) -> PathBuf {
        self.folder.path().join("stick")
    }

    pub fn put(&mut self, name: &str, text: &str) -> &mut Self {
        File::create(self.stick().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
        self
    }

    pub fn on_stick(&self, name: &str) -> String {
        std::fs::read_to_string(self.stick().join(name)).unwrap()
    }

    pub fn state(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.home.file(name)).ok()
    }

    /// Puts the stick in; what the box was asked comes back.
    pub fn insert(&mut self) -> (Ended, Vec<String>) {
        let stick = self.stick();
        self.double.shown.clear();
        let ended = provision(Path::new(&stick), &self.home, &mut self.double).unwrap();
        assert_eq!(self.double.shown, [Sign::Busy, ended.receipt.outcome.into()]);
        assert!(ended.on_box.is_ok() && ended.on_stick.as_ref().is_some_and(Result::is_ok), "{ended:?}");
        assert_eq!(self.state("provision.json"), None);
        assert!(!format!("{ended:?}").contains("secret-4711"));
        (ended, std::mem::take(&mut self.double.asked))
    }

    pub fn in_force_and_proven(&self) -> (String, String) {
        (self.state("settings.toml").unwrap(), self.state("settings.proven.toml").unwrap())
    }
}
