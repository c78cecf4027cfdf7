//! Devices, partition tables, and sticks that cannot be written.

use crate::owners_box::{NEW, OLD, OwnersBox, able, apart, must, put};
use crate::sticks::{Expect, Form, disk, either, expect_in, ext4, file, overwrite, stick};
use nix::mount::{MsFlags, mount};
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KEPT: Expect<'static> = Expect { code: 4, told: "KEPT", settings: NEW, receipt: true };

/// An ext4 with or without settings, 8 MiB.
fn part(this: &OwnersBox, name: &str, settings: bool) -> PathBuf {
    let content = this.beside(name).with_extension("content");
    file(&content, if settings { "ROBOCAST.TOML" } else { "picture.jpg" }, NEW);
    ext4(this, name, &content, "8M")
}

/// The 8 MiB from a sector on, as an image.
fn cut(this: &OwnersBox, disk: &Path, sector: u64) -> PathBuf {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(disk).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(sector * 512)).unwrap();
    file.take(8 << 20).read_to_end(&mut bytes).unwrap();
    let path = this.beside("cut.img");
    put(&path, &bytes);
    path
}

#[test]
fn partitions() {
    if !able() {
        return;
    }
    const A: u64 = 2048;
    const B: u64 = 40_960;
    for (what, script, settings, at) in [
        ("MBR, the first", "label: dos\nstart=2048,size=16384,type=c\n", &[(A, true)][..], A),
        ("MBR, the last of four", "label: dos\n,1M\n,1M\n,1M\nstart=40960,size=16384\n", &[(B, true)], B),
        (
            "EBR",
            "label: dos\nstart=1024,size=512\nstart=32768,size=65536,type=5\nstart=40960,size=16384,type=c\n",
            &[(B, true)],
            B,
        ),
        ("GPT", "label: gpt\nstart=2048,size=16384\n", &[(A, true)], A),
        (
            "GPT, the second",
            "label: gpt\nstart=2048,size=16384\nstart=40960,size=16384\n",
            &[(A, false), (B, true)],
            B,
        ),
        (
            "MBR, the other is strange",
            "label: dos\nstart=2048,size=16384\nstart=40960,size=16384\n",
            &[(B, true)],
            B,
        ),
    ] {
        let this = OwnersBox::new();
        let made: Vec<_> =
            settings.iter().map(|(at, has)| (*at, part(&this, &format!("{at}.img"), *has))).collect();
        let parts: Vec<_> = made.iter().map(|(at, path)| (*at, path.as_path())).collect();
        let disk = disk(&this, script, &parts);
        expect_in(what, &this, &disk, Form::Ext4, || cut(&this, &disk, at), KEPT);
    }
}

#[test]
fn two_partitions_with_settings() {
    if !able() {
        return;
    }
    let this = OwnersBox::new();
    let parts = [part(&this, "a.img", true), part(&this, "b.img", true)];
    let script = "label: gpt\nstart=2048,size=16384\nstart=40960,size=16384\n";
    let disk = disk(&this, script, &[(2048, &parts[0]), (40_960, &parts[1])]);
    let wanted = Expect { code: 1, told: "several partitions", settings: OLD, receipt: true };
    expect_in("two", &this, &disk, Form::Ext4, || cut(&this, &disk, 2048), wanted);
}

