//! RAUC (`de.pengutronix.rauc.Installer`, as in RAUC's `src/de.pengutronix.rauc.Installer.xml`).

use crate::ServiceError;
use futures_util::{FutureExt, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use zbus::{Connection, OwnedVariant, fdo};

const RAUC: &str = "RAUC";

/// A slot's name, and RAUC's data about it.
type SlotStatus = (String, HashMap<String, OwnedVariant>);

/// The part of RAUC's interface that is used.
#[zbus::proxy(
    interface = "de.pengutronix.rauc.Installer",
    default_service = "de.pengutronix.rauc",
    default_path = "/"
)]
trait RaucInstaller {
    /// Begins an installation; the signal `Completed` ends it.
    fn install_bundle(&self, source: &str, args: HashMap<&str, OwnedVariant>) -> fdo::Result<()>;

    /// Marks the slot `slot_identifier` (`booted`, `other` or a name) as `state` (`good`, `bad` or `active`); the name of
    /// the slot that was marked, and a message.
    fn mark(&self, state: &str, slot_identifier: &str) -> fdo::Result<(String, String)>;

    /// Every slot.
    fn get_slot_status(&self) -> fdo::Result<Vec<SlotStatus>>;

    /// The last error.
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> fdo::Result<String>;

    /// Per cent, the current step, and how deeply nested that is.
    #[zbus(property)]
    fn progress(&self) -> fdo::Result<(i32, String, i32)>;

    /// The booted slot according to the kernel's command line: a slot's name, its boot name or its device.
    #[zbus(property(emits_changed_signal = "false"))]
    fn boot_slot(&self) -> fdo::Result<String>;

    /// 0 when it went well.
    #[zbus(signal)]
    fn completed(&self, result: i32) -> zbus::Result<()>;
}

/// A slot, with the texts that RAUC has about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaucSlot {
    /// Its name, such as `rootfs.0`.
    pub name: String,
    /// By their keys: `state`, `bootname`, `device`, `installed.timestamp` ...
    pub texts: BTreeMap<String, String>,
}

/// Which slot runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootedSlot {
    /// This one.
    Known(RaucSlot),
    /// RAUC knows no slot that was booted; the value is how RAUC identifies the boot.
    Unknown(String),
}

/// How far an installation is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallProgress {
    /// 0 to 100.
    pub percent: u8,
    /// The current step, in RAUC's words.
    pub text: String,
}

/// RAUC on a bus.
#[derive(Debug, Clone)]
pub struct Rauc(RaucInstallerProxy<'static>);

impl Rauc {
    /// RAUC on `bus`. Whether it is there shows at the first call.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn on(bus: &Connection) -> Result<Self, ServiceError> {
        RaucInstallerProxy::new(bus).await.map(Self).map_err(|error| ServiceError::from_bus(RAUC, error))
    }

    /// The slot that runs.
    ///
    /// # Errors
    /// RAUC is not here, or cannot report it.
    pub async fn booted_slot(&self) -> Result<BootedSlot, ServiceError> {
        let slots = self.0.get_slot_status().await.map_err(refused)?;
        let boot_slot = self.0.boot_slot().await.map_err(refused)?;
        Ok(find_booted(slots, &boot_slot).map_or(BootedSlot::Unknown(boot_slot), BootedSlot::Known))
    }

    /// Marks the slot that runs as good. The name of that slot, and RAUC's message.
    ///
    /// # Errors
    /// RAUC is not here, or refuses: it may be busy.
    pub async fn mark_booted_good(&self) -> Result<(String, String), ServiceError> {
        self.0.mark("good", "booted").await.map_err(refused)
    }

    /// Installs the bundle at `path` into the slot that does not run, and waits for the end. `report` is called with
    /// each progress.
    ///
    /// # Errors
    /// RAUC is not here, ends meanwhile, or does not install it. RAUC's text is then the message.
    pub async fn install(
        &self,
        path: &Path,
        mut report: impl FnMut(InstallProgress),
    ) -> Result<(), ServiceError> {
        let bus = |error| ServiceError::from_bus(RAUC, error);
        // Signals first: nothing may be missed between the call and its end.
        let mut completed = self.0.receive_completed().await.map_err(bus)?;
        let mut progress = self.0.receive_progress_changed().await;
        let mut owner = self.0.inner().receive_owner_changed().await.map_err(bus)?;
        let source = path.to_str().unwrap_or_default();
        self.0.install_bundle(source, HashMap::new()).await.map_err(refused)?;
        loop {
            tokio::select! {
                biased;
                Some(change) = progress.next() => {
                    // One that cannot be read is followed by others.
                    if let Some(Ok((percent, text, _))) = change.get().now_or_never() {
                        let percent = u8::try_from(percent.clamp(0, 100)).unwrap_or_default();
                        report(InstallProgress { percent, text });
                    }
                }
                end = completed.next() => {
                    let end = end.ok_or(ServiceError::Gone(RAUC))?;
                    return match end.args().map_err(bus)?.result {
                        0 => Ok(()),
                        _ => Err(self.last_error().await),
                    };
                }
                now = owner.next() => if now.flatten().is_none() {
                    return Err(ServiceError::Gone(RAUC));
                },
            }
        }
    }

    async fn last_error(&self) -> ServiceError {
        match self.0.last_error().await {
            Ok(message) => {
                ServiceError::Refused { service: RAUC, name: "de.pengutronix.rauc.LastError".into(), message }
            }
            Err(error) => refused(error),
        }
    }
}

fn refused(error: fdo::Error) -> ServiceError {
    ServiceError::from_call(RAUC, error)
}

/// The running slot: the one that RAUC reports as booted (its `state`), or the one that `boot_slot` names.
fn find_booted(slots: Vec<SlotStatus>, boot_slot: &str) -> Option<RaucSlot> {
    let texts = |(name, values): SlotStatus| {
        let text = |(key, value): (String, OwnedVariant)| Some((key, String::try_from(value).ok()?));
        RaucSlot { name, texts: values.into_iter().filter_map(text).collect() }
    };
    let mut slots: Vec<_> = slots.into_iter().map(texts).collect();
    let has = |slot: &RaucSlot, key: &str, value: &str| slot.texts.get(key).is_some_and(|text| text == value);
    let named = |slot: &RaucSlot| {
        slot.name == boot_slot || ["bootname", "device"].iter().any(|key| has(slot, key, boot_slot))
    };
    let state = slots.iter().position(|slot| has(slot, "state", "booted"));
    let at = state.or_else(|| slots.iter().position(named).filter(|_| !boot_slot.is_empty()))?;
    Some(slots.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, texts: &[(&str, &str)]) -> SlotStatus {
        let value = |text: &str| OwnedVariant::from(zbus::Str::from(text.to_owned()));
        (name.into(), texts.iter().map(|(key, text)| ((*key).into(), value(text))).collect())
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
            let found = find_booted(slots.to_vec(), boot_slot);
            assert_eq!(found.map(|slot| slot.name).as_deref(), name, "{boot_slot}");
        }
    }

    #[test]
    fn a_slots_texts_are_kept_and_its_other_values_are_not() {
        let (name, mut values) = slot("rootfs.0", &[("state", "booted"), ("installed.timestamp", "T")]);
        values.insert("installed.count".into(), OwnedVariant::from(1u32));
        let found = find_booted(vec![(name, values)], "").unwrap();
        let texts: Vec<_> = found.texts.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(texts, [("installed.timestamp", "T"), ("state", "booted")]);
    }
}
