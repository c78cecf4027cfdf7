//! Partition tables: MBR with logical partitions, and GPT. Pure over a reader of sectors.
//!
//! Needed where the kernel has not read them: image files, and kernels built without. Only the place of a partition
//! matters; its contents identify themselves. A false table counts as none: places beyond the end are left out, chains
//! are bounded.

use std::io;

/// Bytes of a sector. Sticks with other sizes are read through the kernel, which knows them.
const SECTOR: u64 = 512;
/// The most partitions that are looked at.
pub const MOST: usize = 16;
/// The most entries of a GPT that are read.
const ENTRIES: u32 = 128;

/// Where a partition is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionPlace {
    /// Its number, from 1, as the kernel counts.
    pub number: u32,
    /// From the start of the disk.
    pub offset: u64,
    /// Its length.
    pub length: u64,
}

/// Reads whole sectors of a disk.
pub trait Disk {
    /// The sector `number`.
    ///
    /// # Errors
    /// The disk cannot be read there.
    fn sector(&self, number: u64) -> io::Result<[u8; SECTOR as usize]>;
    /// How many there are.
    fn sectors(&self) -> u64;
}

/// The partitions of a disk, at most [`MOST`]; none when it has no table.
///
/// # Errors
/// The disk cannot be read.
pub fn partitions(disk: &dyn Disk) -> io::Result<Vec<PartitionPlace>> {
    if disk.sectors() < 2 {
        return Ok(Vec::new());
    }
    let first = disk.sector(0)?;
    if !signed(&first) {
        return Ok(Vec::new());
    }
    let primary: Vec<TableEntry> = (0..4).map(|number| entry(&first, number)).collect();
    let mut found = match primary.iter().any(|entry| entry.kind == GPT) {
        true => gpt(disk)?,
        false => mbr(disk, &primary)?,
    };
    found.retain(|place| fits(place, disk.sectors()));
    found.truncate(MOST);
    Ok(found)
}

fn fits(place: &PartitionPlace, sectors: u64) -> bool {
    let end = place.offset.checked_add(place.length);
    place.offset > 0 && place.length > 0 && end.is_some_and(|end| end <= sectors.saturating_mul(SECTOR))
}

const GPT: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// An entry of a table of four.
struct TableEntry {
    kind: u8,
    start: u64,
    sectors: u64,
}

impl TableEntry {
    fn extended(&self) -> bool {
        EXTENDED.contains(&self.kind) && self.sectors > 0
    }

    fn place(&self, number: u32, from: u64) -> Option<PartitionPlace> {
        (self.kind != 0 && self.sectors != 0).then(|| PartitionPlace {
            number,
            offset: (from + self.start) * SECTOR,
            length: self.sectors * SECTOR,
        })
    }
}

