//! Damaged file systems. The readable part is the settings, whole, or the stick is refused; nothing hangs and nothing
//! is left behind.

use crate::owners_box::{NEW, OLD, OwnersBox, able, kernel_has, put};
use crate::sticks::{Expect, Form, either, elsewhere, expect, expect_in, ext4, fat, file, leave, overwrite};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

fn filled(this: &OwnersBox, text: &str) -> PathBuf {
    let content = this.beside("content");
    file(&content, "robocast.toml", text);
    content
}

fn cut(image: &Path, size: u64) {
    OpenOptions::new().write(true).open(image).unwrap().set_len(size).unwrap();
}

#[test]
fn no_file_system() {
    if !able() {
        return;
    }
    let head = |at: usize, magic: &[u8]| {
        let mut bytes = vec![0; 1 << 20];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        bytes
    };
    let noise: Vec<u8> = (0..1u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (what, bytes, told) in [
        ("no bytes", Vec::new(), "neither partitions nor a file system"),
        ("one byte", vec![1], "neither partitions nor a file system"),
        ("zeros", head(0, &[]), "neither partitions nor a file system"),
        ("noise", noise, "neither partitions nor a file system"),
        ("NTFS", head(3, b"NTFS    "), "is NTFS, which is not taken"),
        ("a Mac's", head(1024, b"H+"), "is HFS+, which is not taken"),
        ("a CD", head(32_769, b"CD001"), "is a CD image, which is not taken"),
        ("encrypted", head(0, b"LUKS\xba\xbe"), "is an encrypted partition"),
        ("the beginning of an ext4", head(0x438, &[0x53, 0xef]), "ext4 file system of"),
        ("the beginning of an exFAT", head(3, b"EXFAT   "), "exFAT"),
    ] {
        let this = OwnersBox::new();
        let image = this.beside("stick.img");
        put(&image, &bytes);
        expect_in(
            what,
            &this,
            &image,
            Form::Folder,
            || this.beside("nothing"),
            Expect { code: 1, told, settings: OLD, receipt: false },
        );
    }
}

#[test]
fn ext4_that_is_damaged() {
    if !able() {
        return;
    }
    for size in [1 << 10, 4 << 10, 64 << 10, 300 << 10, 1 << 20, 4 << 20, (8 << 20) - 512] {
        let this = OwnersBox::new();
        let image = ext4(&this, "stick.img", &filled(&this, NEW), "8M");
        cut(&image, size);
        either(&format!("cut to {size} bytes"), &this, &image);
    }
    for block in [1u64, 2, 3, 36, 64, 300] {
        let this = OwnersBox::new();
        let image = ext4(&this, "stick.img", &filled(&this, NEW), "8M");
        // The first 24 bytes stay, so that it is still an ext4 to the eye.
        overwrite(&image, block * 1024 + 64, &[0xa5; 900]);
        either(&format!("noise in block {block}"), &this, &image);
    }
}

/// The damage done to a FAT.
type Damage<'d> = &'d dyn Fn(&Fat);

/// A FAT32 with clusters of one sector.
struct Fat {
    image: PathBuf,
    bytes: Vec<u8>,
}

impl Fat {
    fn new(this: &OwnersBox, text: &str) -> Self {
        let image = fat(this, "stick.img", &filled(this, text), 64 << 20, &["-F", "32", "-s", "1"]);
        let bytes = std::fs::read(&image).unwrap();
        Self { image, bytes }
    }

    fn word(&self, at: usize) -> usize {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]).into()
    }

    fn tables(&self) -> usize {
        self.word(14) * 512
    }

    /// Bytes of one table.
    fn table(&self) -> usize {
        u32::from_le_bytes(self.bytes[36..40].try_into().unwrap()) as usize * 512
    }

    /// The cluster in which a text begins.
    fn cluster_of(&self, text: &[u8]) -> u32 {
        let at = self.bytes.windows(text.len()).position(|bytes| bytes == text).unwrap();
        u32::try_from((at - self.tables() - 2 * self.table()) / 512 + 2).unwrap()
    }

    /// Chains one cluster to another, in both tables.
    fn link(&self, cluster: u32, next: u32) {
        for table in 0..2 {
            let at = self.tables() + table * self.table() + cluster as usize * 4;
            overwrite(&self.image, at as u64, &next.to_le_bytes());
        }
    }
}

#[test]
fn fat_that_is_damaged() {
    if !able() {
        return;
    }
    if elsewhere().is_none() && !kernel_has("vfat") {
        eprintln!("this kernel has no vfat: damaged FATs are only seen to be refused");
    }
    let long = format!("{NEW}#{}\n", "x".repeat(100_000));
    let start = &long.as_bytes()[..40];
    let damages: [(&str, Damage<'_>); 12] = [
        ("a ring of clusters", &|f| f.link(f.cluster_of(start) + 3, f.cluster_of(start))),
        ("a cluster after itself", &|f| f.link(f.cluster_of(start), f.cluster_of(start))),
        ("cross-linked with the top folder", &|f| f.link(f.cluster_of(start) + 3, 2)),
        ("a ring in the top folder", &|f| f.link(2, 2)),
        ("the top folder goes on in the file", &|f| f.link(2, f.cluster_of(start))),
        ("a chain that is too short", &|f| f.link(f.cluster_of(start) + 3, 0x0fff_ffff)),
        ("a chain into nothing", &|f| f.link(f.cluster_of(start) + 3, 0x0ff0_0000)),
        ("a chain into free space", &|f| f.link(f.cluster_of(start) + 3, 0)),
        ("a bad cluster", &|f| f.link(f.cluster_of(start) + 3, 0x0fff_fff7)),
        ("both tables are noise", &|f| overwrite(&f.image, f.tables() as u64, &vec![0xa5; 2 * f.table()])),
        ("the first sector lies about its size", &|f| overwrite(&f.image, 32, &[0xff; 4])),
        ("the top folder is nowhere", &|f| overwrite(&f.image, 44, &[0xff; 4])),
    ];
    let either = |what: &str, this: &OwnersBox, image: &Path| {
        if let Some(to) = elsewhere() {
            let [refused, taken] = [(1, OLD), (4, long.as_str())].map(|(code, settings)| Expect {
                code,
                told: "",
                settings,
                receipt: false,
            });
            return leave(&to, what, this, image, &[refused, taken]);
        }
        let ran = this.run(image);
        this.at_peace(what, &ran);
        let settings = this.settings();
        let good = match ran.code {
            Some(1) => settings == OLD,
            Some(4) => settings == long,
            _ => false,
        };
        assert!(good, "{what}: {ran:?}");
    };
    for (what, damage) in damages {
        let this = OwnersBox::new();
        let fat = Fat::new(&this, &long);
        damage(&fat);
        either(what, &this, &fat.image);
    }
    for size in [512, 1024, 16 << 10, 600 << 10, 1 << 20, 1100 << 10, 32 << 20] {
        let this = OwnersBox::new();
        let fat = Fat::new(&this, &long);
        cut(&fat.image, size);
        either(&format!("cut to {size} bytes"), &this, &fat.image);
    }
}

#[test]
fn fat_of_each_size() {
    if !able() {
        return;
    }
    for (bits, size) in [("12", 4 << 20), ("16", 32 << 20), ("32", 64 << 20)] {
        let this = OwnersBox::new();
        let image = fat(&this, "stick.img", &filled(&this, NEW), size, &["-F", bits]);
        let wanted = Expect { code: 4, told: "KEPT", settings: NEW, receipt: true };
        expect(&format!("FAT{bits}"), &this, &image, Form::Fat, wanted);
    }
}
