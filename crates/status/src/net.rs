//! The status of the net program: the robot's side, the uplinks, and which of them it chose.

use crate::ProgramStatus;
use crate::states::UplinkState;
use serde::{Deserialize, Serialize};

/// One uplink.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UplinkStatus {
    /// Its name in the settings: `wifi`, `lte`, `ethernet`.
    pub name: String,
    /// Its interface; empty while there is none.
    pub interface: String,
    /// Its state.
    pub state: UplinkState,
    /// Whether the net program chose it.
    pub chosen: bool,
    /// Whether its traffic costs money.
    pub metered: bool,
    /// The box's address on it, with the length of the prefix; empty while there is none.
    pub address: String,
    /// For people: the problem, and how to fix it.
    pub text: String,
}

/// The robot's side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RobotSideStatus {
    /// The interface that the settings name; empty without a robot.
    pub interface: String,
    /// Whether that interface is there, in the robot's namespace.
    pub present: bool,
    /// Whether a cable with something alive at its other end is plugged in.
    pub carrier: bool,
    /// The box's own address there, with the length of the prefix.
    pub address: String,
    /// For people: the problem, and how to fix it.
    pub text: String,
}

/// The status of the net program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetStatus {
    /// The interface of the uplink that new connections are to take; empty: none was chosen.
    pub chosen: String,
    /// For people: why this one.
    pub why: String,
    /// The uplinks, in the order of the settings.
    pub uplinks: Vec<UplinkStatus>,
    /// The robot's side.
    pub robot: RobotSideStatus,
    /// The last steps, or those in progress.
    pub plan: Vec<String>,
    /// Whether the network matches the newest settings: nothing is left to do.
    pub proven: bool,
    /// Whether this holds for the uplinks, whatever the state of the robot's side.
    pub uplinks_proven: bool,
    /// How often it has read its settings since it started: a program that requests a reload waits for the next number.
    pub reads: u32,
    /// Whether the uplinks are the last proven ones, because the new ones were rolled back.
    pub former: bool,
    /// For people: the problem, and how to fix it.
    pub text: String,
}

impl ProgramStatus for NetStatus {
    fn deserves_signal(&self, before: &Self) -> bool {
        self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_the_network_deserves_a_signal() {
        let before = NetStatus { uplinks: vec![UplinkStatus::default()], ..NetStatus::default() };
        assert!(!before.clone().deserves_signal(&before));
        let metered = UplinkStatus { metered: true, ..UplinkStatus::default() };
        for changed in [
            NetStatus { chosen: "wlan0".into(), ..before.clone() },
            NetStatus { uplinks: vec![metered], ..before.clone() },
            NetStatus { reads: 1, ..before.clone() },
            NetStatus {
                robot: RobotSideStatus { carrier: true, ..RobotSideStatus::default() },
                ..before.clone()
            },
        ] {
            assert!(changed.deserves_signal(&before), "{changed:?}");
        }
    }

    #[test]
    fn a_status_with_fewer_and_with_more_fields_is_read() {
        let json = r#"{"chosen":"wlan0","uplinks":[{"name":"wifi","state":"carrying","new":1}],"newer":[]}"#;
        let status: NetStatus = serde_json::from_str(json).unwrap();
        assert_eq!((status.uplinks[0].state, status.uplinks[0].metered), (UplinkState::Carrying, false));
    }
}
