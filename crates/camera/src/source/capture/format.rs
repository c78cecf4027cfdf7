//! Chooses among the offers that a V4L2 camera formats. Pure.

use gst::Fraction;
use robocast_config::{Encode, Size, Stream};
use robocast_video::DEFAULT_SIZE;
use std::cmp::Reverse;

/// Frames per second where the settings do not set them.
const DEFAULT_FPS: u32 = 30;

/// The form in which a V4L2 camera gives its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaptureMode {
    /// Its own H.264, passed through.
    H264,
    /// Raw pictures, to be encoded.
    Raw,
    /// JPEG pictures, to be decoded and encoded.
    Jpeg,
}

impl CaptureMode {
    fn of(format: &str) -> Option<Self> {
        match format {
            "video/x-h264" => Some(Self::H264),
            "video/x-raw" => Some(Self::Raw),
            "image/jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264",
            Self::Raw => "video/x-raw",
            Self::Jpeg => "image/jpeg",
        }
    }
}

/// A format of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureFormat {
    /// The form of its pictures.
    pub mode: CaptureMode,
    /// Their size in pixels.
    pub size: Size,
    /// Pictures per second; `None` where the driver does not report it.
    pub rate: Option<Fraction>,
}

impl CaptureFormat {
    /// As caps that only this format satisfies.
    #[must_use]
    pub fn caps(&self) -> String {
        let Size { width, height } = self.size;
        let rate = self.rate.map(|rate| format!(",framerate={}/{}", rate.numer(), rate.denom()));
        format!("{},width={width},height={height}{}", self.mode.format(), rate.unwrap_or_default())
    }
}

/// Chooses among what a camera offers (`caps`): its own H.264 where that is wanted and has the requested size;
/// otherwise the format with the most of the requested pixels per second, raw before JPEG, and among these the
/// smallest: anything larger or faster than requested only costs the bus, the decoder and the scaler.
#[must_use]
pub fn choose_format(caps: &gst::Caps, stream: &Stream) -> Option<CaptureFormat> {
    let wish = RequestedFormat {
        size: stream.size.unwrap_or(DEFAULT_SIZE),
        rate: Fraction::new(i32::try_from(stream.fps.unwrap_or(DEFAULT_FPS)).unwrap_or(i32::MAX), 1),
    };
    let formats: Vec<CaptureFormat> =
        caps.iter_with_features().filter_map(|offered| wish.nearest(offered)).collect();
    let best = |fits: &dyn Fn(&&CaptureFormat) -> bool| {
        formats.iter().filter(fits).min_by_key(|format| wish.rank(format)).copied()
    };
    let own = |format: &&CaptureFormat| format.mode == CaptureMode::H264;
    if stream.encode != Encode::Always
        && let Some(format) =
            best(&|format| own(format) && stream.size.is_none_or(|size| size == format.size))
    {
        return Some(format);
    }
    best(&|format| !own(format)).or_else(|| best(&own))
}

struct RequestedFormat {
    size: Size,
    rate: Fraction,
}

impl RequestedFormat {
    /// The format in one structure of a camera's caps that is nearest to the wish.
    fn nearest(
        &self,
        (offered, features): (&gst::StructureRef, &gst::CapsFeaturesRef),
    ) -> Option<CaptureFormat> {
        // Interlaced pictures and those in foreign memory are not for the chains that follow.
        if !features.is_equal(&gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY) {
            return None;
        }
        let side = |name, wanted: u32| {
            let near = whole(offered.value(name).ok()?, i32::try_from(wanted).ok()?)?;
            u32::try_from(near).ok()
        };
        Some(CaptureFormat {
            mode: CaptureMode::of(offered.name().as_str())?,
            size: Size { width: side("width", self.size.width)?, height: side("height", self.size.height)? },
            rate: offered.value("framerate").ok().and_then(|value| fraction(value, self.rate)),
        })
    }

