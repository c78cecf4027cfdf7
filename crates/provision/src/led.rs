//! The board's LED shows the result of a stick, to somebody at the box without a screen.
//!
//! The board's facts name it (`hw/boards/BOARD/board.conf`: `LED`). The kernel does the blinking (`timer`), so the last
//! sign stays until the next stick or the next start.

use robocast_stick::Outcome;
use std::io;
use std::path::{Path, PathBuf};

/// The board's facts, as `hw/install` puts them onto the box.
const FACTS: &str = "/usr/lib/robocast/board.conf";
const LEDS: &str = "/sys/class/leds";

/// The sign that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedSign {
    /// Fast: the stick is being read, or the settings are being proven. Leave it in.
    Busy,
    /// Steady: proven.
    Proven,
    /// Slow: kept, but something was not proven.
    Kept,
    /// A short flash every two seconds: refused, nothing was changed.
    Refused,
}

impl From<Outcome> for LedSign {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Proven => Self::Proven,
            Outcome::Kept => Self::Kept,
            Outcome::Refused => Self::Refused,
        }
    }
}

impl LedSign {
    /// How long on and how long off, in ms; without it, steady.
    const fn times(self) -> Option<(u32, u32)> {
        match self {
            Self::Busy => Some((100, 100)),
            Self::Proven => None,
            Self::Kept => Some((1000, 1000)),
            Self::Refused => Some((150, 1850)),
        }
    }
}

/// The LED of this board, if it names one and has it.
#[derive(Debug, Clone)]
pub struct Led(Option<PathBuf>);

impl Led {
    /// The board's.
    #[must_use]
    pub fn of_board() -> Self {
        Self::of(&std::fs::read_to_string(FACTS).unwrap_or_default(), Path::new(LEDS))
    }

    fn of(facts: &str, leds: &Path) -> Self {
        let named = facts.lines().find_map(|line| line.strip_prefix("LED=\"")?.strip_suffix('"'));
        let plain = |name: &&str| !name.is_empty() && !name.contains(['/', '.']);
        Self(named.filter(plain).map(|name| leds.join(name)).filter(|led| led.is_dir()))
    }

    /// Shows a sign. An LED that fails is no reason to fail.
    pub fn show_sign(&self, sign: LedSign) {
        let Some(led) = &self.0 else { return };
        if let Err(error) = show(led, sign) {
            tracing::debug!("the LED {} cannot be set: {error}", led.display());
        }
    }
}

fn show(led: &Path, sign: LedSign) -> io::Result<()> {
    let write = |name: &str, value: &str| {
        let mut file = std::fs::OpenOptions::new().write(true).open(led.join(name))?;
        io::Write::write_all(&mut file, value.as_bytes())
    };
    match sign.times() {
        Some((on, off)) => {
            write("trigger", "timer")?;
            // Made by the trigger.
            write("delay_on", &on.to_string())?;
            write("delay_off", &off.to_string())
        }
        None => {
            write("trigger", "none")?;
            let most = std::fs::read_to_string(led.join("max_brightness"))?;
            write("brightness", most.trim())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_shown_can_be_told_apart() {
        let leds = tempfile::tempdir().unwrap();
        let act = leds.path().join("ACT");
        fs::create_dir(&act).unwrap();
        for name in ["trigger", "delay_on", "delay_off", "brightness"] {
            fs::File::create(act.join(name)).unwrap();
        }
        robocast_daemon::atomic::write(&act.join("max_brightness"), b"255\n", 0o644).unwrap();
        let led = Led::of("BOARD=\"x\"\nLED=\"ACT\"\n", leds.path());
        let mut seen = Vec::new();
        for sign in [LedSign::Busy, LedSign::Proven, LedSign::Kept, LedSign::Refused] {
            for name in ["trigger", "delay_on", "delay_off", "brightness"] {
                fs::File::create(act.join(name)).unwrap();
            }
            led.show_sign(sign);
            seen.push(
                ["trigger", "delay_on", "delay_off", "brightness"]
                    .map(|name| fs::read_to_string(act.join(name)).unwrap()),
            );
        }
        assert_eq!(seen[0], ["timer", "100", "100", ""]);
        assert_eq!(seen[1], ["none", "", "", "255"]);
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn a_board_without_one_shows_nothing() {
        let leds = tempfile::tempdir().unwrap();
        for facts in ["", "LED=\"\"\n", "LED=\"ACT\"\n", "LED=\"../x\"\n"] {
            let led = Led::of(facts, leds.path());
            assert!(led.0.is_none(), "{facts}");
            led.show_sign(LedSign::Busy);
        }
    }
}