fn signed(sector: &[u8]) -> bool {
    sector.get(510..512) == Some(&[0x55, 0xaa])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn entry(sector: &[u8], number: usize) -> TableEntry {
    let at = 446 + 16 * number;
    let kind = sector.get(at + 4).copied().unwrap_or(0);
    TableEntry { kind, start: le32(sector, at + 8).into(), sectors: le32(sector, at + 12).into() }
}

fn mbr(disk: &dyn Disk, primary: &[TableEntry]) -> io::Result<Vec<PartitionPlace>> {
    let mut found = Vec::new();
    for (number, entry) in (1..).zip(primary) {
        if !entry.extended() {
            found.extend(entry.place(number, 0));
        }
    }
    if let Some(extended) = primary.iter().find(|entry| entry.extended()) {
        logical(disk, extended.start, &mut found)?;
    }
    Ok(found)
}

/// Follows the chain of logical partitions: each link describes one, and points to the next link. Bounded, as it may be
/// a ring.
fn logical(disk: &dyn Disk, base: u64, found: &mut Vec<PartitionPlace>) -> io::Result<()> {
    let mut at = base;
    for number in 5..5 + MOST as u32 {
        if at >= disk.sectors() {
            return Ok(());
        }
        let link = disk.sector(at)?;
        if !signed(&link) {
            return Ok(());
        }
        found.extend(entry(&link, 0).place(number, at));
        let next = entry(&link, 1);
        if !next.extended() {
            return Ok(());
        }
        at = base + next.start;
    }
    Ok(())
}

fn gpt(disk: &dyn Disk) -> io::Result<Vec<PartitionPlace>> {
    let header = disk.sector(1)?;
    let (size, table, entries) = (le32(&header, 84), le64(&header, 72), le32(&header, 80));
    // Sizes are powers of two from 128 on; none larger than a sector was ever seen.
    if !header.starts_with(b"EFI PART") || ![128, 256, 512].contains(&size) {
        return Ok(Vec::new());
    }
    let per_sector = SECTOR as u32 / size;
    let mut found = Vec::new();
    let mut sector = [0; SECTOR as usize];
    for index in 0..entries.min(ENTRIES) {
        if index % per_sector == 0 {
            let Some(at) = table.checked_add(u64::from(index / per_sector)) else { break };
            if at >= disk.sectors() {
                break;
            }
            sector = disk.sector(at)?;
        }
        let at = (index % per_sector * size) as usize;
        let (first, last) = (le64(&sector, at + 32), le64(&sector, at + 40));
        let used = sector[at..at + 16] != [0; 16];
        let length =
            last.checked_sub(first).and_then(|n| n.checked_add(1)).and_then(|n| n.checked_mul(SECTOR));
        if let (true, Some(length), Some(offset)) = (used, length, first.checked_mul(SECTOR)) {
            found.push(PartitionPlace { number: index + 1, offset, length });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Bytes(Vec<u8>);

    impl Disk for Bytes {
        fn sector(&self, number: u64) -> io::Result<[u8; 512]> {
            let at = usize::try_from(number * SECTOR).unwrap();
            Ok(self.0[at..at + 512].try_into().unwrap())
        }

        fn sectors(&self) -> u64 {
            self.0.len() as u64 / SECTOR
        }
    }

    /// A disk of 64 sectors.
    fn disk() -> Bytes {
        Bytes(vec![0; 64 * 512])
    }

    fn put(disk: &mut Bytes, sector: usize, number: usize, kind: u8, start: u32, sectors: u32) {
        let at = sector * 512 + 446 + 16 * number;
        disk.0[at + 4] = kind;
        disk.0[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
        disk.0[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
        disk.0[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
    }

    fn places(disk: &Bytes) -> Vec<(u32, u64, u64)> {
        let sectors = |p: &PartitionPlace| (p.number, p.offset / SECTOR, p.length / SECTOR);
        partitions(disk).unwrap().iter().map(sectors).collect()
    }

    #[test]
    fn primary_and_logical_partitions_are_found() {
        let mut disk = disk();
        assert_eq!(places(&disk), []);
        put(&mut disk, 0, 0, 0x0c, 2, 4);
        put(&mut disk, 0, 2, 0x83, 6, 4);
        put(&mut disk, 0, 3, 0x05, 20, 40);
        put(&mut disk, 20, 0, 0x0c, 1, 3);
        put(&mut disk, 20, 1, 0x05, 10, 5);
        put(&mut disk, 30, 0, 0x83, 1, 4);
        assert_eq!(places(&disk), [(1, 2, 4), (3, 6, 4), (5, 21, 3), (6, 31, 4)]);
    }

    #[test]
    fn a_ring_of_logical_partitions_ends() {
        let mut disk = disk();
        put(&mut disk, 0, 0, 0x05, 20, 40);
        put(&mut disk, 20, 0, 0x0c, 1, 3);
        put(&mut disk, 20, 1, 0x05, 0, 5);
        assert_eq!(places(&disk).len(), MOST);
    }

    #[test]
    fn places_beyond_the_end_are_left_out() {
        let mut disk = disk();
        put(&mut disk, 0, 0, 0x0c, 60, 5);
        put(&mut disk, 0, 1, 0x0c, 60, 4);
        put(&mut disk, 0, 2, 0x0c, 0, 4);
        put(&mut disk, 0, 3, 0x0c, u32::MAX, u32::MAX);
        assert_eq!(places(&disk), [(2, 60, 4)]);
    }

    fn with_gpt(first: u64, last: u64, size: u32, entries: u32) -> Bytes {
        let mut disk = disk();
        put(&mut disk, 0, 0, GPT, 1, 63);
        disk.0[512..520].copy_from_slice(b"EFI PART");
        disk.0[512 + 72..512 + 80].copy_from_slice(&2u64.to_le_bytes());
        disk.0[512 + 80..512 + 84].copy_from_slice(&entries.to_le_bytes());
        disk.0[512 + 84..512 + 88].copy_from_slice(&size.to_le_bytes());
        // The fifth entry: the first of the second sector of the table.
        let at = 1024 + 4 * 128;
        disk.0[at] = 1;
        disk.0[at + 32..at + 40].copy_from_slice(&first.to_le_bytes());
        disk.0[at + 40..at + 48].copy_from_slice(&last.to_le_bytes());
        disk
    }

    #[test]
    fn a_gpt_is_read_and_one_that_lies_is_as_good_as_none() {
        assert_eq!(places(&with_gpt(40, 49, 128, 128)), [(5, 40, 10)]);
        for (first, last, size, entries) in [
            (49, 40, 128, 128),
            (40, 64, 128, 128),
            (0, u64::MAX, 128, 128),
            (u64::MAX, u64::MAX, 128, 128),
            (40, 49, 0, 128),
            (40, 49, 1 << 31, 128),
            (40, 49, 128, 4),
        ] {
            assert_eq!(places(&with_gpt(first, last, size, entries)), [], "{first} {last} {size} {entries}");
        }
        assert_eq!(places(&with_gpt(40, 49, 128, u32::MAX)), [(5, 40, 10)]);
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic_or_leave_the_disk(
            table in proptest::collection::vec(any::<u8>(), 64),
            link in proptest::collection::vec(any::<u8>(), 64),
            header in proptest::collection::vec(any::<u8>(), 88),
            sectors in 0usize..64,
            gpt: bool,
        ) {
            let mut disk = Bytes(vec![0; sectors * 512]);
            for (number, sector) in disk.0.chunks_mut(512).enumerate() {
                sector[446..510].copy_from_slice(if number == 0 { &table } else { &link });
                sector[510..].copy_from_slice(&[0x55, 0xaa]);
                if gpt {
                    sector[450] = if number == 0 { GPT } else { sector[450] };
                    if number == 1 {
                        sector[..88].copy_from_slice(&header);
                        sector[..8].copy_from_slice(b"EFI PART");
                        sector[84..88].copy_from_slice(&128u32.to_le_bytes());
                    }
                }
            }
            for place in partitions(&disk).unwrap() {
                prop_assert!(place.offset + place.length <= disk.0.len() as u64);
            }
        }
    }
}
