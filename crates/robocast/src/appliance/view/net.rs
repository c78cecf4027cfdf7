//! The two sides of the network, for people in front of the box.

use super::paint;
use robocast_bus::{NetStatus, RobotSideStatus, SinkStatus, UplinkState, UplinkStatus};

/// Which uplink is used and why, the uplinks, and the robot's side.
pub(super) fn net_table(net: &NetStatus, colour: bool) -> Vec<String> {
    let chosen = match net.uplinks.iter().find(|uplink| uplink.chosen) {
        Some(uplink) => format!("goes by {} ({})", uplink.name, net.chosen),
        None if net.chosen.is_empty() => "no uplink works".to_owned(),
        None => format!("goes by {}", net.chosen),
    };
    let tone = if net.chosen.is_empty() { "31" } else { "32" };
    let mut lines = vec![format!("network  {}{}", paint(colour, tone, &chosen), because(&net.why))];
    let names = net.uplinks.iter().map(|uplink| uplink.name.len()).max().unwrap_or(0).max("robot".len());
    lines.extend(net.uplinks.iter().map(|uplink| uplink_line(uplink, names, colour)));
    lines.push(robot_line(&net.robot, names, colour));
    if !net.text.is_empty() {
        lines.push(format!("  {}", paint(colour, "33", &net.text)));
    }
    if net.former {
        let words = "the new settings' uplinks were rolled back; these are the ones that were proven last";
        lines.push(format!("  {}", paint(colour, "33", words)));
    }
    if !net.proven {
        lines.push(format!("  {}", paint(colour, "33", "not yet as the settings want it; to do:")));
        lines.extend(net.plan.iter().map(|step| format!("    {step}")));
    }
    lines
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

fn uplink_line(uplink: &UplinkStatus, names: usize, colour: bool) -> String {
    let (tone, words) = match uplink.state {
        UplinkState::Absent => ("2", "no such device"),
        UplinkState::Down => ("2", "not connected"),
        UplinkState::Connecting => ("33", "connecting"),
        UplinkState::Captive => ("33", "login page"),
        UplinkState::Ready => ("0", "works, stands by"),
        UplinkState::Failing => ("31", "nothing passes"),
        UplinkState::Carrying => ("32", "carries"),
    };
    let cost = if uplink.metered { "costs by volume" } else { "" };
    let state = paint(colour, tone, &format!("{words:16}"));
    let rest = [uplink.interface.as_str(), &uplink.address, cost, &uplink.text];
    format!("  {:names$}  {state}  {}", uplink.name, joined(&rest))
}

fn robot_line(robot: &RobotSideStatus, names: usize, colour: bool) -> String {
    let (tone, words) = match robot {
        robot if robot.interface.is_empty() => ("2", "none set"),
        robot if !robot.present => ("31", "no such device"),
        robot if !robot.carrier => ("31", "no cable"),
        _ => ("32", "plugged in"),
    };
    let state = paint(colour, tone, &format!("{words:16}"));
    format!("  {:names$}  {state}  {}", "robot", joined(&[&robot.interface, &robot.address, &robot.text]))
}

fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("  ")
}

/// The uplink of a sink, for its line.
pub fn uplink_of(sink: &SinkStatus) -> String {
    match (sink.uplink.as_str(), sink.mptcp) {
        ("", false) => String::new(),
        ("", true) => "MPTCP".into(),
        (uplink, false) => format!("by {uplink}"),
        (uplink, true) => format!("by {uplink}, MPTCP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> NetStatus {
        let wifi = UplinkStatus {
            name: "wifi".into(),
            interface: "wlan0".into(),
            state: UplinkState::Failing,
            address: "192.168.1.20/24".into(),
            text: "nothing came through for 12 s".into(),
            ..UplinkStatus::default()
        };
        let lte = UplinkStatus {
            name: "lte".into(),
            interface: "wwan0".into(),
            state: UplinkState::Carrying,
            chosen: true,
            metered: true,
            address: "10.64.64.1/30".into(),
            ..UplinkStatus::default()
        };
        let robot = RobotSideStatus {
            interface: "eth0".into(),
            present: true,
            address: "192.168.50.10/24".into(),
            ..RobotSideStatus::default()
        };
        NetStatus {
            chosen: "wwan0".into(),
            why: "wifi passes nothing".into(),
            uplinks: vec![wifi, lte],
            robot,
            plan: vec!["give eth0 the address 192.168.50.10/24".into()],
            proven: false,
            text: "the robot's cable is out".into(),
            ..NetStatus::default()
        }
    }

    #[test]
    fn a_technician_reads_what_is_used_why_and_what_is_wrong() {
        let expected = "\
network  goes by lte (wwan0): wifi passes nothing
  wifi   nothing passes    wlan0  192.168.1.20/24  nothing came through for 12 s
  lte    carries           wwan0  10.64.64.1/30  costs by volume
  robot  no cable          eth0  192.168.50.10/24
  the robot's cable is out
  not yet as the settings want it; to do:
    give eth0 the address 192.168.50.10/24";
        assert_eq!(net_table(&net(), false).join("\n"), expected);
    }

    #[test]
    fn a_box_without_any_uplink_says_so() {
        let lines = net_table(&NetStatus { proven: true, ..NetStatus::default() }, false);
        assert_eq!(lines, ["network  no uplink works", "  robot  none set          "]);
    }

    #[test]
    fn the_line_of_a_sink_names_its_uplink() {
        let sink = |uplink: &str, mptcp| {
            uplink_of(&SinkStatus { uplink: uplink.into(), mptcp, ..Default::default() })
        };
        assert_eq!(
            [sink("", false), sink("wlan0", false), sink("wlan0", true)],
            ["", "by wlan0", "by wlan0, MPTCP"]
        );
    }
}
