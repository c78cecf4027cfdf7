//! The steps from the observed to the desired uplinks. Pure.

use crate::uplink::desired::DesiredUplinks;
use crate::uplink::modem::{Modem, PIN_TRIES};
use crate::uplink::observed::{ObservedUplinks, StoredProfile, UplinkDevice, state};
use crate::uplink::profile::{ProfileFile, ProfileValue, UplinkProfile};
use robocast_config::{Secret, UplinkKind};
use std::fmt;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkStep {
    /// Write a certificate or a key.
    WriteFile(ProfileFile),
    /// Have NetworkManager ignore an interface.
    Unmanage {
        /// The device.
        device: String,
        /// Its name.
        interface: String,
    },
    /// Add a profile.
    Add(UplinkProfile),
    /// Replace one.
    Update {
        /// Which.
        path: String,
        /// The new profile.
        profile: UplinkProfile,
    },
    /// Use a profile on a device now.
    Activate {
        /// The profile's id.
        id: String,
        /// Its UUID.
        uuid: String,
        /// The device.
        device: String,
        /// Its name.
        interface: String,
    },
    /// Delete a profile of ours that is no longer desired.
    Delete {
        /// Which.
        path: String,
        /// Its id.
        id: String,
    },
    /// Delete a certificate that no profile refers to; only once everything else is verified.
    DeleteFile(String),
}

impl UplinkStep {
    /// Whether it can interrupt a working uplink.
    #[must_use]
    pub fn is_disruptive(&self) -> bool {
        !matches!(self, Self::WriteFile(_) | Self::DeleteFile(_))
    }
}

impl fmt::Display for UplinkStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteFile(file) => write!(f, "write {}", file.path.display()),
            Self::Unmanage { interface, .. } => write!(f, "leave {interface} alone: it is the robot's"),
            Self::Add(profile) => write!(f, "add profile {} ({})", profile.id, profile.name),
            Self::Update { profile, .. } => write!(f, "change profile {} ({})", profile.id, profile.name),
            Self::Activate { id, interface, .. } => write!(f, "use profile {id} on {interface}"),
            Self::Delete { id, .. } => write!(f, "delete profile {id}"),
            Self::DeleteFile(name) => write!(f, "delete {name}"),
        }
    }
}

/// The steps from the observed to the desired state; empty when they agree. Profiles that are not ours are not changed.
#[must_use]
pub fn plan(desired: &DesiredUplinks, observed: &ObservedUplinks) -> Vec<UplinkStep> {
    let mut steps = Vec::new();
    let mut names = Vec::new();
    for file in desired.profiles.iter().flat_map(|profile| &profile.files) {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !observed.files.contains(&name) {
            steps.push(UplinkStep::WriteFile(file.clone()));
        }
        names.push(name);
    }
    for device in &observed.devices {
        if device.managed && desired.is_robots(device) {
            let (device, interface) = (device.path.clone(), device.interface.clone());
            steps.push(UplinkStep::Unmanage { device, interface });
        }
    }
    let mut activations = Vec::new();
    for profile in desired.profiles.iter().map(|profile| with_pin_guard(profile, observed)) {
        let known = observed.profiles.iter().find(|known| known.uuid == profile.uuid);
        let changed = known.is_some_and(|known| differs(&profile, known));
        if let Some(device) = observed.device_of(&profile.uuid, profile.kind, profile.interface.as_deref())
            && !desired.is_robots(device)
            && needs_activation(desired, &profile, device, changed)
        {
            activations.push(UplinkStep::Activate {
                id: profile.id.clone(),
                uuid: profile.uuid.clone(),
                device: device.path.clone(),
                interface: device.interface.clone(),
            });
        }
        match known {
            None => steps.push(UplinkStep::Add(profile)),
            // An update without secrets would keep the old ones.
            Some(known) if changed && profile.secrets().next().is_none() && !known.secrets.is_empty() => {
                steps.push(UplinkStep::Delete { path: known.path.clone(), id: known.id.clone() });
                steps.push(UplinkStep::Add(profile));
            }
            Some(known) if changed => steps.push(UplinkStep::Update { path: known.path.clone(), profile }),
            Some(_) => {}
        }
    }
    steps.append(&mut activations);
    let unwanted = |known: &&StoredProfile| {
        known.digest.is_some() && !desired.profiles.iter().any(|profile| profile.uuid == known.uuid)
    };
    for known in observed.profiles.iter().filter(unwanted) {
        steps.push(UplinkStep::Delete { path: known.path.clone(), id: known.id.clone() });
    }
    let stale = observed.files.iter().filter(|name| !names.contains(name));
    steps.extend(stale.cloned().map(UplinkStep::DeleteFile));
    steps
}

/// A PIN that has used up a try since it was written is wrong, and is not tried again: after three the SIM is locked. Another
/// PIN is tried.
fn with_pin_guard(profile: &UplinkProfile, observed: &ObservedUplinks) -> UplinkProfile {
    let mut profile = profile.clone();
    let Some(pin) = profile.secrets().find(|(_, key, _)| *key == "pin").map(|(_, _, pin)| pin.clone()) else {
        return profile;
    };
    let left = observed.modems.iter().find_map(Modem::pin_tries);
    let known = observed.profiles.iter().find(|known| known.uuid == profile.uuid);
    let same =
        |known: &&StoredProfile| known.secrets.get(&("gsm".to_owned(), "pin".to_owned())) == Some(&pin);
    match known.filter(same) {
        Some(known) => {
            profile.pin_tries = known.pin_tries;
            if left.is_some_and(|left| left < known.pin_tries.unwrap_or(PIN_TRIES)) {
                profile.set("connection", "autoconnect", ProfileValue::Flag(false));
            }
        }
        None => profile.pin_tries = left.filter(|left| *left < PIN_TRIES),
    }
    profile
}

fn differs(profile: &UplinkProfile, known: &StoredProfile) -> bool {
    let same = |(section, key, secret): (&str, &str, &Secret<String>)| {
        known.secrets.get(&(section.to_owned(), key.to_owned())) == Some(secret)
    };
    known.digest.as_ref() != Some(&profile.digest())
        || profile.secrets().count() != known.secrets.len()
        || !profile.secrets().all(same)
}

/// Whether a profile must be activated explicitly, which NetworkManager usually does: if another profile is active on
/// its device, or an older version of this one.
fn needs_activation(
    desired: &DesiredUplinks,
    profile: &UplinkProfile,
    device: &UplinkDevice,
    changed: bool,
) -> bool {
    let waits = profile.sections.get("connection").and_then(|keys| keys.get("autoconnect"));
    if !device.managed || device.state < state::DISCONNECTED || waits == Some(&ProfileValue::Flag(false)) {
        return false;
    }
    match device.profile.as_deref() {
        Some(active) if active == profile.uuid => {
            changed || device.applied.as_deref().is_some_and(|applied| applied != profile.digest())
        }
        // Another network of ours; NetworkManager chose between them.
        Some(active) if desired.profiles.iter().any(|other| other.uuid == active) => false,
        // Which Wi-Fi network is in reach is NetworkManager's to find out.
        Some(_) => profile.kind == UplinkKind::Ethernet,
        None => false,
    }
}

#[cfg(test)]
mod tests;
