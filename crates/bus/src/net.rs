//! What the net program says: the robot's side, the uplinks, and which of them was chosen.

use serde::{Deserialize, Serialize};

/// How an uplink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UplinkState {
    /// The box has no such interface: a modem that is not plugged in.
    #[default]
    Absent,
    /// There, and not connected: no cable, no access point in reach, no SIM.
    Down,
    /// On the way: radio, password, address.
    Connecting,
    /// Connected, but a login page stands before the world.
    Captive,
    /// It works, and stands by.
    Ready,
    /// Connected, and nothing comes through.
    Failing,
    /// It works, and streams go through it.
    Carrying,
}

/// One uplink.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UplinkStatus {
    /// What the settings call it: `wifi`, `lte`, `ethernet`.
    pub name: String,
    /// Its interface; empty while there is none.
    pub interface: String,
    /// How it is.
    pub state: UplinkState,
    /// Whether it is the one that was chosen.
    pub chosen: bool,
    /// Whether its traffic costs money.
    pub metered: bool,
    /// The box's address on it, with the length of the prefix; empty while there is none.
    pub address: String,
    /// For people: what is wrong, and what would mend it.
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
    /// For people: what is wrong, and what would mend it.
    pub text: String,
}

/// What the net program says of itself.
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
    /// The steps that were last carried out, or are being carried out.
    pub plan: Vec<String>,
    /// Whether the facts are what the settings want: nothing is left to do. Never of settings older than the last that were read.
    pub proven: bool,
    /// Whether that holds of the uplinks, whatever the robot's side is like.
    pub uplinks_proven: bool,
    /// How often it has read its settings since it began: who had it read them waits for the next.
    pub reads: u32,
    /// Whether the uplinks are those of the settings that were proven last, since the new ones were taken back.
    pub former: bool,
    /// For people: what is wrong, and what would mend it.
    pub text: String,
}
