//! Values that contradict each other, with all the problems that they cause.

mod table;

use table::expect_problems;

#[test]
fn an_address_outside_its_network_is_refused() {
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
address = "10.0.0.3"
"#,
        r#"4:11: error: the robot's address 10.0.0.3 is outside the network of own_address 192.168.50.10/24
  hint: add own_address = "10.0.0.10/24", or another free address in that network
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "go2"
own_address = "10.0.0.3/24"
"#,
        r#"4:15: error: the robot's address 192.168.123.161 is outside the network of own_address 10.0.0.3/24
  hint: give both an address of one network, such as own_address = "192.168.123.10/24"
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
address = "10.0.0.3"
own_address = "10.0.1.3/24"
"#,
        r#"3:11: error: the robot's address 10.0.0.3 is outside the network of own_address 10.0.1.3/24
  hint: give both an address of one network, such as own_address = "10.0.0.10/24"
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
address = "192.168.50.10"
"#,
        r#"4:11: error: the robot and the box have the same address 192.168.50.10
  hint: own_address is the box's own address in the robot's network; it must differ from the robot's
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
own_address = "192.168.50.0/24"
"#,
        r#"4:15: error: 192.168.50.0/24 is the network or its broadcast, not a host
  hint: change its last number
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
address = "192.168.50.255"
"#,
        r#"4:11: error: 192.168.50.255 is the network or its broadcast, not a robot
  hint: change its last number
"#,
    );
}

#[test]
fn two_streams_of_one_name_are_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
[[stream]]
name = "a"
source = "test:"
"#,
        r#"6:8: error: a stream named `a` is already given above
  hint: give each stream its own name
"#,
    );
}

#[test]
fn a_robots_source_needs_that_robot() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "spot:"
"#,
        r#"4:10: error: the source `spot:` needs a robot of kind "spot"
  hint: add a table [robot] with `kind = "spot"`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "go2:"
"#,
        r#"4:10: error: the source `go2:` needs a robot of kind "go2"
  hint: add a table [robot] with `kind = "go2"`
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
[[stream]]
name = "a"
source = "go2:"
"#,
        r#"6:10: error: the source `go2:` needs a robot of kind "go2"
  hint: write `kind = "go2"` under [robot]
"#,
    );
}

#[test]
fn min_above_max_is_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate = { min = "5 Mbit/s" }
"#,
        r#"5:19: error: bitrate min 5 Mbit/s is above max 4 Mbit/s (the default)
  hint: write min and max, the lower one as min
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate = { max = "200 kbit/s" }
"#,
        r#"5:19: error: bitrate min 300 kbit/s (the default) is above max 200 kbit/s
  hint: write min and max, the lower one as min
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
bitrate.min = "2 Mbit/s"
bitrate.max = "1 Mbit/s"
"#,
        r#"5:15: error: bitrate min 2 Mbit/s is above max 1 Mbit/s
  hint: write min and max, the lower one as min
"#,
    );
}

#[test]
fn pushing_twice_to_one_url_is_refused() {
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
push = ["rtmp://h/app/KEY", "rtmp://h/app/KEY"]
"#,
        r#"5:29: error: rtmp://h/app/*** is pushed to twice
  hint: remove one of the two
"#,
    );
}

#[test]
fn the_order_names_only_configured_uplinks() {
    expect_problems(
        r#"schema = 1
[uplink]
order = ["wifi", "lte", "lte"]
[[uplink.wifi]]
ssid = "Lab"
[[uplink.wifi]]
ssid = "Lab"
"#,
        r#"3:18: error: `lte` is not configured
  hint: add [uplink.lte], or take it out of the order
3:25: error: `lte` is twice in the order
  hint: remove one of the two
7:8: error: this Wi-Fi network is already given above
  hint: remove one of the two
"#,
    );
}

#[test]
fn the_uplink_ethernet_differs_from_the_robots() {
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
[uplink.ethernet]
interface = "eth0"
gateway = "10.0.0.1"
"#,
        r#"5:13: error: `eth0` is the robot's interface
  hint: the uplink needs another one, such as "eth1"
6:11: error: a gateway without an address
  hint: add `address`, or leave `gateway` to DHCP
"#,
    );
    expect_problems(
        r#"schema = 1
[uplink.ethernet]
interface = "eth1"
address = "10.0.0.2/24"
gateway = "10.0.1.1"
"#,
        r#"5:11: error: the gateway 10.0.1.1 is outside the network of 10.0.0.2/24
  hint: give both an address of one network
"#,
    );
    expect_problems(
        r#"schema = 1
[uplink.ethernet]
interface = "eth1"
address = "10.0.0.2/24"
gateway = "10.0.0.2"
"#,
        r#"5:11: error: the gateway 10.0.0.2 is the box's own address
  hint: write the router's address
"#,
    );
}

