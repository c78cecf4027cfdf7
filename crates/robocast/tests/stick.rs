//! `robocast stick`, as the owner types it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use robocast_stick::{
    BoxKey, Outcome, OwnerKey, Receipt, ReceiptStep, StepRecord, StepResult, open_document,
};

/// A folder that represents a stick.
struct Stick(tempfile::TempDir);

/// The result of a command.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Stick {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a sound test"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a sound test")
    }

    #[allow(clippy::disallowed_methods)]
    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("a sound test");
    }

    /// Runs `robocast stick` in the folder, with nobody at a terminal.
    #[allow(clippy::disallowed_methods)]
    fn run(&self, words: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_robocast"))
            .arg("stick")
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .expect("a sound test");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a sound test");
        Ended {
            code: output.status.code().expect("a sound test"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    #[track_caller]
    fn fine(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    fn init(&self) {
        let out = self.fine(&[
            "init",
            ".",
            "--name",
            "spot-07",
            "--to",
            "youtube:SECRETkey",
            "--source",
            "test:",
            "--wifi",
            "Lab",
            "--wifi-password",
            "SECRETwifi",
            "--country",
            "us",
            "--page-password",
            "SECRETpage",
        ]);
        assert_eq!(out, "./robocast.toml: written\n");
    }
}

fn receipt(key: &BoxKey, outcome: Outcome) -> Receipt {
    Receipt {
        schema: 1,
        device: "spot-07".to_owned(),
        hardware: String::new(),
        board: "virtual".to_owned(),
        version: "0.1.0".to_owned(),
        public_key: key.recipient().to_string(),
        owner: None,
        time: "2026-11-21T15:20:48Z".to_owned(),
        outcome,
        steps: vec![StepRecord {
            step: ReceiptStep::Find,
            result: StepResult::Done,
            text: "robocast.toml".into(),
            hint: None,
            parts: vec![],
        }],
    }
}

#[test]
fn a_file_is_begun_checked_sealed_and_signed() {
    let (stick, key) = (Stick::new(), BoxKey::generate());
    stick.init();
    let plain = stick.text("robocast.toml");
    assert_eq!(stick.fine(&["check", "."]), "./robocast.toml: ok\n");
    stick.put("robocast-receipt.json", receipt(&key, Outcome::Proven).json());

    let printed = stick.fine(&["seal", "robocast.toml", "--to", "."]);
    assert_eq!(stick.text("robocast.toml"), plain, "without --in-place nothing is written");
    assert!(!printed.contains("SECRET") && printed.contains("sealed"));
    assert_eq!(open_document(&printed, &key).unwrap(), plain);

    stick.fine(&["seal", ".", "--to", &key.recipient().to_string(), "--in-place"]);
    let sealed = stick.text("robocast.toml");
    assert!(!sealed.contains("SECRET"));
    assert_eq!(open_document(&sealed, &key).unwrap(), plain);

    stick.fine(&["key", "owner"]);
    stick.fine(&["sign", ".", "--key", "owner", "--serial", "7"]);
    let public = stick.text("owner.pub");
    let told = stick.fine(&["check", "."]);
    assert!(told.contains(&format!("ok, signed by {}, serial 7", public.trim())), "{told}");
    // A file with a later time follows one with a serial in the future.
    stick.fine(&["sign", ".", "--key", "owner", "--serial", "9999999999"]);
    assert!(stick.fine(&["sign", ".", "--key", "owner"]).contains("serial 10000000000"));

    stick.put("robocast-owner.pub", &public);
    assert_eq!(stick.run(&["check", "."]).code, 0);
    stick.put("robocast-owner.pub", OwnerKey::generate().public().to_string());
    let ended = stick.run(&["check", "."]);
    assert!(ended.code == 1 && ended.err.contains("with another key"), "{}", ended.err);
    stick.put("robocast-owner.pub", &public);
    stick.put("robocast.toml", format!("{sealed}\n"));
    let ended = stick.run(&["check", "."]);
    assert!(ended.code == 1 && ended.err.contains("changed after it was signed"), "{}", ended.err);
}

#[test]
fn a_new_owners_key_is_signed_by_the_old_one() {
    let stick = Stick::new();
    stick.fine(&["key", "old"]);
    stick.fine(&["key", "new"]);
    stick.put("robocast-owner.pub", stick.text("new.pub"));
    let told = stick.fine(&["sign", "robocast-owner.pub", "--key", "old"]);
    assert!(told.contains("signed as robocast-owner.pub"), "{told}");
    let old: robocast_stick::OwnerPublic = stick.text("old.pub").parse().unwrap();
    let signature =
        robocast_stick::Signature::parse(stick.text("robocast-owner.pub.sig").as_bytes()).unwrap();
    assert!(signature.verify(&old, "robocast-owner.pub", stick.text("new.pub").as_bytes()).is_ok());
    assert!(signature.verify(&old, "robocast.toml", stick.text("new.pub").as_bytes()).is_err());
}

#[test]
fn ssh_keys_are_signed_under_their_name() {
    let stick = Stick::new();
    stick.fine(&["key", "owner"]);
    stick.put("authorized_keys", "ssh-ed25519 AAAA\n");
    let ended = stick.run(&["sign", "authorized_keys", "--key", "owner"]);
    assert!(ended.code == 1 && ended.err.contains("line 1 is no public key"), "{}", ended.err);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMBP5QpiSL2OD7ARsPrWReEjwJ6l0nXIpq12/NG0r29s me@laptop\n";
    stick.put("authorized_keys", key);
    let told = stick.fine(&["sign", "authorized_keys", "--key", "owner"]);
    assert!(told.contains("signed as authorized_keys"), "{told}");
    let owner: robocast_stick::OwnerPublic = stick.text("owner.pub").parse().unwrap();
    let signature = robocast_stick::Signature::parse(stick.text("authorized_keys.sig").as_bytes()).unwrap();
    assert!(signature.verify(&owner, "authorized_keys", key.as_bytes()).is_ok());
}

#[test]
fn nothing_is_overwritten_unless_told() {
    let stick = Stick::new();
    stick.init();
    stick.put("robocast.toml", "mine");
    let ended = stick.run(&["init", ".", "--to", "youtube:k"]);
    assert!(ended.code == 2 && ended.err.contains("--force"), "{}", ended.err);
    assert_eq!(stick.text("robocast.toml"), "mine");
    stick.fine(&["init", ".", "--force"]);
    assert!(stick.text("robocast.toml").contains("schema = 1"));
    stick.put("owner.pub", "mine");
    let ended = stick.run(&["key", "owner"]);
    assert!(
        ended.code == 2 && !stick.path("owner").exists() && stick.text("owner.pub") == "mine",
        "{}",
        ended.err
    );
}

#[test]
fn what_is_not_valid_is_neither_written_nor_sealed_nor_signed() {
    let (stick, key) = (Stick::new(), BoxKey::generate().recipient().to_string());
    for (words, said) in [
        (
            &["init", ".", "--wifi", "Lab", "--wifi-password", "SECRET"][..],
            "the Wi-Fi password has only 6 characters",
        ),
        (&["init", ".", "--wifi", "Lab", "--country", "uk"], "`UK` is not a country code"),
        (&["init", ".", "--to", "twitch:SECRET SECRET"], "a stream key has letters"),
        (&["init", ".", "--name", "Spot 7"], "the name `Spot 7` has characters other"),
    ] {
        let ended = stick.run(words);
        let told = format!("{}{}", ended.out, ended.err);
        assert!(ended.code == 1 && told.contains(said) && !told.contains("SECRET"), "{words:?}: {told}");
        assert!(!stick.path("robocast.toml").exists());
    }
    stick.put("robocast.toml", "schema = 1\n[page]\npassword = \"SECRE\"\n");
    stick.fine(&["key", "owner"]);
    for words in
        [&["check", "."][..], &["seal", ".", "--to", &key, "--in-place"], &["sign", ".", "--key", "owner"]]
    {
        let ended = stick.run(words);
        let told = format!("{}{}", ended.out, ended.err);
        assert!(
            ended.code == 1 && told.contains("3:12: error: the page's password has only 5"),
            "{words:?}: {told}"
        );
        assert!(!told.contains("SECRE"));
    }
    assert!(!stick.path("robocast.toml.sig").exists());
}

#[test]
fn a_file_that_is_no_key_and_no_receipt_is_told_apart() {
    let stick = Stick::new();
    stick.init();
    stick.put("x", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    let secret = BoxKey::generate().to_text().expose().trim().to_owned();
    for (words, said) in [
        (&["sign", ".", "--key", "x"][..], "not of Ed25519"),
        (&["sign", ".", "--key", "nowhere"], "cannot read nowhere"),
        (&["seal", ".", "--to", "x"], "no box's key in it"),
        (&["seal", ".", "--to", "age1x"], "not a box's public key"),
        (&["seal", ".", "--to", &secret], "this is a secret key"),
        (&["seal", ".", "--to", "nowhere"], "cannot read nowhere"),
        (&["seal", "nowhere", "--to", "."], "cannot read"),
        (&["receipt", "x"], "no receipt"),
        (&["receipt", "."], "cannot read"),
        (&["check", "nowhere"], "cannot read nowhere"),
    ] {
        let ended = stick.run(words);
        assert!(ended.code == 2 && ended.err.contains(said), "{words:?}: {} {}", ended.code, ended.err);
        assert!(!ended.err.contains(&secret[20..]), "{}", ended.err);
    }
}

#[test]
fn a_receipt_is_explained_and_its_outcome_is_the_exit_code() {
    let key = BoxKey::generate();
    for (outcome, code) in [(Outcome::Proven, 0), (Outcome::Refused, 1), (Outcome::Kept, 4)] {
        let stick = Stick::new();
        let receipt = receipt(&key, outcome);
        stick.put("robocast-receipt.json", receipt.json());
        stick.put("robocast-receipt.txt", receipt.text());
        for path in [".", "robocast-receipt.json", "robocast-receipt.txt", "robocast-receipt.svg"] {
            let ended = stick.run(&["receipt", path]);
            assert_eq!((ended.code, ended.out), (code, receipt.text()), "{path}");
        }
        // The text alone also names the box.
        stick.init();
        stick.put("other.txt", receipt.text());
        let sealed = stick.fine(&["seal", ".", "--to", "other.txt"]);
        assert!(open_document(&sealed, &key).is_ok());
    }
}

#[cfg(unix)]
#[test]
fn secrets_are_written_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let stick = Stick::new();
    stick.init();
    stick.fine(&["key", "owner"]);
    assert_eq!((mode(&stick.path("robocast.toml")), mode(&stick.path("owner"))), (0o600, 0o600));
    assert_eq!(mode(&stick.path("owner.pub")), 0o644);
    stick.fine(&["seal", ".", "--to", &BoxKey::generate().recipient().to_string(), "--in-place"]);
    assert_eq!(mode(&stick.path("robocast.toml")), 0o600);
}
