//! Which file system a partition holds, by its first bytes. Pure.
//!
//! Only what can be mounted here is mounted; the other kinds are recognized so that the receipt can name them.

/// How many bytes from the start [`detect_file_system`] needs.
pub const HEAD: usize = 64 * 1024 + 512;

/// A file system, or another format recognized by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// FAT12, FAT16, FAT32.
    Fat,
    /// exFAT.
    ExFat,
    /// ext2, ext3, ext4.
    Ext,
    /// A format that is not accepted, by its name.
    Other(&'static str),
}

impl FileSystem {
    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fat => "FAT",
            Self::ExFat => "exFAT",
            Self::Ext => "ext4",
            Self::Other(name) => name,
        }
    }

    /// The kernel's name for it, and its mount options: for reading only, and for writing. `None` when it is not
    /// accepted.
    ///
    /// Every file system gets an option for its own damage: an ext4 may ask for a panic in its first block.
    #[must_use]
    pub fn mounting(self) -> Option<Mounting> {
        const FAT: &str = "errors=remount-ro,umask=0077";
        let (kernel, reading, writing) = match self {
            Self::Fat => ("vfat", FAT, FAT),
            Self::ExFat => ("exfat", FAT, FAT),
            // Without `noload` even a mount for reading writes the journal back.
            Self::Ext => ("ext4", "errors=remount-ro,noload", "errors=remount-ro"),
            Self::Other(_) => return None,
        };
        Some(Mounting { kernel, reading, writing })
    }
}

/// How a kind is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mounting {
    /// Its name in the kernel.
    pub kernel: &'static str,
    /// Options for reading.
    pub reading: &'static str,
    /// Options for writing.
    pub writing: &'static str,
}

/// The file system of a partition, by its first [`HEAD`] bytes; fewer are fine. `None` when it is not known.
#[must_use]
pub fn detect_file_system(head: &[u8]) -> Option<FileSystem> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    if at(3, b"EXFAT   ") {
        return Some(FileSystem::ExFat);
    }
    let others = [
        (3, &b"NTFS    "[..], "NTFS"),
        (1024, b"H+", "HFS+"),
        (1024, b"HX", "HFS+"),
        (32, b"NXSB", "APFS"),
        (32769, b"CD001", "a CD image"),
        (0, b"XFSB", "XFS"),
        (0x10040, b"_BHRfS_M", "Btrfs"),
        (0, b"hsqs", "SquashFS"),
        (0, b"LUKS\xba\xbe", "an encrypted partition"),
    ];
    if let Some((_, _, name)) = others.iter().find(|(offset, magic, _)| at(*offset, magic)) {
        return Some(FileSystem::Other(name));
    }
    if at(0x438, &[0x53, 0xef]) {
        return Some(FileSystem::Ext);
    }
    fat(head).then_some(FileSystem::Fat)
}

/// Whether a first sector describes a FAT: checks what Windows and the kernel require, not the label, which some tools
/// leave out.
fn fat(head: &[u8]) -> bool {
    let Some(sector) = head.get(..512) else { return false };
    let word = |at: usize| u16::from_le_bytes([sector[at], sector[at + 1]]);
    let jump = sector[0] == 0xeb || sector[0] == 0xe9;
    let sector_size = word(11);
    let cluster = sector[13];
    let media = sector[21];
    jump && sector_size.is_power_of_two()
        && (512..=4096).contains(&sector_size)
        && cluster.is_power_of_two()
        && word(14) != 0
        && sector[16] != 0
        && (media == 0xf0 || media >= 0xf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[offset..offset + magic.len()].copy_from_slice(magic);
        head
    }

    #[test]
    fn each_is_told_by_its_own_bytes() {
        let mut fat = with(0, &[0xeb, 0x3c, 0x90]);
        fat[11..17].copy_from_slice(&[0, 2, 4, 1, 0, 2]);
        fat[21] = 0xf8;
        for (head, kind) in [
            (fat.clone(), Some(FileSystem::Fat)),
            (with(3, b"EXFAT   "), Some(FileSystem::ExFat)),
            (with(0x438, &[0x53, 0xef]), Some(FileSystem::Ext)),
            (with(3, b"NTFS    "), Some(FileSystem::Other("NTFS"))),
            (with(1024, b"H+"), Some(FileSystem::Other("HFS+"))),
            (with(32769, b"CD001"), Some(FileSystem::Other("a CD image"))),
            (vec![0; HEAD], None),
            (with(510, &[0x55, 0xaa]), None),
            (fat[..511].to_vec(), None),
            (vec![], None),
        ] {
            assert_eq!(detect_file_system(&head), kind);
        }
        for (at, byte) in [(0, 0x33), (11, 1), (13, 3), (13, 0), (14, 0), (16, 0), (21, 1)] {
            let mut bad = fat.clone();
            bad[at] = byte;
            assert_eq!(detect_file_system(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn damage_never_ends_in_a_panic_of_the_kernel() {
        for kind in [FileSystem::Fat, FileSystem::ExFat, FileSystem::Ext] {
            let Mounting { reading, writing, .. } = kind.mounting().unwrap();
            assert!([reading, writing].iter().all(|o| o.contains("errors=remount-ro")), "{kind:?}");
        }
        assert_eq!(FileSystem::Other("NTFS").mounting(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = detect_file_system(&head);
        }
    }
}