#[test]
fn a_password_needs_a_user() {
    expect_problems(
        r#"schema = 1
[control]
mqtt = "mqtts://h"
password = "hunter2"
"#,
        r#"4:12: error: a password without a username
  hint: add `username`
"#,
    );
}

#[test]
fn a_legal_but_unwise_setting_is_a_warning() {
    expect_problems(
        r#"schema = 1
"#,
        r#"1:1: warning: no [[stream]]: the box will push nothing
  hint: add a [[stream]] with `name`, `source` and `push`
"#,
    );
    expect_problems(
        r#"schema = 1
[[stream]]
name = "a"
source = "test:"
encode = "never"
fps = 3
push = ["rtmp://h/mystream?user=u&pass=p"]
[[stream]]
name = "b"
source = "test:"
push = ["rtmp://h/mystream?user=u&pass=p"]
[control]
mqtt = "mqtt://h"
username = "u"
password = "p"
"#,
        r#"6:7: warning: `fps` has no effect with `encode = "never"`
  hint: leave it out, or write `encode = "auto"`
7:9: warning: `rtmp://` sends the password in the clear
  hint: use `rtmps://` if the server supports it
11:9: warning: another stream is pushed to rtmp://h/mystream?user=***&pass=*** too
  hint: two streams with one key cut each other off: give each its own key
11:9: warning: `rtmp://` sends the password in the clear
  hint: use `rtmps://` if the server supports it
13:8: warning: `mqtt://` sends the password in the clear
  hint: use `mqtts://` if the broker supports it
"#,
    );
}

#[test]
fn an_invalid_value_is_not_checked_by_the_rules() {
    expect_problems(
        r#"schema = 1
[robot]
kind = "spto"
address = "10.0.0.1"
[[stream]]
name = "a"
source = "spot:"
bitrate = { min = "9 Mbit/s", max = "x" }
[[stream]]
name = "A"
source = "test:"
[[stream]]
name = "A"
source = "test:"
[uplink]
order = ["wifi"]
wifi = 3
"#,
        r#"3:8: error: unknown kind of robot `spto`
  hint: did you mean `spot`?
8:37: error: `x` is not a bitrate
  hint: write it with its unit, such as "300 kbit/s" or "1.4 Mbit/s"
10:8: error: the name `A` has characters other than a-z, 0-9 and `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
13:8: error: the name `A` has characters other than a-z, 0-9 and `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
17:8: error: `wifi` is a whole number, expected a list
  hint: write `[[uplink.wifi]]` and its keys on the lines below
"#,
    );
}

#[test]
fn errors_are_sorted_by_position() {
    expect_problems(
        r#"schema = 1
[page]
password = "short"
[device]
name = "A"
[[stream]]
name = "b"
source = "x:"
"#,
        r#"3:12: error: the page's password has only 5 characters
  hint: use at least 6
5:8: error: the name `A` has characters other than a-z, 0-9 and `-`
  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as "spot-07"
8:10: error: unknown source `x:`
  hint: write one of spot:, go2:, rtsp://..., rtsps://..., rtp://ADDRESS:PORT, v4l2:/dev/video0, libcamera:0, argus:0, test: or file:/PATH
"#,
    );
}

#[test]
fn the_settings_of_the_robots_wire_are_checked() {
    expect_problems(
        r#"schema = 1
[robot]
kind = "spot"
dhcp = "sever"
allow = ["tcp/554", "tcp/0", "icmp/1", "554", "udp/70000", "tcp/554"]
"#,
        r#"4:8: error: unknown value of `dhcp` `sever`
  hint: did you mean `server`?
5:21: error: `0` is not a port
  hint: write a number from 1 to 65535, such as "tcp/554"
5:30: error: unknown protocol `icmp`
  hint: write `tcp` or `udp`
5:40: error: `554` is not a protocol and a port
  hint: write the protocol and the port, such as "tcp/554"
5:47: error: `70000` is not a port
  hint: write a number from 1 to 65535, such as "tcp/554"
5:60: error: `tcp/554` is given twice
  hint: remove one of the two
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "go2"
address = "10.0.0.3"
own_address = "10.0.0.4/7"
"#,
        r#"5:15: error: 10.0.0.4/7 is wider than any robot's network
  hint: write a prefix length of 8 or more, such as "10.0.0.10/24"
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
kind = "go2"
address = "10.0.0.1"
own_address = "10.0.0.2/30"
dhcp = "server"
"#,
        r#"6:8: error: 10.0.0.2/30 leaves a DHCP server no addresses to give out
  hint: give own_address a prefix length of 29 or less, such as "192.168.50.10/24"
"#,
    );
    expect_problems(
        r#"schema = 1
[robot]
dhcp = "server"
"#,
        r#"3:8: error: a DHCP server needs an address of its own
  hint: add own_address = "192.168.50.10/24", or another address in the robot's network
"#,
    );
}
