//! The power goes, or the stick is pulled: at every system call that writes. The settings are the old or the new ones, whole.

use crate::owners_box::{NEW, OLD, OwnersBox, Ran, able};
use crate::sticks::{FORMS, Form, file, stick};
use crate::tracer::{End, run};
use robocast_stick::{OwnerKey, seal_document};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// A box with an owner, and a stick with signed settings, in which secrets are sealed.
fn scene(form: Form, owner: &OwnerKey) -> (OwnersBox, PathBuf) {
    let this = OwnersBox::new();
    file(&this.state(""), "owner.json", format!("{{\"key\": \"{}\"}}", owner.public()));
    let sealed = seal_document(NEW, &this.key.recipient()).unwrap();
    let stick = stick(&this, form, &|folder| {
        file(folder, "robocast.toml", &sealed);
        file(folder, "robocast.toml.sig", owner.sign("robocast.toml", sealed.as_bytes(), 7));
        file(folder, "robocast-receipt.json", "{}");
    });
    (this, stick)
}

/// The settings are old or new, and whole.
fn whole(this: &OwnersBox, what: &str) -> bool {
    let settings = this.settings();
    assert!([OLD, NEW].contains(&settings.as_str()), "{what}: neither old nor new: {settings:?}");
    settings == NEW
}

fn serial_taken(this: &OwnersBox) -> bool {
    std::fs::read_to_string(this.state("owner.json")).unwrap().contains("\"serial\": 7")
}

fn nothing_told() -> Ran {
    Ran { code: None, told: String::new() }
}

#[test]
fn killed_at_every_call_that_writes() {
    if !able() {
        return;
    }
    let owner = OwnerKey::generate();
    for form in FORMS.into_iter().filter(|form| form.opens()) {
        let mut ends = BTreeMap::new();
        for nth in 0.. {
            let (this, stick) = scene(form, &owner);
            let what = format!("{form:?}, call {nth}");
            match run(this.provision(&stick), nth, &|| false) {
                End::Killed => {}
                End::Itself(code) => {
                    assert_eq!(code, 4, "{what}");
                    break;
                }
                End::Later(code) => panic!("{what}: outlived its death with {code}"),
            }
            let new = whole(&this, &what);
            assert!(!new || serial_taken(&this), "{what}: an older file would be taken now");
            *ends.entry(new).or_insert(0) += 1;
            // The next boot.
            let resumed = this.run(Path::new("--resume"));
            assert!([Some(0), Some(4)].contains(&resumed.code), "{what}: {resumed:?}");
            this.at_peace(&what, &resumed);
            assert_eq!(whole(&this, &what), new, "{what}: the boot changed the settings");
            // The stick is still in, or put in again.
            let again = this.run(&stick);
            assert_eq!(again.code, Some(4), "{what}: {again:?}");
            this.at_peace(&what, &again);
            assert!(whole(&this, &what) && serial_taken(&this), "{what}");
        }
        eprintln!(
            "{form:?}: killed with the old settings {:?} times, with the new ones {:?}",
            ends.get(&false),
            ends.get(&true)
        );
        assert!(ends.len() == 2, "{ends:?}");
    }
}

#[test]
fn put_in_again_without_a_boot_between() {
    if !able() {
        return;
    }
    let owner = OwnerKey::generate();
    for nth in 0.. {
        let (this, stick) = scene(Form::Folder, &owner);
        if run(this.provision(&stick), nth, &|| false) != End::Killed {
            break;
        }
        let again = this.run(&stick);
        assert_eq!(again.code, Some(4), "call {nth}: {again:?}");
        this.at_peace("again", &again);
        assert!(whole(&this, "again") && serial_taken(&this), "call {nth}");
    }
}

#[test]
fn pulled_out_at_every_call_that_writes() {
    if !able() {
        return;
    }
    let owner = OwnerKey::generate();
    let mut ends = BTreeMap::new();
    for form in [Form::Ext4, Form::Fat].into_iter().filter(|form| form.opens()) {
        for nth in 0.. {
            let (this, stick) = scene(form, &owner);
            let what = format!("{form:?}, call {nth}");
            let pull = || {
                OpenOptions::new().write(true).open(&stick).unwrap().set_len(0).unwrap();
                true
            };
            let code = match run(this.provision(&stick), nth, &pull) {
                End::Later(code) => code,
                End::Itself(code) => {
                    assert_eq!(code, 4);
                    break;
                }
                End::Killed => panic!("{what}: killed"),
            };
            let new = whole(&this, &what);
            assert_eq!(code, if new { 4 } else { 1 }, "{what}: the exit code does not fit the settings");
            this.at_peace(&what, &nothing_told());
            assert_eq!(serial_taken(&this), new, "{what}");
            assert!(this.receipt().is_some(), "{what}: the box has no receipt");
            *ends.entry(new).or_insert(0) += 1;
        }
    }
    eprintln!(
        "pulled out with the old settings {:?} times, with the new ones {:?}",
        ends.get(&false),
        ends.get(&true)
    );
    assert!(ends.len() == 2, "{ends:?}");
}
