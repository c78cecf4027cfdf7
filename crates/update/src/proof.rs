//! Which image of which slot was good before: the file `proven` in the state folder, one line a slot,
//! `SLOT IMAGE`. Both slots have their line: one that was good is still so when a box comes back to it.

use std::collections::BTreeMap;

/// The images that were good, by the name of their slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proofs(BTreeMap<String, String>);

impl Proofs {
    /// Reads the file; lines that make no sense are passed over, as of a slot that was never good.
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
    pub fn holds(&self, slot: &str, image: &str) -> bool {
        self.0.get(&word(slot)).is_some_and(|proven| *proven == line(image))
    }

    /// This image is good in this slot.
    pub fn add(&mut self, slot: &str, image: &str) {
        self.0.insert(word(slot), line(image));
    }
}

fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '_' } else { c }).collect()
}

/// What tells an image in a slot from every other: what RAUC wrote down when it installed it; where RAUC did not (an image
/// written by the maker), what the image says of itself. None when neither says anything: then it cannot be told from the
/// one before it.
#[must_use]
pub fn image(rauc: &BTreeMap<String, String>, os_release: &str) -> Option<String> {
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
            assert_eq!(image(&rauc, os).as_deref(), expected, "{rauc:?} {os}");
        }
    }

    #[test]
    fn each_slot_has_its_own_proof_and_a_new_image_replaces_the_old() {
        let mut proofs = Proofs::default();
        proofs.add("rootfs.0", "x 1");
        proofs.add("rootfs.1", "x 2");
        assert!(proofs.holds("rootfs.0", "x 1") && !proofs.holds("rootfs.0", "x 2"));
        proofs.add("rootfs.0", "x 3");
        assert!(!proofs.holds("rootfs.0", "x 1") && proofs.holds("rootfs.1", "x 2"));
        assert_eq!(proofs.render(), "rootfs.0 x 3\nrootfs.1 x 2\n");
        assert!(!proofs.holds("rootfs.2", ""));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            slots in proptest::collection::btree_map("\\PC{1,8}", "[ -~\\n\\t]{0,20}", 0..4)
        ) {
            let mut proofs = Proofs::default();
            slots.iter().for_each(|(slot, image)| proofs.add(slot, image));
            let read = Proofs::parse(&proofs.render());
            prop_assert_eq!(&read, &proofs);
            for (slot, image) in &slots {
                let same = slots.keys().filter(|other| word(other) == word(slot)).count() > 1;
                prop_assert!(same || read.holds(slot, image), "{slot:?} {image:?}");
            }
        }

        #[test]
        fn no_file_makes_it_panic(text in "\\PC*\\n?\\PC*") {
            let _ = (Proofs::parse(&text), image(&BTreeMap::new(), &text));
        }
    }
}
