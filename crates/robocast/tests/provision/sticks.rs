//! Makes sticks, and reads their contents afterwards.

use crate::owners_box::{NEW, OLD, OwnersBox, SECRETS, command, kernel_has, must, put};
use robocast_stick::Receipt;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How a stick is formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Folder,
    Ext4,
    Fat,
}

/// All of them.
pub const FORMS: [Form; 3] = [Form::Folder, Form::Ext4, Form::Fat];

impl Form {
    /// Whether this machine can open it. FAT needs a kernel that has it.
    pub fn opens(self) -> bool {
        self != Self::Fat || kernel_has("vfat")
    }
}

/// The contents of a stick: made in a folder first.
pub type Fill<'f> = &'f dyn Fn(&Path);

/// A stick with these files.
pub fn stick(this: &OwnersBox, form: Form, fill: Fill<'_>) -> PathBuf {
    let content = this.beside("content");
    let _ = std::fs::remove_dir_all(&content);
    std::fs::create_dir(&content).unwrap();
    fill(&content);
    match form {
        Form::Folder => content,
        Form::Ext4 => ext4(this, "stick.img", &content, "24M"),
        Form::Fat => fat(this, "stick.img", &content, 32 << 20, &[]),
    }
}

/// An ext4 with the contents of a folder; blocks of 1 KiB, no reserve.
pub fn ext4(this: &OwnersBox, name: &str, content: &Path, size: &str) -> PathBuf {
    let image = this.beside(name);
    let _ = std::fs::remove_file(&image);
    let (content, image_name) = (content.to_str().unwrap(), image.to_str().unwrap());
    must("mkfs.ext4", &["-q", "-b", "1024", "-m", "0", "-d", content, image_name, size]);
    image
}

/// A FAT with the contents of a folder.
pub fn fat(this: &OwnersBox, name: &str, content: &Path, size: u64, options: &[&str]) -> PathBuf {
    let image = this.beside(name);
    File::create(&image).unwrap().set_len(size).unwrap();
    let path = image.to_str().unwrap();
    must("mkfs.vfat", &[options, &[path]].concat());
    let files: Vec<_> = std::fs::read_dir(content).unwrap().map(|entry| entry.unwrap().path()).collect();
    if !files.is_empty() {
        let mut copy = command("mcopy");
        copy.args(["-Q", "-s", "-i", path]).args(&files).arg("::");
        let output = copy.output().unwrap();
        assert!(output.status.success(), "mcopy: {}", String::from_utf8_lossy(&output.stderr));
    }
    image
}

/// A disk of 64 MiB by a script of sfdisk, with images put at sectors.
pub fn disk(this: &OwnersBox, script: &str, parts: &[(u64, &Path)]) -> PathBuf {
    let image = this.beside("disk.img");
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    put(&this.beside("script"), script.as_bytes());
    let line = format!(
        "sfdisk -q --no-reread --no-tell-kernel {} < {}",
        image.display(),
        this.beside("script").display()
    );
    must("sh", &["-c", &line]);
    for (sector, part) in parts {
        overwrite(&image, sector * 512, &std::fs::read(part).unwrap());
    }
    image
}

/// Writes bytes into an image.
pub fn overwrite(image: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(image).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// A file of a stick, as another machine would read it.
pub fn read(stick: &Path, form: Form, name: &str) -> Option<Vec<u8>> {
    let output = match form {
        Form::Folder => return std::fs::read(stick.join(name)).ok(),
        Form::Ext4 => command("debugfs").args(["-R", &format!("cat /{name}")]).arg(stick).output(),
        Form::Fat => command("mtype").arg("-i").arg(stick).arg(format!("::/{name}")).output(),
    };
    let output = output.unwrap();
    (output.status.success() && !output.stdout.is_empty()).then_some(output.stdout)
}

/// The expected result of a stick.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'e> {
    pub code: i32,
    /// Text that is in the receipt, or in the program's output.
    pub told: &'e str,
    /// The settings afterwards.
    pub settings: &'e str,
    /// Whether the stick has a receipt.
    pub receipt: bool,
}

/// Where sticks with FAT are left, with their box and the expected result, for another machine whose kernel has FAT
/// (`tests/rig` does that). Nothing is run here then.
pub fn elsewhere() -> Option<PathBuf> {
    std::env::var_os("ROBOCAST_STICKS_TO").map(PathBuf::from)
}

