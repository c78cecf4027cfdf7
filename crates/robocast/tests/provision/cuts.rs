//! The power fails, or the stick is pulled: at every system call that writes. The settings are either the old or the
//! new ones, whole.

use crate::owners_box::{NEW, OLD, OwnersBox, Ran, able};
use crate::sticks::{Form, file, stick};
use crate::tracer::{End, run};
use robocast_stick::{OwnerKey, seal_document};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

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

/// Whether the program came to its end before a call.
enum Came {
    ToItsEnd,
    /// And the outcome.
    ToTheCall(bool),
}

/// Interrupts at every call, from the first one until the program ends before it is reached; several in parallel, since
/// each has its own box and mostly waits for the kernel. Returns how often the settings were the old ones, and the new
/// ones.
fn each_call(does: impl Fn(usize) -> Came + Sync) -> [usize; 2] {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ends = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    match does(next.fetch_add(1, Relaxed)) {
                        Came::ToItsEnd => over.store(true, Relaxed),
                        Came::ToTheCall(new) => drop(ends[usize::from(new)].fetch_add(1, Relaxed)),
                    }
                }
            });
        }
    });
    ends.map(AtomicUsize::into_inner)
}

fn killed_at_every_call_that_writes(form: Form) {
    if !able() || !form.opens() {
        return;
    }
    let owner = OwnerKey::generate();
    let ends = each_call(|nth| {
        let (this, stick) = scene(form, &owner);
        let what = format!("{form:?}, call {nth}");
        match run(this.provision(&stick), nth, &|| false) {
            End::Killed => {}
            End::Itself(code) => {
                assert_eq!(code, 4, "{what}");
                return Came::ToItsEnd;
            }
            End::Later(code) => panic!("{what}: outlived its death with {code}"),
        }
        let new = whole(&this, &what);
        assert!(!new || serial_taken(&this), "{what}: an older file would be taken now");
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
        Came::ToTheCall(new)
    });
    eprintln!("{form:?}: killed with the old settings {} times, with the new ones {}", ends[0], ends[1]);
    assert!(ends.iter().all(|&count| count > 0), "{ends:?}");
}

#[test]
fn killed_at_every_call_that_writes_to_a_folder() {
    killed_at_every_call_that_writes(Form::Folder);
}

#[test]
fn killed_at_every_call_that_writes_to_ext4() {
    killed_at_every_call_that_writes(Form::Ext4);
}

#[test]
fn killed_at_every_call_that_writes_to_fat() {
    killed_at_every_call_that_writes(Form::Fat);
}

#[test]
fn put_in_again_without_a_boot_between() {
    if !able() {
        return;
    }
    let owner = OwnerKey::generate();
    each_call(|nth| {
        let (this, stick) = scene(Form::Folder, &owner);
        if run(this.provision(&stick), nth, &|| false) != End::Killed {
            return Came::ToItsEnd;
        }
        let again = this.run(&stick);
        assert_eq!(again.code, Some(4), "call {nth}: {again:?}");
        this.at_peace("again", &again);
        let new = whole(&this, "again");
        assert!(new && serial_taken(&this), "call {nth}");
        Came::ToTheCall(new)
    });
}

#[test]
fn pulled_out_at_every_call_that_writes() {
    if !able() {
        return;
    }
    let owner = OwnerKey::generate();
    let mut ends = [0, 0];
    for form in [Form::Ext4, Form::Fat].into_iter().filter(|form| form.opens()) {
        let of_form = each_call(|nth| {
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
                    return Came::ToItsEnd;
                }
                End::Killed => panic!("{what}: killed"),
            };
            let new = whole(&this, &what);
            assert_eq!(code, if new { 4 } else { 1 }, "{what}: the exit code does not fit the settings");
            this.at_peace(&what, &nothing_told());
            assert_eq!(serial_taken(&this), new, "{what}");
            assert!(this.receipt().is_some(), "{what}: the box has no receipt");
            Came::ToTheCall(new)
        });
        ends = [ends[0] + of_form[0], ends[1] + of_form[1]];
    }
    eprintln!("pulled out with the old settings {} times, with the new ones {}", ends[0], ends[1]);
    assert!(ends.iter().all(|&count| count > 0), "{ends:?}");
}