#[test]
fn tables_that_lie() {
    if !able() {
        return;
    }
    let ring = |image: &Path| {
        // The extended partition's first link names itself as the next.
        let mut link = [0; 512];
        link[446 + 16 + 4] = 5;
        link[446 + 16 + 12] = 9;
        link[510..].copy_from_slice(&[0x55, 0xaa]);
        overwrite(image, 32_768 * 512, &link);
    };
    let script = "label: dos\nstart=2048,size=16384\nstart=32768,size=65536,type=5\n";
    for (what, script, lie, good) in [
        ("a ring of links", script, &ring as &dyn Fn(&Path), true),
        (
            "a GPT of 4 billion entries",
            "label: gpt\nstart=2048,size=16384\n",
            &|i| overwrite(i, 512 + 80, &[0xff; 4]),
            true,
        ),
        (
            "a GPT with entries of 4 GB",
            "label: gpt\nstart=2048,size=16384\n",
            &|i| overwrite(i, 512 + 84, &[0xff; 4]),
            false,
        ),
        (
            "a GPT beyond the end",
            "label: gpt\nstart=2048,size=16384\n",
            &|i| overwrite(i, 512 + 72, &[0xff; 8]),
            false,
        ),
        ("a partition beyond the end", script, &|i| overwrite(i, 446 + 12, &[0xff; 4]), false),
        ("a partition in a partition", script, &|i| overwrite(i, 446 + 16 + 4, &[0x83]), true),
    ] {
        let this = OwnersBox::new();
        let settings = part(&this, "a.img", true);
        let disk = disk(&this, script, &[(2048, &settings)]);
        lie(&disk);
        assert_eq!(either(what, &this, &disk), good, "{what}");
    }
}

/// A loop device of the test's own.
struct Device {
    path: PathBuf,
    image: PathBuf,
    _folder: TempDir,
}

impl Device {
    fn of(image: &Path, options: &[&str]) -> Self {
        // Elsewhere: anything of the box's folder that is left attached is the program's fault.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("image");
        std::fs::copy(image, &copy).unwrap();
        let path = must("losetup", &[&["--show", "-f"], options, &[copy.to_str().unwrap()]].concat());
        Self { path: path.trim().into(), image: copy, _folder: folder }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        must("losetup", &["-d", self.path.to_str().unwrap()]);
    }
}

#[test]
fn devices() {
    if !able() {
        return;
    }
    for (what, options, receipt) in [("a device", &[][..], true), ("a device with a switch", &["-r"], false)]
    {
        let this = OwnersBox::new();
        let device = Device::of(&part(&this, "a.img", true), options);
        let told = if receipt { "KEPT" } else { "cannot be written" };
        let wanted = Expect { told, receipt, ..KEPT };
        expect_in(what, &this, &device.path, Form::Ext4, || device.image.clone(), wanted);
    }
    let this = OwnersBox::new();
    let settings = part(&this, "a.img", true);
    let whole = disk(&this, "label: dos\nstart=2048,size=16384\n", &[(2048, &settings)]);
    let device = Device::of(&whole, &[]);
    expect_in("a disk", &this, &device.path, Form::Ext4, || cut(&this, &device.image, 2048), KEPT);
}

#[test]
fn a_stick_in_use() {
    if !able() {
        return;
    }
    apart(|| {
        let this = OwnersBox::new();
        let device = Device::of(&part(&this, "a.img", true), &[]);
        let at = this.beside("mounted");
        std::fs::create_dir(&at).unwrap();
        mount(Some(&device.path), &at, Some("ext4"), MsFlags::empty(), None::<&str>).unwrap();
        let ran = this.run(&device.path);
        this.at_peace("in use", &ran);
        assert!(ran.code == Some(1) && ran.told.contains("is in use"), "{ran:?}");
        nix::mount::umount(&at).unwrap();
    });
}

#[test]
fn a_stick_that_others_let_go_of_late_gets_its_receipt() {
    if !able() {
        return;
    }
    apart(|| {
        let this = OwnersBox::new();
        let device = Device::of(&part(&this, "a.img", true), &[]);
        let at = this.beside("mounted");
        std::fs::create_dir(&at).unwrap();
        // As RAUC has it while it reads an update.
        mount(Some(&device.path), &at, Some("ext4"), MsFlags::MS_RDONLY, Some("noload")).unwrap();
        let held = std::fs::File::open(&at).unwrap();
        nix::mount::umount2(&at, nix::mount::MntFlags::MNT_DETACH).unwrap();
        let later = std::thread::spawn(move || {
            std::thread::park_timeout(std::time::Duration::from_secs(2));
            drop(held);
        });
        expect_in("late", &this, &device.path, Form::Ext4, || device.image.clone(), KEPT);
        later.join().unwrap();
    });
}

