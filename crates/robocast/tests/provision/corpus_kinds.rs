//! Files of other kinds under the names that matter, and the other things that a stick may bring.

use crate::owners_box::{NEW, OLD, OwnersBox, able};
use crate::sticks::{Expect, FORMS, Fill, Form, corpus, expect, file, stick};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::os::unix::fs::symlink;
use std::path::Path;

const UNIX: &[Form] = &[Form::Folder, Form::Ext4];
const KEPT: Expect<'static> = Expect { code: 4, told: "KEPT", settings: NEW, receipt: true };

const fn refused(told: &str) -> Expect<'_> {
    Expect { code: 1, told, settings: OLD, receipt: true }
}

fn node(folder: &Path, name: &str, kind: SFlag, number: (u64, u64)) {
    mknod(&folder.join(name), kind, Mode::S_IRWXU, makedev(number.0, number.1)).unwrap();
}

#[test]
fn kinds() {
    const NAME: &str = "robocast.toml";
    corpus(&[
        ("a folder", &FORMS, &|f: &Path| file(f, "robocast.toml/robocast.toml", NEW), refused("is a folder")),
        ("a link out", UNIX, &|f: &Path| symlink("/etc/passwd", f.join(NAME)).unwrap(), refused("is a link")),
        (
            "a link to the old settings",
            UNIX,
            &|f: &Path| symlink("../state/settings.toml", f.join(NAME)).unwrap(),
            refused("is a link"),
        ),
        (
            "a link within",
            UNIX,
            &|f: &Path| {
                file(f, "real.toml", NEW);
                symlink("real.toml", f.join(NAME)).unwrap();
            },
            refused("is a link"),
        ),
        (
            "a link to nothing",
            UNIX,
            &|f: &Path| symlink("nothing", f.join(NAME)).unwrap(),
            refused("is a link"),
        ),
        ("a link to itself", UNIX, &|f: &Path| symlink(NAME, f.join(NAME)).unwrap(), refused("is a link")),
        (
            "a link in the memory of the program",
            UNIX,
            &|f: &Path| symlink("/proc/self/environ", f.join(NAME)).unwrap(),
            refused("is a link"),
        ),
        ("a pipe", UNIX, &|f: &Path| node(f, NAME, SFlag::S_IFIFO, (0, 0)), refused("is a pipe")),
        (
            "a device that never ends",
            UNIX,
            &|f: &Path| node(f, NAME, SFlag::S_IFCHR, (1, 5)),
            refused("is a device"),
        ),
        (
            "the memory of the machine",
            UNIX,
            &|f: &Path| node(f, NAME, SFlag::S_IFCHR, (1, 1)),
            refused("is a device"),
        ),
        ("a disk", UNIX, &|f: &Path| node(f, NAME, SFlag::S_IFBLK, (7, 0)), refused("is a device")),
        (
            "a key that is a link",
            UNIX,
            &|f: &Path| {
                file(f, NAME, NEW);
                symlink("/etc/passwd", f.join("robocast-owner.pub")).unwrap();
            },
            refused("is a link"),
        ),
    ]);
}

#[test]
fn what_else_a_stick_brings() {
    let with = |name: &'static str, bytes: &'static str| {
        move |folder: &Path| {
            file(folder, "robocast.toml", NEW);
            file(folder, name, bytes);
        }
    };
    corpus(&[
        (
            "SSH keys, and SSH is off",
            &FORMS,
            &with("authorized_keys", "ssh-ed25519 AAAA"),
            Expect { told: "SSH is off", ..KEPT },
        ),
        (
            "large SSH keys",
            &FORMS,
            &with("authorized_keys", "x".repeat(16_385).leak()),
            refused("has 16385 bytes"),
        ),
        ("an update", &FORMS, &with("robocast-1.RAUCB", "hsqs"), Expect { told: "update", ..KEPT }),
        ("an update that is a folder", &FORMS, &with("a.raucb/x", ""), refused("is a folder")),
        (
            "two updates",
            &FORMS,
            &|f: &Path| {
                file(f, "a.raucb", "");
                file(f, "B.RAUCB", "");
            },
            refused("several *.raucb"),
        ),
        ("a wish for support", &FORMS, &with("robocast-support", ""), Expect { told: "support", ..KEPT }),
        (
            "a wish for support alone",
            &FORMS,
            &|f: &Path| file(f, "ROBOCAST-SUPPORT", ""),
            Expect { told: "support", settings: OLD, ..KEPT },
        ),
    ]);
}

#[test]
fn old_receipts_that_are_not_what_they_seem() {
    if !able() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    file(outside.path(), "victim", "untouched");
    let fills: [(&str, Fill<'_>); 3] = [
        ("links", &|f: &Path| {
            for name in
                ["robocast-receipt.txt", "robocast-receipt.json", "robocast-receipt.svg", "robocast-receipts"]
            {
                symlink(&victim, f.join(name)).unwrap();
            }
        }),
        ("links beside", &|f: &Path| {
            for name in [".robocast-receipt.txt.new", ".robocast-receipt.json.new"] {
                symlink(&victim, f.join(name)).unwrap();
            }
        }),
        ("one with a strange date", &|f: &Path| {
            let text = r#"{"schema":1,"device":"","hardware":"","board":"","version":"","public_key":"","owner":null,"time":"../../../x","outcome":"kept","steps":[]}"#;
            file(f, "robocast-receipt.json", text);
        }),
    ];
    for (what, fill) in fills {
        for form in UNIX {
            let this = OwnersBox::new();
            let stick = stick(&this, *form, &|folder| {
                file(folder, "robocast.toml", NEW);
                fill(folder);
            });
            expect(what, &this, &stick, *form, KEPT);
            assert_eq!(std::fs::read(&victim).unwrap(), b"untouched", "{what}");
        }
    }
}
