//! Names in every case and encoding.

use crate::owners_box::{NEW, OLD, OwnersBox, Ran, able};
use crate::sticks::{Expect, FORMS, Form, corpus, expect, file, stick};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const KEPT: Expect<'static> = Expect { code: 4, told: "KEPT", settings: NEW, receipt: true };
/// Nothing for a box: no receipt is left on somebody's holiday pictures.
const NOT_OURS: Expect<'static> =
    Expect { code: 1, told: "there is no `robocast.toml`", settings: OLD, receipt: false };
const MEANT: Expect<'static> =
    Expect { code: 1, told: "name it `robocast.toml`", settings: OLD, receipt: true };
const UNIX: &[Form] = &[Form::Folder, Form::Ext4];

#[test]
fn names() {
    let named = |name: &'static [u8]| move |folder: &Path| file(folder, OsStr::from_bytes(name), NEW);
    let both = |a: &'static str, b: &'static str| {
        move |folder: &Path| {
            file(folder, a, NEW);
            file(folder, b, "not settings");
        }
    };
    corpus(&[
        ("lower case", &FORMS, &named(b"robocast.toml"), KEPT),
        ("upper case", &FORMS, &named(b"ROBOCAST.TOML"), KEPT),
        ("title case", &FORMS, &named(b"Robocast.Toml"), KEPT),
        ("mixed case", &FORMS, &named(b"rObOcAsT.tOmL"), KEPT),
        ("a hidden ending", &FORMS, &named(b"robocast.toml.txt"), MEANT),
        ("another sign", &FORMS, &named(b"robocast_toml"), MEANT),
        ("a space at the end", UNIX, &named(b"robocast.toml "), MEANT),
        ("a line's end in it", UNIX, &named(b"robocast.toml\n"), MEANT),
        ("an ending too short", &FORMS, &named(b"robocast.tom"), NOT_OURS),
        ("fullwidth", UNIX, &named("\u{ff52}\u{ff4f}bocast.toml".as_bytes()), NOT_OURS),
        ("a long s", UNIX, &named("roboca\u{17f}t.toml".as_bytes()), NOT_OURS),
        ("Cyrillic", UNIX, &named("r\u{43e}bocast.toml".as_bytes()), NOT_OURS),
        ("Latin 1", UNIX, &named(b"robocast\xe9.toml"), MEANT),
        ("the second file of a Mac alone", &FORMS, &named(b"._robocast.toml"), NOT_OURS),
        ("the second file of a Mac", &FORMS, &both("robocast.toml", "._robocast.toml"), KEPT),
        (
            "two that differ in case",
            UNIX,
            &both("robocast.toml", "RoboCast.toml"),
            Expect { code: 1, told: "there are several robocast.toml", settings: OLD, receipt: true },
        ),
        (
            "two signatures that differ in case",
            UNIX,
            &|folder: &Path| {
                file(folder, "robocast.toml", NEW);
                file(folder, "robocast.toml.sig", "a");
                file(folder, "robocast.toml.SIG", "b");
            },
            Expect { code: 1, told: "there are several robocast.toml.sig", settings: OLD, receipt: true },
        ),
        ("below the top folder", &FORMS, &named(b"robocast/robocast.toml"), NOT_OURS),
        ("pictures", &FORMS, &named(b"DCIM/1.JPG"), NOT_OURS),
        ("nothing", &FORMS, &|_: &Path| {}, NOT_OURS),
    ]);
}

#[test]
fn too_many_names() {
    if !able() {
        return;
    }
    let this = OwnersBox::new();
    let stick = stick(&this, Form::Folder, &|folder| {
        file(folder, "robocast.toml", NEW);
        (0..10_000).for_each(|number| file(folder, number.to_string(), ""));
    });
    let wanted = Expect { code: 1, told: "more than 10000 files", settings: OLD, receipt: true };
    expect("too many names", &this, &stick, Form::Folder, wanted);
}

#[test]
fn a_path_that_is_no_stick() {
    let this = OwnersBox::new();
    let pipe = this.beside("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, told) in
        [(this.beside("nothing"), "No such file"), (pipe, "is no stick"), ("/dev/null".into(), "is no stick")]
    {
        let ran: Ran = this.run(&path);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.told.contains(told), "{}", ran.told);
        this.at_peace(told, &ran);
        assert_eq!(this.settings(), OLD);
    }
}
