//! Which box this is, for its receipts.

use std::fs::File;
use std::io::Read;

/// The serial number of the board; empty when it has none.
#[must_use]
pub fn hardware() -> String {
    let places = ["/proc/device-tree/serial-number", "/sys/class/dmi/id/product_serial"];
    places.iter().find_map(|path| line(path)).unwrap_or_default()
}

/// The kind of board, such as `raspberrypi5`; the board's own name for itself, when the image does not record one.
#[must_use]
pub fn board() -> String {
    let conf = file("/usr/lib/robocast/board.conf").unwrap_or_default();
    let named = conf.lines().find_map(|line| Some(line.strip_prefix("BOARD=")?.trim_matches('"').to_owned()));
    named.or_else(|| line("/proc/device-tree/model")).unwrap_or_else(|| "unknown".into())
}

/// The time in UTC, in RFC 3339, to the second.
#[must_use]
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

fn line(path: &str) -> Option<String> {
    let text = file(path)?;
    let line = text.lines().next()?.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!line.is_empty()).then(|| line.chars().filter(|c| !c.is_control()).take(64).collect())
}

fn file(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(64 * 1024).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_time_is_to_the_second_and_in_utc() {
        let now = super::now();
        assert_eq!((now.len(), now.ends_with('Z'), now.as_bytes()[10]), (20, true, b'T'), "{now}");
    }
}
