//! Who owns the box: signatures, replays, and changes of the owner's key.

use crate::owners_box::{NEW, OLD, OwnersBox, able};
use crate::sticks::{Expect, FORMS, expect, file, stick};
use robocast_stick::OwnerKey;
use std::path::Path;

const PUB: &str = "robocast-owner.pub";

struct Keys {
    owner: OwnerKey,
    next: OwnerKey,
    stranger: OwnerKey,
}

fn line(key: &OwnerKey) -> String {
    format!("{}\n", key.public())
}

/// Settings that differ from [`NEW`] and from one another.
fn other(word: &str) -> String {
    format!("{NEW}# {word}\n")
}

/// A stick with settings and, if wanted, a signature.
fn settings(folder: &Path, text: &str, signature: Option<String>) {
    file(folder, "robocast.toml", text);
    if let Some(signature) = signature {
        file(folder, "robocast.toml.sig", signature);
    }
}

/// The case, the contents of the stick, and the result: taken, or refused.
type Chapter<'c> = (&'c str, &'c dyn Fn(&Keys, &Path), Result<&'c str, &'c str>);

/// Runs a story: sticks one after the other, on one box, each with its result, and the settings after it.
fn story(sticks: &[Chapter<'_>]) {
    if !able() {
        return;
    }
    for form in FORMS.into_iter().filter(|form| form.opens()) {
        let this = OwnersBox::new();
        let keys =
            Keys { owner: OwnerKey::generate(), next: OwnerKey::generate(), stranger: OwnerKey::generate() };
        let mut in_force = OLD.to_owned();
        for (what, fill, wanted) in sticks {
            let stick = stick(&this, form, &|folder| fill(&keys, folder));
            let before = std::fs::read(this.state("owner.json")).ok();
            let (code, told) = match wanted {
                Ok(told) => (4, told),
                Err(told) => (1, told),
            };
            if let (Ok(_), Ok(text)) = (wanted, std::fs::read_to_string(this.beside("content/robocast.toml")))
            {
                in_force = text;
            }
            expect(what, &this, &stick, form, Expect { code, told, settings: &in_force, receipt: true });
            if wanted.is_err() {
                assert_eq!(std::fs::read(this.state("owner.json")).ok(), before, "{what}: the owner changed");
            }
        }
    }
}

#[test]
fn a_box_obeys_its_owner() {
    story(&[
        ("anybody's", &|_, f| settings(f, NEW, None), Ok("anybody's settings")),
        ("a key that is none", &|_, f| file(f, PUB, "ssh-ed25519 AAAA"), Err("holds no owner's public key")),
        (
            "a key, and settings not signed",
            &|k, f| {
                file(f, PUB, line(&k.owner));
                settings(f, NEW, None);
            },
            Err("is not signed"),
        ),
        (
            "a key, and settings of another",
            &|k, f| {
                file(f, PUB, line(&k.owner));
                settings(f, NEW, Some(k.stranger.sign("robocast.toml", NEW.as_bytes(), 5)));
            },
            Err("another key"),
        ),
        (
            "a key, and its settings",
            &|k, f| {
                file(f, "RoboCast-Owner.PUB", line(&k.owner));
                settings(f, NEW, Some(k.owner.sign("robocast.toml", NEW.as_bytes(), 5)));
            },
            Ok("has an owner now"),
        ),
        (
            "the same again",
            &|k, f| settings(f, NEW, Some(k.owner.sign("robocast.toml", NEW.as_bytes(), 5))),
            Ok("signed by the owner"),
        ),
        ("not signed", &|_, f| settings(f, &other("a"), None), Err("is not signed")),
        ("an empty signature", &|_, f| settings(f, &other("a"), Some(String::new())), Err("no signature")),
        (
            "a large signature",
            &|_, f| settings(f, &other("a"), Some("x".repeat(5000))),
            Err("has 5000 bytes"),
        ),
        (
            "a signature that is a folder",
            &|_, f| {
                settings(f, &other("a"), None);
                file(f, "robocast.toml.sig/x", "");
            },
            Err("is a folder"),
        ),
        (
            "a stranger's",
            &|k, f| {
                settings(f, &other("a"), Some(k.stranger.sign("robocast.toml", other("a").as_bytes(), 9)));
            },
            Err("another key"),
        ),
        (
            "changed after it was signed",
            &|k, f| settings(f, &other("b"), Some(k.owner.sign("robocast.toml", other("a").as_bytes(), 9))),
            Err("does not fit"),
        ),
        (
            "signed under another name",
            &|k, f| settings(f, &other("a"), Some(k.owner.sign(PUB, other("a").as_bytes(), 9))),
            Err("does not fit"),
        ),
        (
            "a serial that was changed",
            &|k, f| {
                let signed = k.owner.sign("robocast.toml", other("a").as_bytes(), 4);
                settings(f, &other("a"), Some(signed.replace("serial: 4", "serial: 9")));
            },
            Err("does not fit"),
        ),
        (
            "an older one",
            &|k, f| settings(f, &other("a"), Some(k.owner.sign("robocast.toml", other("a").as_bytes(), 4))),
            Err("signed before"),
        ),
        (
            "another one of the same serial",
            &|k, f| settings(f, &other("a"), Some(k.owner.sign("robocast.toml", other("a").as_bytes(), 5))),
            Err("the same serial"),
        ),
        (
            "a newer one",
            &|k, f| settings(f, &other("a"), Some(k.owner.sign("robocast.toml", other("a").as_bytes(), 6))),
            Ok("signed by the owner"),
        ),
        (
            "the one before again",
            &|k, f| settings(f, NEW, Some(k.owner.sign("robocast.toml", NEW.as_bytes(), 5))),
            Err("signed before"),
        ),
        (
            "signed, but not valid",
            &|k, f| {
                settings(
                    f,
                    "schema = 1\nx = 1\n",
                    Some(k.owner.sign("robocast.toml", b"schema = 1\nx = 1\n", 99)),
                );
            },
            Err("validate"),
        ),
        (
            "what was refused moved no serial",
            &|k, f| settings(f, &other("b"), Some(k.owner.sign("robocast.toml", other("b").as_bytes(), 7))),
            Ok("signed by the owner"),
        ),
    ]);
}

#[test]
fn an_owners_key_changes_hands_only_by_its_owner() {
    let rotation = |k: &Keys, f: &Path, signer: &OwnerKey, serial| {
        file(f, PUB, line(&k.next));
        file(f, "robocast-owner.pub.sig", signer.sign(PUB, line(&k.next).as_bytes(), serial));
    };
    story(&[
        ("a key alone", &|k, f| file(f, PUB, line(&k.owner)), Ok("has an owner now")),
        ("another key", &|k, f| file(f, PUB, line(&k.stranger)), Err("the box has an owner")),
        ("another key that signed itself", &|k, f| rotation(k, f, &k.next, 5), Err("another key")),
        ("another key that a stranger signed", &|k, f| rotation(k, f, &k.stranger, 5), Err("another key")),
        (
            "a new key, and settings by the old one",
            &|k, f| {
                rotation(k, f, &k.owner, 5);
                settings(f, NEW, Some(k.owner.sign("robocast.toml", NEW.as_bytes(), 6)));
            },
            Err("another key"),
        ),
        (
            "a new key, and settings by it",
            &|k, f| {
                rotation(k, f, &k.owner, 5);
                settings(f, NEW, Some(k.next.sign("robocast.toml", NEW.as_bytes(), 6)));
            },
            Ok("the owner's key has changed"),
        ),
        (
            "the old key",
            &|k, f| settings(f, &other("a"), Some(k.owner.sign("robocast.toml", other("a").as_bytes(), 9))),
            Err("another key"),
        ),
        ("the old key wants back", &|k, f| file(f, PUB, line(&k.owner)), Err("the box has an owner")),
        ("the new key again", &|k, f| rotation(k, f, &k.owner, 5), Ok("the owner is")),
    ]);
}

#[test]
fn an_owner_that_cannot_be_read_is_not_taken_for_none() {
    if !able() {
        return;
    }
    for (what, damaged) in [("empty", ""), ("cut", "{\"key\": \"ed25519:"), ("of another form", "[]")] {
        for form in FORMS {
            let this = OwnersBox::new();
            file(&this.state(""), "owner.json", damaged);
            let stick = stick(&this, form, &|folder| settings(folder, NEW, None));
            let wanted = Expect { code: 1, told: "cannot tell who owns it", settings: OLD, receipt: true };
            expect(what, &this, &stick, form, wanted);
        }
    }
}
