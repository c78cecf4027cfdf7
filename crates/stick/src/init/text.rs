//! The text of a first settings file.

use std::fmt::Write as _;

use robocast_config::quoted;

use super::Answers;

impl Answers {
    /// A commented `robocast.toml`. It holds the answers, whether they are valid or not.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::from(HEAD);
        if self.erase_secrets.unwrap_or(false) {
            out.push_str(ERASE);
        }
        section(&mut out, "device", "The box: host name, MQTT id. 1 to 32 of a-z, 0-9 and -.");
        line(&mut out, "name", self.name.as_deref().unwrap_or("robocast"), "");
        if self.kind() != "none" {
            section(
                &mut out,
                "robot",
                "What carries it. Addresses are those it left the factory with, unless given.",
            );
            line(&mut out, "kind", self.kind(), "spot | go2 | none");
            optional(&mut out, "username", self.robot_username.as_deref());
            optional(&mut out, "password", self.robot_password.as_ref().map(|p| p.expose().as_str()));
        }
        self.stream(&mut out);
        self.uplink(&mut out);
        if let Some(mqtt) = self.mqtt.as_deref().filter(|url| !url.is_empty()) {
            section(&mut out, "control", "Control over MQTT.");
            line(&mut out, "mqtt", mqtt, "");
            optional(&mut out, "username", self.mqtt_username.as_deref());
            optional(&mut out, "password", self.mqtt_password.as_ref().map(|p| p.expose().as_str()));
        }
        if let Some(password) = self.page_password.as_ref().filter(|p| !p.expose().is_empty()) {
            section(&mut out, "page", "The box's own page in its network.");
            line(&mut out, "password", password.expose(), "at least 6 characters");
        }
        out.push_str(TAIL);
        out
    }

    fn stream(&self, out: &mut String) {
        section(out, "[stream]", "One of these for each camera.");
        line(out, "name", self.stream.as_deref().unwrap_or("front"), "");
        let source = self.source.as_ref().map_or(self.usual_source(), |source| source.expose().as_str());
        line(out, "source", source, "spot: | go2: | rtsp://... | v4l2:/dev/video0 | test: ...");
        let push: Vec<String> = self.push.iter().map(|url| quoted(url.expose())).collect();
        let _ = writeln!(out, "push = [{}]", push.join(", "));
        out.push_str(STREAM);
    }

    fn uplink(&self, out: &mut String) {
        if let Some(ssid) = self.wifi.as_deref().filter(|ssid| !ssid.is_empty()) {
            section(out, "[uplink.wifi]", "One of these for each Wi-Fi network.");
            line(out, "ssid", ssid, "");
            let password = self.wifi_password.as_ref().filter(|p| !p.expose().is_empty());
            match password {
                Some(password) => line(out, "password", password.expose(), "8 to 63 characters"),
                None => out.push_str("# password = \"...\"       # none: an open network\n"),
            }
            optional(out, "country", self.country.as_deref());
            if self.hidden {
                out.push_str("hidden = true\n");
            }
        }
        if let Some(apn) = self.apn.as_deref().filter(|apn| !apn.is_empty()) {
            section(out, "uplink.lte", "The mobile network.");
            line(out, "apn", apn, "");
            optional(out, "pin", self.pin.as_ref().map(|pin| pin.expose().as_str()));
        }
    }
}

fn section(out: &mut String, title: &str, about: &str) {
    let _ = write!(out, "\n# {about}\n[{title}]\n");
}

fn line(out: &mut String, key: &str, value: &str, about: &str) {
    let gap = if about.is_empty() { "" } else { "  # " };
    let _ = writeln!(out, "{key} = {}{gap}{about}", quoted(value));
}

fn optional(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        line(out, key, value, "");
    }
}

const HEAD: &str = "\
#:schema https://raw.githubusercontent.com/robocast/robocast/main/docs/robocast.schema.json
# Settings of a robocast box. On a stick, in its top folder, as robocast.toml.
# All keys, with their defaults: docs/robocast.example.toml. Check it with `robocast stick check FILE`.
schema = 1
";

const ERASE: &str = "\
# Once these settings are proven, the box rewrites this file with its secrets sealed, so that only the box can read them.
erase_secrets = true
";

const STREAM: &str = "\
# bitrate = { min = \"300 kbit/s\", max = \"4 Mbit/s\" }
# size = \"1280x720\"       # when the box encodes
# start = \"always\"        # always | on-demand
";

const TAIL: &str = "
# Keys of an SSH server on the box: the stick's authorized_keys. Off unless true.
# [debug]
# ssh = false
";