    /// The lowest is best: first the most of the requested pixels per second; then the lowest cost.
    fn rank(&self, format: &CaptureFormat) -> impl Ord + use<> {
        // In a thousand seconds: NTSC's rates are no whole numbers.
        let rate = |rate: Fraction| {
            let (pictures, seconds) = (i64::from(rate.numer()), i64::from(rate.denom()));
            u64::try_from(pictures * 1000 / seconds).unwrap_or(0)
        };
        let wished = rate(self.rate);
        // A driver that does not report it is assumed to be fast enough.
        let given = format.rate.map_or(wished, rate);
        let covered = u64::from(format.size.width.min(self.size.width))
            * u64::from(format.size.height.min(self.size.height));
        let pixels = u64::from(format.size.width) * u64::from(format.size.height);
        (Reverse(covered.saturating_mul(given.min(wished))), format.mode, pixels, given)
    }
}

/// The value nearest to `wanted`, and not below it if that can be.
fn nearest<T: Ord + Copy>(values: impl Iterator<Item = T> + Clone, wanted: T) -> Option<T> {
    values.clone().filter(|value| *value >= wanted).min().or_else(|| values.max())
}

fn whole(value: &gst::glib::SendValue, wanted: i32) -> Option<i32> {
    if let Ok(range) = value.get::<gst::IntRange<i32>>() {
        let [least, most, step] = [range.min(), range.max(), range.step()].map(i64::from);
        let above = (i64::from(wanted).clamp(least, most) - least + step - 1) / step * step + least;
        return i32::try_from(if above > most { above - step } else { above }).ok();
    }
    if let Ok(list) = value.get::<gst::List>() {
        let values: Vec<i32> = list.iter().filter_map(|value| value.get().ok()).collect();
        return nearest(values.into_iter(), wanted);
    }
    value.get().ok()
}

