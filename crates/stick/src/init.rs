//! A first settings file: its input, and the text.
//!
//! The owner answers questions ([`questions`]) or gives flags; both fill [`Answers`], whose [`Answers::text`] is a
//! commented `robocast.toml`. Only `robocast_config` decides which answers are valid; it checks each.

pub mod presets;
pub mod questions;
mod text;

use robocast_config::Secret;

pub use presets::{Preset, PresetError};
pub use questions::{Ask, interview};

/// The contents of a first settings file. `None` and empty: not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The name of the box.
    pub name: Option<String>,
    /// `spot`, `go2` or `none`.
    pub robot: Option<String>,
    /// User on the robot.
    pub robot_username: Option<String>,
    /// Password on the robot.
    pub robot_password: Option<Secret<String>>,
    /// The name of the stream.
    pub stream: Option<String>,
    /// The source of its video.
    pub source: Option<Secret<String>>,
    /// Where it is pushed to.
    pub push: Vec<Secret<String>>,
    /// The name of the Wi-Fi network; an empty one: none.
    pub wifi: Option<String>,
    /// Its password; none of an open network.
    pub wifi_password: Option<Secret<String>>,
    /// The country whose radio rules apply.
    pub country: Option<String>,
    /// Whether the network does not announce its name.
    pub hidden: bool,
    /// The access point name of the mobile network; an empty one: none.
    pub apn: Option<String>,
    /// The PIN of the SIM.
    pub pin: Option<Secret<String>>,
    /// The MQTT broker's URL.
    pub mqtt: Option<String>,
    /// User at the broker.
    pub mqtt_username: Option<String>,
    /// Password at the broker.
    pub mqtt_password: Option<Secret<String>>,
    /// The password of the local page; an empty one: no page.
    pub page_password: Option<Secret<String>>,
    /// Whether the box seals the secrets on the stick once they are proven.
    pub erase_secrets: Option<bool>,
}

impl Answers {
    /// The robot's kind, as written.
    fn kind(&self) -> &str {
        self.robot.as_deref().unwrap_or("none")
    }

    /// The usual source of a robot: its own camera, or a USB camera.
    #[must_use]
    pub fn usual_source(&self) -> &'static str {
        match self.kind() {
            "spot" => "spot:",
            "go2" => "go2:",
            _ => "v4l2:/dev/video0",
        }
    }
}