#[test]
fn sticks_that_take_no_receipt_provision_all_the_same() {
    if !able() {
        return;
    }
    apart(|| {
        let this = OwnersBox::new();
        let folder = stick(&this, Form::Folder, &|folder| file(folder, "robocast.toml", NEW));
        let (bind, none) = (MsFlags::MS_BIND, None::<&str>);
        mount(Some(&folder), &folder, none, bind, none).unwrap();
        mount(none, &folder, none, bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none).unwrap();
        let wanted = Expect { told: "cannot be written to the stick", receipt: false, ..KEPT };
        expect_in("a folder that cannot be written", &this, &folder, Form::Folder, || folder.clone(), wanted);
    });
    apart(|| {
        let this = OwnersBox::new();
        let folder = this.beside("full");
        std::fs::create_dir(&folder).unwrap();
        mount(Some("tmpfs"), &folder, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
        file(&folder, "robocast.toml", NEW);
        must("sh", &["-c", &format!("cat /dev/zero > {}/filler || true", folder.display())]);
        let wanted = Expect { told: "cannot be written to the stick", receipt: false, ..KEPT };
        expect_in("a full folder", &this, &folder, Form::Folder, || folder.clone(), wanted);
    });
    apart(|| {
        let this = OwnersBox::new();
        let image = part(&this, "a.img", true);
        let at = this.beside("fill");
        std::fs::create_dir(&at).unwrap();
        let (image, at) = (image.to_str().unwrap(), at.to_str().unwrap());
        must("sh", &["-c", &format!("mount -o loop {image} {at}; cat /dev/zero > {at}/filler; umount {at}")]);
        assert!(either("a full stick", &this, Path::new(image)));
    });
}

#[test]
fn a_full_box_keeps_its_old_settings() {
    if !able() {
        return;
    }
    let ends: Vec<bool> = (0..8)
        .map(|pages| {
            let (tell, told) = std::sync::mpsc::channel();
            apart(move || {
                let this = OwnersBox::new();
                let key = std::fs::read(this.state("keys/box.age")).unwrap();
                let state = this.state("");
                mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some("size=128k")).unwrap();
                put(&this.state("settings.toml"), OLD.as_bytes());
                put(&this.state("settings.proven.toml"), OLD.as_bytes());
                put(&this.state("keys/box.age"), &key);
                let line = format!(
                    "cd {0}; cat /dev/zero > filler; truncate -s -$(({pages} * 4096)) filler",
                    state.display()
                );
                must("sh", &["-c", &format!("{line} || true")]);
                let stick = stick(&this, Form::Folder, &|folder| file(folder, "robocast.toml", NEW));
                let new = either(&format!("{pages} pages left"), &this, &stick);
                assert!(stick.join("robocast-receipt.txt").is_file());
                tell.send(new).unwrap();
            });
            told.recv().unwrap()
        })
        .collect();
    assert!(ends.contains(&true) && ends.contains(&false), "{ends:?}");
}

#[test]
fn two_sticks_at_once() {
    if !able() {
        return;
    }
    let this = OwnersBox::new();
    let sticks: Vec<_> = ["one", "two"]
        .map(|name| {
            let content = this.beside(&format!("{name}.content"));
            file(&content, "robocast.toml", format!("{NEW}# {name}\n"));
            ext4(&this, &format!("{name}.img"), &content, "8M")
        })
        .into();
    for _ in 0..5 {
        let mut children: Vec<_> = sticks
            .iter()
            .map(|stick| this.provision(stick).stdout(std::process::Stdio::null()).spawn().unwrap())
            .collect();
        for child in &mut children {
            assert_eq!(child.wait().unwrap().code(), Some(4));
        }
        let settings = this.settings();
        assert!(["one", "two"].iter().any(|name| settings == format!("{NEW}# {name}\n")), "{settings}");
        assert!(!this.state("provision.json").exists());
    }
}
