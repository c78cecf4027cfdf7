//! The clock burnt into the picture: wall-clock milliseconds that survive encoding, transport and scaling.
//!
//! 56 blocks in a row at the top left, white for 1 and black for 0, most significant first: 48 bits of
//! milliseconds since 1970 and an 8-bit check. A block is 1/80 of the picture's width wide and 1/45 of its height
//! high (16x16 at 1280x720), so a reader finds them in a scaled picture too.

use std::time::{SystemTime, UNIX_EPOCH};

const BLOCKS: usize = 56;
const COLUMNS: usize = 80;
const ROWS: usize = 45;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
/// Luma between these values is neither colour.
const UNCLEAR: std::ops::Range<u32> = 96..160;

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Why the time cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("the picture is too small for a clock")]
    TooSmall,
    #[error("block {0} is neither black nor white")]
    Unclear(usize),
    #[error("the check does not match")]
    Check,
}

/// CRC-8/I-432-1 (ITU-T I.432.1: polynomial 0x07, final xor 0x55): an all-black row is not valid.
fn check(millis: u64) -> u8 {
    let crc = millis.to_be_bytes()[2..].iter().fold(0u8, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 != 0 { (crc << 1) ^ 0x07 } else { crc << 1 })
    });
    crc ^ 0x55
}

/// Where block `index` begins, in pixels.
fn edge(index: usize, length: usize, cells: usize) -> usize {
    index * length / cells
}

/// Draws the time into a luma plane.
pub fn draw(luma: &mut [u8], stride: usize, width: usize, height: usize, millis: u64) {
    let word = (millis << 8) | u64::from(check(millis));
    let bottom = edge(1, height, ROWS);
    let Some((first, rest)) = luma.split_at_mut_checked(stride.min(luma.len())) else { return };
    for block in 0..BLOCKS {
        let colour = if word >> (BLOCKS - 1 - block) & 1 == 1 { WHITE } else { BLACK };
        first[edge(block, width, COLUMNS)..edge(block + 1, width, COLUMNS)].fill(colour);
    }
    let end = edge(BLOCKS, width, COLUMNS);
    for row in rest.chunks_mut(stride).take(bottom.saturating_sub(1)) {
        row[..end].copy_from_slice(&first[..end]);
    }
}

/// Reads the time from a luma plane; needs its top rows only.
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Result<u64, Damage> {
    let (block_width, block_height) = (width / COLUMNS, height / ROWS);
    if block_width < 2 || block_height < 2 || luma.len() < block_height * stride || stride < width {
        return Err(Damage::TooSmall);
    }
    let mut word = 0u64;
    for block in 0..BLOCKS {
        let (left, right) = (edge(block, width, COLUMNS), edge(block + 1, width, COLUMNS));
        let inset = (right - left) / 4;
        let (left, right) = (left + inset, right - inset);
        let rows = block_height / 4..block_height - block_height / 4;
        let area = (rows.len() * (right - left)) as u32;
        let sum: u32 = rows
            .map(|y| luma[y * stride + left..y * stride + right].iter().map(|p| u32::from(*p)).sum::<u32>())
            .sum();
        let mean = sum / area;
        if UNCLEAR.contains(&mean) {
            return Err(Damage::Unclear(block));
        }
        word = (word << 1) | u64::from(mean >= UNCLEAR.end);
    }
    let millis = word >> 8;
    if check(millis) == word as u8 { Ok(millis) } else { Err(Damage::Check) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZES: [(usize, usize); 4] = [(1280, 720), (1920, 1080), (640, 360), (642, 482)];

    fn picture(width: usize, height: usize, millis: u64) -> Vec<u8> {
        let mut luma = vec![100; width * height];
        draw(&mut luma, width, width, height, millis);
        luma
    }

    proptest! {
        #[test]
        fn a_drawn_time_is_read_back(millis in 0u64..1 << 48, size in 0usize..4) {
            let (width, height) = SIZES[size];
            prop_assert_eq!(read(&picture(width, height, millis), width, width, height), Ok(millis));
        }

        #[test]
        fn a_time_survives_noise_and_a_loss_of_contrast(millis in 0u64..1 << 48, noise in prop::collection::vec(0u8..30, 64)) {
            let mut luma = picture(1280, 720, millis);
            for (pixel, noise) in luma.iter_mut().zip(noise.iter().cycle()) {
                *pixel = if *pixel > 128 { 210 - noise } else { 30 + noise };
            }
            prop_assert_eq!(read(&luma, 1280, 1280, 720), Ok(millis));
        }

        #[test]
        fn a_flipped_block_is_noticed(millis in 0u64..1 << 48, block in 0usize..56, grey: bool) {
            let mut luma = picture(1280, 720, millis);
            let old = luma[block * 16];
            for y in 0..16 {
                luma[y * 1280 + block * 16..y * 1280 + block * 16 + 16]
                    .fill(if grey { 128 } else { BLACK + WHITE - old });
            }
            let expected = if grey { Damage::Unclear(block) } else { Damage::Check };
            prop_assert_eq!(read(&luma, 1280, 1280, 720), Err(expected));
        }
    }

    #[test]
    fn a_block_is_16_pixels_at_720p() {
        let luma = picture(1280, 720, u64::MAX >> 16);
        assert!(luma[..48 * 16].iter().all(|pixel| *pixel == WHITE));
        assert_eq!(luma[15 * 1280], WHITE);
        assert_eq!(luma[16 * 1280], 100);
        assert_eq!(luma[56 * 16], 100);
    }

    #[test]
    fn a_picture_without_a_clock_gives_no_time() {
        for level in [0, 16, 128, 235, 255] {
            assert!(read(&vec![level; 1280 * 720], 1280, 1280, 720).is_err(), "{level}");
        }
        assert_eq!(read(&[16; 100], 10, 10, 10), Err(Damage::TooSmall));
    }
}
