use super::*;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// A box: a folder that holds a folder of settings, and a partition.
struct Box(TempDir);

impl Box {
    fn new() -> Self {
        let new = Self(tempfile::tempdir().unwrap());
        File::create(new.copy()).unwrap().set_len(4 << 20).unwrap();
        new
    }

    fn settings(&self) -> PathBuf {
        self.0.path().join("lib/robocast/settings.toml")
    }

    fn copy(&self) -> PathBuf {
        self.0.path().join("env")
    }

    fn write(&self, text: &str) {
        std::fs::create_dir_all(self.settings().parent().unwrap()).unwrap();
        atomic::write(&self.settings(), text.as_bytes(), 0o644).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.settings()).unwrap()
    }

    fn keep(&self) -> BackedUp {
        back_up_settings(&self.settings(), &self.copy()).unwrap()
    }

    fn restore(&self) -> Result<Restored, RestoreError> {
        restore_settings(&self.settings(), &self.copy())
    }

    fn spoil(&self, place: usize) {
        let file = OpenOptions::new().write(true).open(self.copy()).unwrap();
        file.write_all_at(b"?", at(place) + HEAD as u64).unwrap();
    }
}

fn named(name: &str) -> String {
    format!("schema = 1\n[device]\nname = \"{name}\"\n")
}

#[test]
fn a_copy_is_written_when_the_settings_change_and_only_then() {
    let this = Box::new();
    assert_eq!(this.keep(), BackedUp::Nothing);
    for (text, kept) in [
        ("a", BackedUp::Written { sequence: 1 }),
        ("a", BackedUp::Same),
        ("b", BackedUp::Written { sequence: 2 }),
        ("a", BackedUp::Written { sequence: 3 }),
    ] {
        this.write(&named(text));
        assert_eq!(this.keep(), kept);
    }
}

#[test]
fn lost_settings_come_back_with_the_mode_of_a_secret() {
    let this = Box::new();
    this.write(&named("a"));
    this.keep();
    this.write(&named("b"));
    this.keep();
    for (lose, word) in
        [(None, "missing"), (Some(""), "empty"), (Some(" \n"), "empty"), (Some("schema = 1\nx"), "not valid")]
    {
        match lose {
            None => std::fs::remove_dir_all(this.settings().parent().unwrap()).unwrap(),
            Some(text) => this.write(text),
        }
        let Ok(Restored::Back { fault, sequence: 2 }) = this.restore() else { panic!("{word}") };
        assert!(fault.to_string().starts_with(word), "{fault}");
        assert_eq!(this.text(), named("b"));
        assert_eq!(this.settings().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(this.restore().unwrap(), Restored::Fine);
}

#[test]
fn a_broken_copy_is_passed_over_and_written_next() {
    let this = Box::new();
    for name in ["a", "b"] {
        this.write(&named(name));
        this.keep();
    }
    this.spoil(1);
    std::fs::remove_file(this.settings()).unwrap();
    assert!(matches!(this.restore(), Ok(Restored::Back { sequence: 1, .. })));
    assert_eq!(this.text(), named("a"));
    this.write(&named("c"));
    assert_eq!(this.keep(), BackedUp::Written { sequence: 2 });
    this.spoil(0);
    std::fs::remove_file(this.settings()).unwrap();
    this.restore().unwrap();
    assert_eq!(this.text(), named("c"));
}

#[test]
fn a_copy_that_is_whole_but_not_valid_is_not_put_back() {
    let this = Box::new();
    this.write(&named("a"));
    this.keep();
    let newer = BackupRecord { sequence: 9, payload: b"schema = 2\n".to_vec() };
    let copy = this.copy();
    let partition = Partition::open(&copy, OpenOptions::new().read(true).write(true)).unwrap();
    partition.write(1, &newer).unwrap();
    std::fs::remove_file(this.settings()).unwrap();
    assert!(matches!(this.restore(), Ok(Restored::Back { sequence: 1, .. })));
    assert_eq!(this.text(), named("a"));
}

#[test]
fn a_box_that_was_never_provisioned_is_left_alone() {
    let this = Box::new();
    assert_eq!(this.restore().unwrap(), Restored::NeverProvisioned);
    assert!(!this.settings().exists());
}

#[test]
fn when_both_are_bad_the_owner_is_told_what_to_do_and_nothing_is_touched() {
    let this = Box::new();
    this.write("schema = 1\nx");
    let told = this.restore().unwrap_err().to_string();
    assert!(told.contains("not valid (line 2") && told.contains("not there"), "{told}");
    this.write(&named("a"));
    this.keep();
    this.spoil(0);
    this.write("");
    let told = this.restore().unwrap_err().to_string();
    assert!(told.contains("are empty") && told.contains("damaged") && told.contains("stick"), "{told}");
    assert_eq!(this.text(), "");
    std::fs::remove_file(this.settings()).unwrap();
    assert!(this.restore().is_err(), "there was a copy, so it was provisioned");
}

#[test]
fn settings_that_are_not_valid_never_replace_a_copy() {
    let this = Box::new();
    this.write(&named("a"));
    this.keep();
    this.write("schema = 1\nx");
    assert!(matches!(back_up_settings(&this.settings(), &this.copy()), Err(BackUpError::Settings(_))));
    std::fs::remove_file(this.settings()).unwrap();
    this.restore().unwrap();
    assert_eq!(this.text(), named("a"));
}

#[test]
fn a_partition_that_is_missing_or_small_is_named() {
    let this = Box::new();
    this.write(&named("a"));
    File::create(this.copy()).unwrap().set_len(SMALLEST - 1).unwrap();
    let error = back_up_settings(&this.settings(), &this.copy()).unwrap_err();
    assert!(matches!(error, BackUpError::Copy(BackupError::TooSmall { .. })), "{error}");
    std::fs::remove_file(this.copy()).unwrap();
    let error = back_up_settings(&this.settings(), &this.copy()).unwrap_err();
    assert!(error.to_string().contains("env"), "{error}");
    assert_eq!(this.restore().unwrap(), Restored::Fine, "good settings need no copy");
    this.write("");
    assert!(matches!(this.restore(), Err(RestoreError::Copy { .. })));
}

#[test]
fn the_environment_of_the_boot_loader_is_not_touched() {
    let this = Box::new();
    let file = OpenOptions::new().write(true).open(this.copy()).unwrap();
    let before = vec![0xA5; 1 << 20];
    file.write_all_at(&before, 0).unwrap();
    for name in ["a", "b", "c"] {
        this.write(&named(name));
        this.keep();
    }
    let after = std::fs::read(this.copy()).unwrap();
    assert!(after[..before.len()] == before[..]);
    assert_eq!(after.len(), 4 << 20);
}
