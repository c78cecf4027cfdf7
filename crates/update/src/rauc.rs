//! RAUC on D-Bus (`de.pengutronix.rauc.Installer`, as in RAUC's `src/de.pengutronix.rauc.Installer.xml`).

use std::collections::{BTreeMap, HashMap};
use zbus::{OwnedVariant, fdo};

/// A slot's name, and what RAUC tells of it.
type SlotStatus = (String, HashMap<String, OwnedVariant>);

/// The part of RAUC's interface that is used here.
#[zbus::proxy(
    interface = "de.pengutronix.rauc.Installer",
    default_service = "de.pengutronix.rauc",
    default_path = "/"
)]
pub(crate) trait Installer {
    /// Marks the slot `slot_identifier` (`booted`, `other` or a name) as `state` (`good`, `bad` or `active`); the name of
    /// the slot that was marked, and a message.
    fn mark(&self, state: &str, slot_identifier: &str) -> fdo::Result<(String, String)>;

    /// Every slot.
    fn get_slot_status(&self) -> fdo::Result<Vec<SlotStatus>>;

    /// What the kernel's command line says was booted: a slot's name, its boot name or its device.
    #[zbus(property(emits_changed_signal = "false"))]
    fn boot_slot(&self) -> fdo::Result<String>;
}

/// A slot, with the texts that RAUC tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub name: String,
    pub told: BTreeMap<String, String>,
}

/// The slot that runs: the one RAUC says is booted (its `state`), or the one that `boot_slot` names.
pub(crate) fn booted(slots: Vec<SlotStatus>, boot_slot: &str) -> Option<Slot> {
    let texts = |(name, told): SlotStatus| {
        let text = |(key, value): (String, OwnedVariant)| Some((key, String::try_from(value).ok()?));
        Slot { name, told: told.into_iter().filter_map(text).collect() }
    };
    let mut slots: Vec<_> = slots.into_iter().map(texts).collect();
    let says = |slot: &Slot, key: &str, value: &str| slot.told.get(key).is_some_and(|told| told == value);
    let named = |slot: &Slot| {
        slot.name == boot_slot || ["bootname", "device"].iter().any(|key| says(slot, key, boot_slot))
    };
    let state = slots.iter().position(|slot| says(slot, "state", "booted"));
    let at = state.or_else(|| slots.iter().position(named).filter(|_| !boot_slot.is_empty()))?;
    Some(slots.swap_remove(at))
}

/// Whether an error says that nobody serves this name, nor would when asked.
pub(crate) fn absent(error: &fdo::Error) -> bool {
    matches!(error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, told: &[(&str, &str)]) -> SlotStatus {
        let value = |text: &str| OwnedVariant::from(zbus::Str::from(text.to_owned()));
        (name.into(), told.iter().map(|(key, text)| ((*key).into(), value(text))).collect())
    }

    #[test]
    fn the_booted_slot_is_the_one_of_that_state_else_the_one_that_is_named() {
        let states = [
            slot("rootfs.0", &[("bootname", "A"), ("state", "inactive")]),
            slot("rootfs.1", &[("bootname", "B"), ("state", "booted")]),
        ];
        let plain = [
            slot("rootfs.0", &[("bootname", "A"), ("device", "/dev/vda3")]),
            slot("rootfs.1", &[("bootname", "B"), ("device", "/dev/vda4")]),
            slot("other.0", &[("bootname", ""), ("device", "/dev/vda5")]),
        ];
        for (slots, boot_slot, name) in [
            (&states[..], "A", Some("rootfs.1")),
            (&states, "", Some("rootfs.1")),
            (&plain, "A", Some("rootfs.0")),
            (&plain, "/dev/vda4", Some("rootfs.1")),
            (&plain, "rootfs.1", Some("rootfs.1")),
            (&plain, "", None),
            (&plain, "C", None),
        ] {
            assert_eq!(
                booted(slots.to_vec(), boot_slot).map(|slot| slot.name).as_deref(),
                name,
                "{boot_slot}"
            );
        }
    }
}