/// Leaves a stick and its box; `wanted` lists all allowed results.
pub fn leave(to: &Path, what: &str, this: &OwnersBox, stick: &Path, wanted: &[Expect<'_>]) {
    let name: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // Distinguishes tests that run at the same time, and sticks with the same name.
    let folder = (0..)
        .map(|n| to.join(format!("{name}-{n}")))
        .find(|f| std::fs::create_dir_all(to).is_ok() && std::fs::create_dir(f).is_ok());
    let folder = folder.unwrap();
    must("cp", &["-r", "--sparse=always", this.state("").to_str().unwrap(), folder.to_str().unwrap()]);
    must("cp", &["--sparse=always", stick.to_str().unwrap(), folder.join("stick.img").to_str().unwrap()]);
    let ends: Vec<_> = wanted
        .iter()
        .map(|end| {
            let Expect { code, told, settings, receipt } = *end;
            serde_json::json!({ "code": code, "told": told, "settings": settings, "receipt": receipt })
        })
        .collect();
    put(
        &folder.join("case.json"),
        serde_json::json!({ "what": what, "ends": ends, "secrets": SECRETS }).to_string().as_bytes(),
    );
}

/// Puts a stick in, and looks that all is as expected.
pub fn expect(what: &str, this: &OwnersBox, stick: &Path, form: Form, wanted: Expect<'_>) {
    expect_in(what, this, stick, form, || stick.to_owned(), wanted);
}

/// As [`expect`]; `after` makes a file or folder of the form out of the stick, to be read.
pub fn expect_in(
    what: &str,
    this: &OwnersBox,
    stick: &Path,
    form: Form,
    after: impl FnOnce() -> PathBuf,
    wanted: Expect<'_>,
) {
    if let Some(to) = elsewhere() {
        if form == Form::Fat {
            leave(&to, what, this, stick, &[wanted]);
        }
        return;
    }
    let before = this.settings();
    let ran = this.run(stick);
    this.at_peace(what, &ran);
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !form.opens() {
        assert!(ran.code == Some(1) && flat(&ran.told).contains("cannot read FAT"), "{what}: {ran:?}");
        assert_eq!(this.settings(), before, "{what}");
        return;
    }
    assert_eq!(ran.code, Some(wanted.code), "{what}: {}", ran.told);
    assert_eq!(this.settings(), wanted.settings, "{what}: {}", ran.told);
    assert!(flat(&ran.told).contains(wanted.told), "{what}: `{}` is not told:\n{}", wanted.told, ran.told);
    // A stick that is not for a box leaves no trace.
    let nothing = ran.told.contains("nor anything else for the box");
    let kept = this.receipt();
    assert_eq!(kept.is_none(), nothing, "{what}: {}", ran.told);
    let on_stick = read(&after(), form, "robocast-receipt.json").map(|bytes| Receipt::parse(&bytes).unwrap());
    assert_eq!(on_stick, kept.filter(|_| wanted.receipt), "{what}: {}", ran.told);
}

/// Puts a stick in that may be read or not: the exit code fits the settings, and those are whole.
pub fn either(what: &str, this: &OwnersBox, stick: &Path) -> bool {
    let ran = this.run(stick);
    this.at_peace(what, &ran);
    let settings = this.settings();
    let wanted = match ran.code {
        Some(1) => OLD,
        Some(4) => NEW,
        _ => panic!("{what}: {ran:?}"),
    };
    assert_eq!(settings, wanted, "{what}: {}", ran.told);
    ran.code == Some(4)
}

/// Each stick separately, on its own box, in each form that can hold it.
pub fn corpus(cases: &[(&str, &[Form], Fill<'_>, Expect<'_>)]) {
    if !crate::owners_box::able() {
        return;
    }
    let mut closed = 0;
    for (what, forms, fill, wanted) in cases {
        let forms = forms.iter().filter(|form| elsewhere().is_none() || **form == Form::Fat);
        for form in forms {
            let this = OwnersBox::new();
            let stick = stick(&this, *form, fill);
            expect(&format!("{what} ({form:?})"), &this, &stick, *form, *wanted);
            closed += usize::from(!form.opens());
        }
    }
    if closed > 0 {
        eprintln!("{closed} sticks with FAT were only seen to be refused: this kernel has no vfat");
    }
}

/// A file by its bytes of a name.
pub fn file(folder: &Path, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
    put(&folder.join(name.as_ref()), bytes.as_ref());
}
