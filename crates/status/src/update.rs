//! The status of the update program.

use crate::ProgramStatus;
use serde::{Deserialize, Serialize};

/// The state of the update program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateStatus {
    /// Whether a bundle is being installed.
    pub installing: bool,
    /// 0 to 100; of the last installation when none is under way.
    pub percent: u8,
    /// For people: the current step.
    pub text: String,
    /// For people: why the last installation failed; empty when it did not.
    pub last_error: String,
}

impl ProgramStatus for UpdateStatus {
    fn deserves_signal(&self, before: &Self) -> bool {
        self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_an_update_deserves_a_signal() {
        let before = UpdateStatus { installing: true, percent: 40, ..UpdateStatus::default() };
        assert!(!before.clone().deserves_signal(&before));
        for changed in [
            UpdateStatus { installing: false, ..before.clone() },
            UpdateStatus { percent: 41, ..before.clone() },
            UpdateStatus { text: "Copying image".into(), ..before.clone() },
            UpdateStatus { last_error: "no bundle".into(), ..before.clone() },
        ] {
            assert!(changed.deserves_signal(&before), "{changed:?}");
        }
    }
}
