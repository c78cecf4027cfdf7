//! Which image of which slot was good before: the file `proven` in the state folder, one line per slot, `SLOT IMAGE`.
//! Each slot has its line: a good one is still good when a box returns to it.

use robocast_daemon::{atomic, journal};
use robocast_system::rauc::RaucSlot;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file in the state folder.
const FILE: &str = "proven";
/// The image's own identification.
const OS_RELEASE: &str = "/usr/lib/os-release";

/// The images that were good, by the name of their slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoodSlots(BTreeMap<String, String>);

impl GoodSlots {
    /// Parses the file. A line that makes no sense counts as that of a slot that was never good.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| line.split_once(' ').map(|(slot, image)| (slot.to_owned(), image.to_owned()));
        Self(text.lines().filter_map(line).collect())
    }

    /// The file.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.iter().map(|(slot, image)| format!("{slot} {image}\n")).collect()
    }

    /// Whether this image was good in this slot.
    #[must_use]
    pub fn contains(&self, slot: &str, image: &str) -> bool {
        self.0.get(&word(slot)).is_some_and(|good| *good == line(image))
    }

    /// This image is good in this slot.
    pub fn add(&mut self, slot: &str, image: &str) {
        self.0.insert(word(slot), line(image));
    }
}

/// The file, and the image that runs.
#[derive(Debug)]
pub struct GoodSlotsFile {
    path: PathBuf,
    slot: String,
    image: Option<String>,
}

impl GoodSlotsFile {
    /// The one in the folder `state`, for the image in `booted`.
    #[must_use]
    pub fn of(state: &Path, booted: &RaucSlot) -> Self {
        let os_release = std::fs::read_to_string(OS_RELEASE).unwrap_or_default();
        let image = image_id(&booted.texts, &os_release);
        Self { path: state.join(FILE), slot: booted.name.clone(), image }
    }

    /// Whether the image that runs was good in its slot before.
    #[must_use]
    pub fn contains_booted(&self) -> bool {
        self.image.as_ref().is_some_and(|image| self.read().contains(&self.slot, image))
    }

    /// Adds the running image. When that fails, the next boot waits for the gate again; that is the only effect.
    pub fn add_booted(&self) {
        let Some(image) = &self.image else {
            tracing::warn!("this image has no id by which it could be known again; every boot will test it");
            return;
        };
        let mut slots = self.read();
        slots.add(&self.slot, image);
        if let Err(error) = atomic::write(&self.path, slots.render().as_bytes(), 0o644) {
            tracing::warn!("cannot remember that this slot is good: {}", journal::chain(&error));
        }
    }

    fn read(&self) -> GoodSlots {
        GoodSlots::parse(&std::fs::read_to_string(&self.path).unwrap_or_default())
    }
}

fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '_' } else { c }).collect()
}

/// What identifies an image in a slot: RAUC's record of its installation, or, for a flashed image, its own
/// identification. `None` when neither exists: then it cannot be distinguished from the one before it.
#[must_use]
pub fn image_id(rauc: &BTreeMap<String, String>, os_release: &str) -> Option<String> {
    let named = |name: &&str, value: Option<String>| value.map(|value| format!("{name}={value}"));
    let installed = ["bundle.hash", "installed.timestamp"];
    let installed: Vec<_> =
        installed.iter().filter_map(|name| named(name, rauc.get(*name).cloned())).collect();
    let itself = ["IMAGE_VERSION", "BUILD_ID"];
    let itself = itself.iter().filter_map(|name| named(name, field(os_release, name)));
    let parts = if installed.is_empty() { itself.collect() } else { installed };
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A field of an `os-release` file, without its quotes.
fn field(os_release: &str, name: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_image_is_known_by_its_installation_else_by_what_it_says_of_itself() {
        let os = "NAME=robocast\nIMAGE_VERSION=\"0.2.0\"\nBUILD_ID=2026-11-21\nVERSION_ID=1\n";
        type Told = &'static [(&'static str, &'static str)];
        let table: [(Told, &str, Option<&str>); 6] = [
            (
                &[
                    ("bundle.hash", "ab12"),
                    ("installed.timestamp", "2026-11-21T07:00:00Z"),
                    ("state", "booted"),
                ],
                os,
                Some("bundle.hash=ab12 installed.timestamp=2026-11-21T07:00:00Z"),
            ),
            (&[("installed.timestamp", "T")], os, Some("installed.timestamp=T")),
            (&[("state", "booted")], os, Some("IMAGE_VERSION=0.2.0 BUILD_ID=2026-11-21")),
            (&[], "BUILD_ID='7'\n", Some("BUILD_ID=7")),
            (&[], "MY_BUILD_ID=7\nBUILD_ID=\n", None),
            (&[], "", None),
        ];
        for (rauc, os, expected) in table {
            let rauc = rauc.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(image_id(&rauc, os).as_deref(), expected, "{rauc:?} {os}");
        }
    }

    #[test]
    fn each_slot_has_its_own_line_and_a_new_image_replaces_the_old() {
        let mut slots = GoodSlots::default();
        slots.add("rootfs.0", "x 1");
        slots.add("rootfs.1", "x 2");
        assert!(slots.contains("rootfs.0", "x 1") && !slots.contains("rootfs.0", "x 2"));
        slots.add("rootfs.0", "x 3");
        assert!(!slots.contains("rootfs.0", "x 1") && slots.contains("rootfs.1", "x 2"));
        assert_eq!(slots.render(), "rootfs.0 x 3\nrootfs.1 x 2\n");
        assert!(!slots.contains("rootfs.2", ""));
    }

    #[test]
    fn the_file_holds_the_booted_image_once_it_was_added() {
        let folder = tempfile::tempdir().unwrap();
        let slot = |installed: &str| RaucSlot {
            name: "rootfs.0".into(),
            texts: BTreeMap::from([("installed.timestamp".into(), installed.into())]),
        };
        let file = GoodSlotsFile::of(folder.path(), &slot("T1"));
        assert!(!file.contains_booted());
        file.add_booted();
        let text = std::fs::read_to_string(folder.path().join("proven")).unwrap();
        assert_eq!(text, "rootfs.0 installed.timestamp=T1\n");
        assert!(GoodSlotsFile::of(folder.path(), &slot("T1")).contains_booted());
        assert!(!GoodSlotsFile::of(folder.path(), &slot("T2")).contains_booted());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            images in proptest::collection::btree_map("\\PC{1,8}", "[ -~\\n\\t]{0,20}", 0..4)
        ) {
            let mut slots = GoodSlots::default();
            images.iter().for_each(|(slot, image)| slots.add(slot, image));
            let read = GoodSlots::parse(&slots.render());
            prop_assert_eq!(&read, &slots);
            for (slot, image) in &images {
                let same = images.keys().filter(|other| word(other) == word(slot)).count() > 1;
                prop_assert!(same || read.contains(slot, image), "{slot:?} {image:?}");
            }
        }

        #[test]
        fn no_file_makes_it_panic(text in "\\PC*\\n?\\PC*") {
            let _ = (GoodSlots::parse(&text), image_id(&BTreeMap::new(), &text));
        }
    }
}