fn fraction(value: &gst::glib::SendValue, wanted: Fraction) -> Option<Fraction> {
    if let Ok(range) = value.get::<gst::FractionRange>() {
        return Some(wanted.clamp(range.min(), range.max()));
    }
    if let Ok(list) = value.get::<gst::List>() {
        let values: Vec<Fraction> = list.iter().filter_map(|value| value.get().ok()).collect();
        return nearest(values.into_iter(), wanted);
    }
    value.get().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(more: &str) -> Stream {
        let text =
            format!("schema = 1\n[[stream]]\nname = \"front\"\nsource = \"v4l2:/dev/video0\"\n{more}\n");
        let settings = robocast_config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}")).settings;
        settings.streams[0].clone()
    }

    fn chosen(offered: &str, more: &str) -> Option<String> {
        gst::init().unwrap();
        choose_format(&offered.parse().unwrap(), &stream(more)).map(|format| format.caps())
    }

    /// A webcam of the usual kind: raw pictures only as fast as USB 2 lets them through.
    const WEBCAM: &str = "video/x-raw,format=YUY2,width=640,height=480,framerate={(fraction)30/1,(fraction)15/1}; \
         video/x-raw,format=YUY2,width=1280,height=720,framerate={(fraction)10/1,(fraction)5/1}; \
         video/x-raw,format=YUY2,width=1920,height=1080,framerate=5/1; \
         image/jpeg,width=1280,height=720,framerate={(fraction)60/1,(fraction)30/1}; \
         image/jpeg,width=1920,height=1080,framerate=30/1";

    /// The kernel's test camera, which has no 320x240.
    const VIVID: &str = "video/x-raw,format=YUY2,width=3840,height=2160,framerate={(fraction)1/1,(fraction)5/1}; \
         video/x-raw(format:Interlaced),format=YUY2,width=320,height=240,framerate=5/1; \
         video/x-raw,format=YUY2,width=640,height=480,framerate={(fraction)30/1,(fraction)5/1,(fraction)4/1}; \
         video/x-raw,format=YUY2,width=640,height=360,framerate={(fraction)30/1,(fraction)5/1}; \
         video/x-raw,format=YUY2,width=320,height=180,framerate={(fraction)60/1,(fraction)5/1}";

    #[test]
    fn the_least_that_gives_what_is_asked_for() {
        let raw = "video/x-raw,width";
        for (offered, more, expected) in [
            (VIVID, "size = \"320x240\"\nfps = 5", format!("{raw}=640,height=360,framerate=5/1")),
            (VIVID, "size = \"320x180\"\nfps = 25", format!("{raw}=320,height=180,framerate=60/1")),
            (VIVID, "size = \"1280x720\"\nfps = 5", format!("{raw}=3840,height=2160,framerate=5/1")),
            (VIVID, "size = \"1280x720\"\nfps = 30", format!("{raw}=640,height=480,framerate=30/1")),
            (WEBCAM, "", "image/jpeg,width=1280,height=720,framerate=30/1".into()),
            (WEBCAM, "size = \"640x480\"", format!("{raw}=640,height=480,framerate=30/1")),
            (WEBCAM, "size = \"1280x720\"\nfps = 10", format!("{raw}=1280,height=720,framerate=10/1")),
            (
                WEBCAM,
                "size = \"1280x720\"\nfps = 60",
                "image/jpeg,width=1280,height=720,framerate=60/1".into(),
            ),
            (WEBCAM, "size = \"3840x2160\"", "image/jpeg,width=1920,height=1080,framerate=30/1".into()),
        ] {
            assert_eq!(chosen(offered, more), Some(expected), "{more}");
        }
    }

    #[test]
    fn ranges_and_lists_of_a_driver_are_read() {
        let stepwise = "video/x-raw,width=[32,2592,16],height=[32,1944,2],framerate=[1/1,90/1]";
        assert_eq!(
            chosen(stepwise, "size = \"1000x562\"\nfps = 25").unwrap(),
            "video/x-raw,width=1008,height=562,framerate=25/1"
        );
        assert_eq!(
            chosen(stepwise, "size = \"4000x3000\"").unwrap(),
            "video/x-raw,width=2592,height=1944,framerate=30/1"
        );
        let lists = "video/x-raw,width={640,1280,1920},height={480,720,1080}";
        assert_eq!(chosen(lists, "size = \"1000x562\"").unwrap(), "video/x-raw,width=1280,height=720");
        assert_eq!(chosen("video/x-bayer,width=640,height=480", ""), None);
        assert_eq!(chosen("EMPTY", ""), None);
    }

    #[test]
    fn a_cameras_own_h264_of_another_rate_is_asked_for_at_its_own() {
        let own = "video/x-h264,width=1280,height=720,framerate={(fraction)30/1,(fraction)15/1}";
        assert_eq!(
            chosen(own, "size = \"1280x720\"\nfps = 25").unwrap(),
            "video/x-h264,width=1280,height=720,framerate=30/1"
        );
    }

    proptest! {
        /// The chosen format is always one that the camera offers.
        #[test]
        fn nothing_is_asked_for_that_is_not_offered(
            offers in prop::collection::vec(
                (0..3_usize, 16..4000_u32, 16..3000_u32, prop::collection::vec(1..120_i32, 1..4)), 1..8),
            width in 8..2000_u32, height in 8..1500_u32, fps in 1..120_u32, asked in any::<bool>(),
        ) {
            gst::init().unwrap();
            let formats = ["video/x-h264", "video/x-raw", "image/jpeg"];
            let words: Vec<String> = offers.iter().map(|(format, width, height, rates)| {
                let rates: Vec<String> = rates.iter().map(|rate| format!("(fraction){rate}/1")).collect();
                format!("{},width={width},height={height},framerate={{{}}}", formats[*format], rates.join(","))
            }).collect();
            let offered: gst::Caps = words.join("; ").parse().unwrap();
            let more = format!("size = \"{}x{}\"\nfps = {fps}", width * 2, height * 2);
            let format = choose_format(&offered, &stream(if asked { &more } else { "" })).unwrap();
            let caps: gst::Caps = format.caps().parse().unwrap();
            prop_assert!(caps.can_intersect(&offered), "{caps} of {offered}");
        }
    }
}
