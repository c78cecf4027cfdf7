//! A box that behaves as a test wants, and a stick for it.

use robocast_config::Settings;
use robocast_provision::host::{Answer, Change, Host};
use robocast_provision::led::LedSign;
use robocast_provision::problem::ProvisionProblem;
use robocast_provision::provisioning::{ProvisionOutcome, provision};
use robocast_provision::state_dir::StateDir;
use robocast_provision::verification::VerificationResult;
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

/// A box that behaves as a test wants, and records its calls.
#[derive(Default)]
pub struct HostDouble {
    pub asked: Vec<String>,
    pub shown: Vec<LedSign>,
    /// `apply` fails.
    pub stuck: bool,
    /// These parts of the verification fail.
    pub failing: Vec<&'static str>,
}

fn name(settings: Option<&Settings>) -> &str {
    settings.map_or("-", |settings| &settings.device.name)
}

impl Host for HostDouble {
    fn apply(&mut self, change: Change<'_>) -> Answer {
        assert_eq!(robocast_config::parse(change.bytes).unwrap().settings, *change.settings);
        self.asked.push(format!("apply {} after {}", change.settings.device.name, name(change.before)));
        match self.stuck {
            true => Answer::Failed(ProvisionProblem::new("nobody listens")),
            false => Answer::Done("told everybody".into()),
        }
    }

    fn verify(&mut self, change: Change<'_>) -> Option<VerificationResult> {
        self.asked.push(format!("verify {}", change.settings.device.name));
        let part = |what: &&str| Part {
            what: (*what).into(),
            ok: !self.failing.contains(what),
            text: "seen".into(),
            hint: None,
        };
        let parts = ["robot", "uplink"].iter().map(part).collect();
        Some(VerificationResult { parts, uplink_failed: self.failing.contains(&"uplink") })
    }

    fn commit(&mut self, _: Change<'_>) -> Answer {
        self.asked.push("commit".into());
        Answer::Done(String::new())
    }

    fn roll_back(&mut self, _: Change<'_>, uplink_failed: bool) -> Answer {
        self.asked.push(format!("roll back, uplink failed: {uplink_failed}"));
        Answer::Done("the uplinks from before are back".into())
    }

    fn install_update(&mut self, name: &OsStr, bundle: &File) -> Answer {
        let mut text = String::new();
        let mut bundle = bundle;
        bundle.read_to_string(&mut text).unwrap();
        self.asked.push(format!("update {} {text}", name.display()));
        Answer::Done("installed".into())
    }

    fn install_authorized_keys(&mut self, file: &[u8]) -> Answer {
        self.asked.push(format!("ssh {}", String::from_utf8_lossy(file)));
        Answer::Done("let in".into())
    }

    fn write_support_bundle(&mut self, to: &mut dyn Write) -> Answer {
        to.write_all(b"bundle").unwrap();
        Answer::Done("written".into())
    }

    fn show_sign(&mut self, sign: LedSign) {
        self.shown.push(sign);
    }
}

/// A box and a stick.
pub struct Scene {
    folder: TempDir,
    pub state: StateDir,
    pub double: HostDouble,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir { state: folder.path().join("state"), run: folder.path().join("run") };
        let this = Self { folder, state, double: HostDouble::default() };
        this.state.write("settings.toml", OLD.as_bytes()).unwrap();
        this.state.write("settings.proven.toml", OLD.as_bytes()).unwrap();
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
        std::fs::read_to_string(self.state.file(name)).ok()
    }

    /// Inserts the stick; returns the calls that the box got.
    pub fn insert(&mut self) -> (ProvisionOutcome, Vec<String>) {
        let stick = self.stick();
        self.double.shown.clear();
        let ended = provision(Path::new(&stick), &self.state, &mut self.double).unwrap();
        assert_eq!(self.double.shown, [LedSign::Busy, ended.receipt.outcome.into()]);
        assert!(ended.on_box.is_ok() && ended.on_stick.as_ref().is_some_and(Result::is_ok), "{ended:?}");
        assert_eq!(self.state("provision.json"), None);
        assert!(!format!("{ended:?}").contains("secret-4711"));
        (ended, std::mem::take(&mut self.double.asked))
    }

    pub fn in_force_and_proven(&self) -> (String, String) {
        (self.state("settings.toml").unwrap(), self.state("settings.proven.toml").unwrap())
    }
}
