//! The state of a modem. Pure; the numbers are ModemManager's (`ModemManager-enums.h`).

use std::collections::BTreeMap;

/// `MM_MODEM_LOCK_SIM_PIN`
const SIM_PIN: u32 = 2;
/// The number of tries of a SIM (3GPP TS 31.101, 9.5.1).
pub const PIN_TRIES: u32 = 3;
/// `MM_MODEM_LOCK_SIM_PUK`
const SIM_PUK: u32 = 4;

/// A modem as ModemManager reports it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Modem {
    /// `MMModemState`
    pub state: i32,
    /// `MMModemStateFailedReason`
    pub failed: u32,
    /// `MMModemLock`: the lock that is closed.
    pub lock: u32,
    /// The remaining tries of each lock.
    pub retries: BTreeMap<u32, u32>,
    /// `MMModem3gppRegistrationState`
    pub registration: u32,
    /// The operator's name.
    pub operator: String,
    /// Percent.
    pub signal: u32,
    /// The port that NetworkManager names the device after.
    pub port: String,
}

/// The current state of a modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModemState {
    /// No SIM, or none that can be read.
    NoSim,
    /// The SIM needs its PIN; the remaining tries, if known.
    NeedsPin(Option<u32>),
    /// Too many wrong PINs: it needs the PUK.
    NeedsPuk,
    /// It has failed.
    Failed,
    /// It is being set up, or waits for that.
    Idle,
    /// It searches for its network.
    Searching,
    /// The network does not accept this SIM.
    Denied,
    /// A foreign network.
    Roaming,
    /// Its own network.
    Registered,
}

impl Modem {
    /// Its state.
    #[must_use]
    pub fn modem_state(&self) -> ModemState {
        const NO_SIM: [u32; 2] = [2, 3];
        match (self.state, self.lock) {
            (-1, _) if NO_SIM.contains(&self.failed) => ModemState::NoSim,
            (_, SIM_PUK) => ModemState::NeedsPuk,
            (2, _) | (_, SIM_PIN) => ModemState::NeedsPin(self.retries.get(&SIM_PIN).copied()),
            (-1, _) => ModemState::Failed,
            (0..=6, _) => ModemState::Idle,
            _ => match self.registration {
                1 | 6 | 9 => ModemState::Registered,
                3 => ModemState::Denied,
                5 | 7 | 10 => ModemState::Roaming,
                _ => ModemState::Searching,
            },
        }
    }

    /// The remaining tries of the PIN, if one is needed.
    #[must_use]
    pub fn pin_tries(&self) -> Option<u32> {
        match self.modem_state() {
            ModemState::NeedsPin(left) => left,
            _ => None,
        }
    }

    /// For people: the problem and how to fix it. `pin`: whether the settings have one; `roaming`: whether they allow
    /// it.
    #[must_use]
    pub fn text(&self, pin: bool, roaming: bool) -> String {
        let operator = if self.operator.is_empty() { "the network" } else { &self.operator };
        match self.modem_state() {
            ModemState::NoSim => "no SIM: insert one, or check that it is inserted correctly".into(),
            ModemState::NeedsPin(_) if !pin => {
                "the SIM needs its PIN: add `pin` under [uplink.lte], or remove the PIN from the SIM".into()
            }
            ModemState::NeedsPin(Some(left)) if left < PIN_TRIES => format!(
                "the PIN is wrong, {left} {} left: it is not tried again until `pin` under [uplink.lte] is changed",
                if left == 1 { "try" } else { "tries" }
            ),
            ModemState::NeedsPin(_) => "the SIM is being unlocked with its PIN".into(),
            ModemState::NeedsPuk => {
                "the SIM is locked after wrong PINs: insert it into a phone and enter its PUK".into()
            }
            ModemState::Failed => "the modem has failed: check its antenna and its power supply".into(),
            ModemState::Idle => "the modem is being set up".into(),
            ModemState::Searching => "searching for a network: is the antenna connected?".into(),
            ModemState::Denied => format!("{operator} does not accept this SIM: is it activated?"),
            ModemState::Roaming if !roaming => format!(
                "only a foreign network ({operator}) is in reach: write `roaming = true` under [uplink.lte] to use it"
            ),
            ModemState::Roaming => format!("in {operator} (roaming), signal {} %", self.signal),
            ModemState::Registered => format!("in {operator}, signal {} %", self.signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_text() {
        let base = Modem { operator: "Telco".into(), signal: 60, lock: 1, ..Modem::default() };
        let locked = |left| Modem { state: 2, lock: 2, retries: BTreeMap::from([(2, left)]), ..base.clone() };
        let registered = |registration| Modem { state: 8, registration, ..base.clone() };
        let table = [
            (Modem { state: -1, failed: 2, ..base.clone() }, false, false, "no SIM"),
            (locked(3), false, false, "add `pin`"),
            (locked(3), true, false, "being unlocked"),
            (locked(2), true, false, "wrong, 2 tries left"),
            (locked(1), true, false, "wrong, 1 try left"),
            (Modem { state: 2, lock: 4, ..base.clone() }, true, false, "PUK"),
            (Modem { state: -1, failed: 1, ..base.clone() }, true, false, "failed"),
            (Modem { state: 3, ..base.clone() }, true, false, "set up"),
            (registered(2), true, false, "searching"),
            (registered(3), true, false, "Telco does not accept"),
            (registered(5), true, false, "roaming = true"),
            (registered(5), true, true, "in Telco (roaming), signal 60 %"),
            (registered(1), true, false, "in Telco, signal 60 %"),
        ];
        for (modem, pin, roaming, words) in table {
            let text = modem.text(pin, roaming);
            assert!(text.contains(words), "{modem:?}: {text}");
        }
        assert_eq!((locked(2).pin_tries(), registered(1).pin_tries()), (Some(2), None));
    }
}
