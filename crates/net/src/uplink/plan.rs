//! What is to be done so that NetworkManager has what the settings want. Pure.

use crate::uplink::facts::{Device, Facts, Known, state};
use crate::uplink::modem::{Modem, PIN_TRIES};
use crate::uplink::profile::{File, Profile, Value};
use crate::uplink::wanted::Wanted;
use robocast_config::{Secret, UplinkKind};
use std::fmt;

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a certificate or a key.
    WriteFile(File),
    /// Have NetworkManager leave an interface alone.
    Unmanage {
        /// The device.
        device: String,
        /// Its name.
        interface: String,
    },
    /// Add a profile.
    Add(Profile),
    /// Replace one.
    Update {
        /// Which.
        path: String,
        /// By what.
        profile: Profile,
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
    /// Delete a profile of ours that is not wanted any more.
    Delete {
        /// Which.
        path: String,
        /// Its id.
        id: String,
    },
    /// Delete a certificate that no profile names; only once all else is proven.
    DeleteFile(String),
}

impl Step {
    /// Whether it can take away what works now.
    #[must_use]
    pub fn touches(&self) -> bool {
        !matches!(self, Self::WriteFile(_) | Self::DeleteFile(_))
    }
}

impl fmt::Display for Step {
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

/// The steps from what is to what is wanted; empty when it is so. Profiles that are not ours stay as they are.
#[must_use]
pub fn plan(wanted: &Wanted, facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut names = Vec::new();
    for file in wanted.profiles.iter().flat_map(|profile| &profile.files) {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !facts.files.contains(&name) {
            steps.push(Step::WriteFile(file.clone()));
        }
        names.push(name);
    }
    for device in &facts.devices {
        if device.managed && wanted.robot.contains(&device.interface) {
            let (device, interface) = (device.path.clone(), device.interface.clone());
            steps.push(Step::Unmanage { device, interface });
        }
    }
    let mut activations = Vec::new();
    for profile in wanted.profiles.iter().map(|profile| held(profile, facts)) {
        let known = facts.profiles.iter().find(|known| known.uuid == profile.uuid);
        let changed = known.is_some_and(|known| differs(&profile, known));
        if let Some(device) = facts.device_of(&profile.uuid, profile.kind, profile.interface.as_deref())
            && !wanted.robot.contains(&device.interface)
            && activates(wanted, &profile, device, changed)
        {
            activations.push(Step::Activate {
                id: profile.id.clone(),
                uuid: profile.uuid.clone(),
                device: device.path.clone(),
                interface: device.interface.clone(),
            });
        }
        match known {
            None => steps.push(Step::Add(profile)),
            // An update without any secret leaves those of before where they are.
            Some(known) if changed && profile.secrets().next().is_none() && !known.secrets.is_empty() => {
                steps.push(Step::Delete { path: known.path.clone(), id: known.id.clone() });
                steps.push(Step::Add(profile));
            }
            Some(known) if changed => steps.push(Step::Update { path: known.path.clone(), profile }),
            Some(_) => {}
        }
    }
    steps.append(&mut activations);
    let unwanted = |known: &&Known| {
        known.mark.is_some() && !wanted.profiles.iter().any(|profile| profile.uuid == known.uuid)
    };
    for known in facts.profiles.iter().filter(unwanted) {
        steps.push(Step::Delete { path: known.path.clone(), id: known.id.clone() });
    }
    let stale = facts.files.iter().filter(|name| !names.contains(name));
    steps.extend(stale.cloned().map(Step::DeleteFile));
    steps
}

/// A PIN that has cost a try since it was written is wrong, and is not tried again: three cost the SIM. Another one is tried.
fn held(profile: &Profile, facts: &Facts) -> Profile {
    let mut profile = profile.clone();
    let Some(pin) = profile.secrets().find(|(_, key, _)| *key == "pin").map(|(_, _, pin)| pin.clone()) else {
        return profile;
    };
    let left = facts.modems.iter().find_map(Modem::pin_tries);
    let known = facts.profiles.iter().find(|known| known.uuid == profile.uuid);
    let same = |known: &&Known| known.secrets.get(&("gsm".to_owned(), "pin".to_owned())) == Some(&pin);
    match known.filter(same) {
        Some(known) => {
            profile.pin_tries = known.pin_tries;
            if left.is_some_and(|left| left < known.pin_tries.unwrap_or(PIN_TRIES)) {
                profile.set("connection", "autoconnect", Value::Flag(false));
            }
        }
        None => profile.pin_tries = left.filter(|left| *left < PIN_TRIES),
    }
    profile
}

fn differs(profile: &Profile, known: &Known) -> bool {
    let same = |(section, key, secret): (&str, &str, &Secret<String>)| {
        known.secrets.get(&(section.to_owned(), key.to_owned())) == Some(secret)
    };
    known.mark.as_ref() != Some(&profile.mark())
        || profile.secrets().count() != known.secrets.len()
        || !profile.secrets().all(same)
}

/// Whether a profile has to be told to come up, which NetworkManager else does by itself: where another profile sits on its
/// device, and where the one at work is an older one.
fn activates(wanted: &Wanted, profile: &Profile, device: &Device, changed: bool) -> bool {
    let waits = profile.sections.get("connection").and_then(|keys| keys.get("autoconnect"));
    if !device.managed || device.state < state::DISCONNECTED || waits == Some(&Value::Flag(false)) {
        return false;
    }
    match device.profile.as_deref() {
        Some(active) if active == profile.uuid => {
            changed || device.applied.as_deref().is_some_and(|applied| applied != profile.mark())
        }
        // Another network of ours, one of several in reach.
        Some(active) if wanted.profiles.iter().any(|other| other.uuid == active) => false,
        // Which Wi-Fi network is in reach is for NetworkManager to find out.
        Some(_) => profile.kind == UplinkKind::Ethernet,
        None => false,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
