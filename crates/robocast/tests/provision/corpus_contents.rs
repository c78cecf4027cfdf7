//! What a settings file may hold, and must not.

use crate::owners_box::{NEW, OLD, OwnersBox, able};
use crate::sticks::{Expect, FORMS, Form, corpus, expect, file, read, stick};
use robocast_stick::{BoxKey, seal, seal_document};
use std::fs::File;
use std::path::Path;

const fn refused(told: &str) -> Expect<'_> {
    Expect { code: 1, told, settings: OLD, receipt: true }
}

/// NEW up to a size, in bytes, by a comment.
fn padded(size: usize) -> String {
    format!("{NEW}#{}\n", "x".repeat(size - NEW.len() - 2))
}

#[test]
fn contents() {
    let of = |bytes: Vec<u8>| move |folder: &Path| file(folder, "robocast.toml", &bytes);
    let text = |text: &str| of(text.as_bytes().to_vec());
    let largest: &'static str = padded(256 * 1024).leak();
    let windows: &'static str = format!("\u{feff}{}", NEW.replace('\n', "\r\n")).leak();
    let kept = |settings| Expect { code: 4, told: "KEPT", settings, receipt: true };
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(NEW.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let noise: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    corpus(&[
        ("0 bytes", &FORMS, &text(""), refused("validate")),
        ("blanks", &FORMS, &text(" \n\n"), refused("validate")),
        ("the largest", &FORMS, &text(largest), kept(largest)),
        ("one byte more", &FORMS, &text(&padded(256 * 1024 + 1)), refused("has 262145 bytes")),
        ("10 MB", &FORMS, &of(vec![b'['; 10_000_000]), refused("has 10000000 bytes")),
        ("of Windows", &FORMS, &text(windows), kept(windows)),
        ("UTF-16", &FORMS, &of(utf16), refused("validate")),
        (
            "Latin 1",
            &FORMS,
            &of(NEW.replace("Lab", "L\u{e9}b").chars().map(|c| c as u8).collect()),
            refused("UTF-8"),
        ),
        ("zeros", &FORMS, &of(vec![0; 4096]), refused("validate")),
        ("noise", &FORMS, &of(noise), refused("validate")),
        ("brackets", &FORMS, &of(vec![b'['; 250_000]), refused("validate")),
        ("half of it", &FORMS, &text(&NEW[..NEW.len() / 2]), refused("validate")),
        ("a later schema", &FORMS, &text(&NEW.replace("schema = 1", "schema = 2")), refused("newer")),
        ("an unknown key", &FORMS, &text(&NEW.replace("country", "contry")), refused("line 8, column 1")),
        (
            "a secret of the wrong kind",
            &FORMS,
            &text(&NEW.replace("\"page-secret-4711\"", "[\"page-secret-4711\"]")),
            refused("validate"),
        ),
        (
            "a secret that ends nowhere",
            &FORMS,
            &text(&NEW.replace("4711\"\n", "4711\n")),
            refused("validate"),
        ),
    ]);
}

#[test]
fn a_gigabyte_of_nothing() {
    if !able() {
        return;
    }
    for form in [Form::Folder, Form::Ext4] {
        let this = OwnersBox::new();
        let stick = stick(&this, form, &|folder| {
            File::create(folder.join("robocast.toml")).unwrap().set_len(1 << 30).unwrap();
        });
        expect("1 GB", &this, &stick, form, refused("has 1073741824 bytes"));
    }
}

#[test]
fn sealed_values() {
    if !able() {
        return;
    }
    let other = BoxKey::generate();
    for form in FORMS {
        let this = OwnersBox::new();
        let to = |key: &BoxKey| seal_document(NEW, &key.recipient()).unwrap();
        let cut = |text: String| {
            let at = text.find("sealed = \"").unwrap() + 40;
            let end = at + text[at..].find('"').unwrap();
            format!("{}{}", &text[..at], &text[end..])
        };
        let evil = seal(&this.key.recipient(), "x\"\n[debug]\nssh = true\n\"");
        let injected = NEW.replace("\"page-secret-4711\"", &format!("{{ sealed = \"{evil}\" }}"));
        for (what, text, wanted) in [
            ("sealed to another box", to(&other), refused("sealed to another box")),
            (
                "a seal that is damaged",
                to(&this.key).replace("sealed = \"YWdl", "sealed = \"YWdm"),
                refused("damaged"),
            ),
            ("a seal that is cut", cut(to(&this.key)), refused("damaged")),
            ("no base64", NEW.replace("\"page-secret-4711\"", "{ sealed = \"???\" }"), refused("damaged")),
            (
                "sealed to this box",
                to(&this.key),
                Expect { code: 4, told: "sealed values opened: 2", settings: NEW, receipt: true },
            ),
        ] {
            let stick = stick(&this, form, &|folder| file(folder, "robocast.toml", &text));
            expect(what, &this, &stick, form, wanted);
        }
        if form.opens() {
            // A sealed text is a value, whatever it holds: it never becomes lines of the settings.
            let stick = stick(&this, form, &|folder| file(folder, "robocast.toml", &injected));
            this.run(&stick);
            let checked = robocast_config::parse(this.settings().as_bytes()).unwrap();
            assert!(!checked.settings.debug.ssh);
        }
    }
}

#[test]
fn the_same_file_twice_and_the_receipts_of_both() {
    if !able() {
        return;
    }
    for form in FORMS.into_iter().filter(|form| form.opens()) {
        let this = OwnersBox::new();
        let stick = stick(&this, form, &|folder| file(folder, "robocast.toml", NEW));
        let kept = Expect { code: 4, told: "the new settings are in force", settings: NEW, receipt: true };
        expect("once", &this, &stick, form, kept);
        let first = read(&stick, form, "robocast-receipt.json").unwrap();
        expect("twice", &this, &stick, form, Expect { told: "already in force", ..kept });
        let time = robocast_stick::Receipt::parse(&first).unwrap().time.replace(':', "-");
        let older = read(&stick, form, &format!("robocast-receipts/{time}.json"));
        assert_eq!(older, Some(first), "{form:?}");
        assert_eq!(read(&stick, form, "robocast.toml").unwrap(), NEW.as_bytes());
    }
}
