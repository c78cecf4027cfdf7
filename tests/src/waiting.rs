//! Waiting for a state.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How often a state is looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a healthy but busy machine may take for one step.
pub const SOON: Duration = Duration::from_secs(60);

/// Calls `look` again and again until it returns `Ok`. Its `Err` is what was seen instead.
///
/// # Panics
/// When that takes longer than `deadline`; the message says what was awaited and what was last seen.
#[track_caller]
pub fn wait<T, S: Display>(deadline: Duration, what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                began.elapsed() < deadline,
                "waited {:.1} s in vain for {what}; last seen: {seen}",
                began.elapsed().as_secs_f64()
            ),
        }
        thread::park_timeout(PAUSE);
    }
}

/// Checks for `how_long` that a state holds: `look` returns the problem, if there is one.
///
/// # Panics
/// When something is.
#[track_caller]
pub fn holds(how_long: Duration, what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let began = Instant::now();
    while began.elapsed() < how_long {
        if let Err(seen) = look() {
            panic!("{what} held for {:.1} s only: {seen}", began.elapsed().as_secs_f64());
        }
        thread::park_timeout(PAUSE);
    }
}

/// `Ok` with the value when `fits`, otherwise `Err` with a note of it.
pub fn when<T: std::fmt::Debug>(value: T, fits: impl FnOnce(&T) -> bool) -> Result<T, String> {
    if fits(&value) { Ok(value) } else { Err(format!("{value:?}")) }
}
