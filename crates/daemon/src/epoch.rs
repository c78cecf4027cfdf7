//! Which times are plausible on this box: none before the image was made, none an era later.

use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file whose modification time is that of the image. systemd never lets the clock start before it.
pub const CLOCK_EPOCH: &str = "/usr/lib/clock-epoch";

/// A clock that is further ahead of the image than this is wrong: no image is in use for this long.
pub const IMAGE_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);

/// When the image was made; `None` where the image does not record it.
#[must_use]
pub fn image_epoch() -> Option<SystemTime> {
    modification_time(Path::new(CLOCK_EPOCH))
}

/// Whether `time` can be the time now: between the image's and [`IMAGE_LIFETIME`] later. Without an image's time, any can be.
#[must_use]
pub fn plausible(time: SystemTime) -> bool {
    plausible_after(time, image_epoch())
}

/// The same for an image made at `epoch`.
#[must_use]
pub fn plausible_after(time: SystemTime, epoch: Option<SystemTime>) -> bool {
    epoch.is_none_or(|epoch| time.duration_since(epoch).is_ok_and(|age| age <= IMAGE_LIFETIME))
}

fn modification_time(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_time_is_plausible_from_the_image_on_for_twenty_years() {
        let epoch = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        for (time, plausible) in [
            (SystemTime::UNIX_EPOCH, false),
            (epoch - DAY, false),
            (epoch, true),
            (epoch + DAY, true),
            (epoch + 7300 * DAY, true),
            (epoch + 7301 * DAY, false),
        ] {
            assert_eq!(plausible_after(time, Some(epoch)), plausible, "{time:?}");
        }
        assert!(plausible_after(SystemTime::UNIX_EPOCH, None), "an image without an epoch rules nothing out");
    }

    #[test]
    fn the_epoch_is_the_modification_time_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock-epoch");
        assert_eq!(modification_time(&path), None);
        let made = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        std::fs::File::create(&path).unwrap().set_modified(made).unwrap();
        assert_eq!(modification_time(&path), Some(made));
    }
}
