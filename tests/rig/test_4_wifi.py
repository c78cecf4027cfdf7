"""Radios: an access point and the box's own, simulated by the kernel; the programs on both ends are the real ones."""

import json

import pytest
from board import SETTINGS

pytestmark = pytest.mark.lg_feature("wifi-radio")

ACCESS_POINT = """\
interface=wlan0
driver=nl80211
ssid=Lab
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt={management}
rsn_pairwise=CCMP
wpa_passphrase=a-secret-of-the-lab
ieee80211w={protected}
"""


@pytest.fixture(scope="module")
def radios(streaming_board):
    """Two radios: the first in its own namespace, for the access point; the second is the box's."""
    board = streaming_board
    board.run("modprobe mac80211_hwsim radios=2")
    board.until("two radios", 30, "ls /sys/class/ieee80211", "phy1")
    board.run("ip netns add air && iw phy phy0 set netns name air")
    board.run("ip -n air link set lo up && ip -n air address add 10.99.0.1/24 dev wlan0")
    board.until("NetworkManager has the other", 60, "nmcli -t -f DEVICE,STATE device", r"wlan1:disconnected")
    return board


@pytest.mark.parametrize(("name", "management", "protected", "key"), [("wpa2", "WPA-PSK", 0, "wpa-psk"), ("wpa3", "SAE", 2, "sae")])
def test_the_box_joins_a_network(radios, name, management, protected, key):
    board = radios
    configuration = ACCESS_POINT.format(management=management, protected=protected)
    board.run(f"printf %s '{configuration}' > /run/hostapd-{name}.conf")
    board.run(f"ip netns exec air hostapd -B -P /run/hostapd.pid /run/hostapd-{name}.conf")
    try:
        board.run(
            f"nmcli connection add type wifi con-name {name} ifname wlan1 ssid Lab wifi-sec.key-mgmt {key} "
            "wifi-sec.psk a-secret-of-the-lab ipv4.method manual ipv4.addresses 10.99.0.2/24 ipv6.method disabled "
            "connection.autoconnect no")
        # An attempt that takes long is left alone: another one would start over.
        state = f"nmcli -g GENERAL.STATE connection show {name}"
        board.until("joined", 90, f"[ -n \"$({state})\" ] || nmcli --wait 0 connection up {name}; {state}", "^activated")
        board.run("ping -c 1 -W 5 -I wlan1 10.99.0.1 || ip netns exec air ping -c 1 -W 5 10.99.0.2")
        assert "Lab" in board.run("iw dev wlan1 link")
        # The profile's content is on the data partition, and only root can read it.
        assert board.run(f"stat -c '%a %U' /var/lib/NetworkManager/system-connections/{name}.nmconnection") == "600 root"
    finally:
        # robocast leaves other profiles alone, this one too.
        board.ask(f"nmcli connection delete {name}; kill $(cat /run/hostapd.pid); rm -f /run/hostapd-{name}.conf")


def test_the_box_joins_the_network_of_its_settings(the_board):
    """From the settings alone: WPA2 and WPA3 at once, as today's access points offer it."""
    board = the_board
    board.cut()
    board.flash(SETTINGS + """
[uplink]
order = ["wifi", "ethernet"]
[[uplink.wifi]]
ssid = "Lab"
password = "a-secret-of-the-lab"
country = "DE"
address = "10.99.0.2/24"
[uplink.ethernet]
interface = "eth1"
""")
    board.boot()
    board.streaming(240)
    board.run("modprobe mac80211_hwsim radios=2")
    board.until("two radios", 30, "ls /sys/class/ieee80211", "phy1")
    board.run("ip netns add air && iw phy phy0 set netns name air")
    board.run("ip -n air link set lo up && ip -n air address add 10.99.0.1/24 dev wlan0")
    configuration = ACCESS_POINT.format(management="WPA-PSK SAE", protected=1)
    board.run(f"printf %s '{configuration}' > /run/hostapd.conf")
    board.run("ip netns exec air hostapd -B -P /run/hostapd.pid /run/hostapd.conf")

    def net():
        lines = board.run("robocast status --json || true").splitlines()
        return next((json.loads(line)["net"] for line in lines if line.startswith('{"net"')), None)
    board.until("joined", 120, "iw dev wlan1 link", "Lab")
    board.until("the box reports it", 60, "robocast status --json | grep '\"net\"'", "10.99.0.2")
    told = net()
    wifi = next(uplink for uplink in told["uplinks"] if uplink["interface"] == "wlan1")
    assert wifi["address"].startswith("10.99.0.2") and "a-secret" not in json.dumps(told)
    # The media server cannot be reached through it: the streams stay where they flow.
    assert told["chosen"] == "eth1", told["why"]
    assert board.run("iw reg get | grep -c 'country DE'") != "0"
    assert board.ask("journalctl -b --no-pager | grep -F a-secret-of-the-lab")[1] != 0
    board.cut()
