"""From power on to video, and the state of the box while it streams."""

import base64
import json
import re

import pytest
from board import figure, until
from world import REPOSITORY, run


def test_a_box_boots_to_streaming(streaming_board, world):
    """The server's recording contains the robot's own pictures, in their order."""
    board = streaming_board
    pictures, width, height = world.pictures(board.recording)
    assert (width, height) == (1280, 720)
    assert pictures >= 15
    own = world.robots_pictures(board.recording)
    assert own >= 15, f"of {pictures} pictures only {own} are the robot's"


def test_status_reports_what_is_sent(streaming_board):
    """The rate too, as the programs count it: the footage has some 1.5 Mbit/s."""
    said = until("a rate", 30, lambda: (said := streaming_board.status()["front"])["bitrate_bps"] and said)
    assert said["state"] == "live" and 200_000 < said["bitrate_bps"] < 10_000_000, said
    assert re.search(r"front +live +(?!0 )[\d.]+ [kM]bit/s", streaming_board.run("robocast status"))


def test_the_robots_interface_is_in_its_namespace_and_nowhere_else(streaming_board):
    board = streaming_board
    assert "192.168.123.222/24" in board.run("ip -n robot address show dev eth0")
    assert "eth0" not in board.run("ls /sys/class/net")
    out, status = board.ask("ip -n robot route get 10.77.0.1")
    assert status != 0, f"the robot's side knows a way out: {out}"
    assert board.run("systemctl show -P NetworkNamespacePath robocast-camera@front.service") == "/run/netns/robot"


def test_no_unit_failed(streaming_board):
    assert streaming_board.run("systemctl list-units --failed --plain --no-legend") == ""
    streaming_board.until("the system is up", 120, "systemctl is-system-running", "running")


def test_nothing_listens_on_the_uplink(streaming_board):
    lines = streaming_board.run("ss -Hltun")
    for line in lines.splitlines():
        address = line.split()[4]
        assert re.match(r"(127\.|\[::1\]|10\.77\.0\.\d+(%\w+)?:68|0\.0\.0\.0:68)", address), f"listens: {line}"
    # Control: the same check finds a listener that exists.
    assert "127.0.0.53" in lines


def test_the_root_is_read_only(streaming_board):
    board = streaming_board
    for path in ("/x", "/etc/x", "/usr/x"):
        out, status = board.ask(f"touch {path}")
        assert status != 0 and "Read-only" in out
    board.ask("mount -o remount,rw /")
    assert board.ask("touch /x")[1] != 0
    assert board.ask("touch /var/lib/robocast/x && rm /var/lib/robocast/x")[1] == 0


def test_a_program_writes_where_its_unit_says_and_nowhere_else(streaming_board):
    """Judged by the unit's own mounts, not by its user's permissions."""
    for unit, may in (("robocast-camera@front", "/run/robocast/camera"), ("robocast-push@front", None), ("robocast-net", "/run/robocast")):
        inside = f"nsenter --target $(systemctl show -P MainPID {unit}) --mount"
        for place in ("/run", "/etc", "/usr", "/var", "/var/lib", "/root"):
            out, status = streaming_board.ask(f"{inside} touch {place}/x")
            assert status != 0, f"{unit} may write to {place}"
        if may:
            streaming_board.run(f"{inside} touch {may}/x && rm {may}/x")


def test_nobody_but_root_reads_the_settings(streaming_board):
    board = streaming_board
    assert board.run("stat -c '%a %U' /var/lib/robocast/settings.toml") == "600 root"
    assert board.ask("setpriv --reuid robocast-push --regid robocast --clear-groups cat /var/lib/robocast/settings.toml")[1] != 0


def test_cameras_read_the_list_of_plugins(streaming_board):
    """A program that cannot use the registry scans every plugin itself: seconds at each start."""
    for user in ("robocast-camera", "robocast-push"):
        as_user = f"setpriv --reuid {user} --regid robocast --clear-groups"
        assert streaming_board.ask(f"{as_user} test -r /usr/lib/robocast/gstreamer-registry.bin")[1] == 0


@pytest.mark.lg_feature("kernel")
def test_memory_stays_small(streaming_board):
    """At most 180 MB in use with one stream; memory that the kernel can reclaim at any time does not count."""
    facts = dict(re.findall(r"(\w+):\s+(\d+) kB", streaming_board.run("cat /proc/meminfo")))
    used = (int(facts["MemTotal"]) - int(facts["MemAvailable"])) / 1024
    figure(f"memory in use: {used:.0f} MiB")
    assert used <= 180


def test_the_box_has_its_name_and_an_id_that_stays(streaming_board):
    assert streaming_board.run("cat /proc/sys/kernel/hostname") == "rig-01"
    assert re.fullmatch(r"[0-9a-f]{32}", streaming_board.run("cat /etc/machine-id"))


def test_the_slot_is_marked_good_once_frames_flow(streaming_board):
    board = streaming_board
    board.until("the gate's verdict", 60, "cat /var/lib/robocast/proven", "rootfs.0 ")
    assert "BOOT_A_LEFT=3" in board.run("fw_printenv BOOT_A_LEFT")


def test_units_are_sandboxed(streaming_board):
    units = streaming_board.run(
        "systemctl list-units --all --plain --no-legend 'robocast-*.service' | cut -d' ' -f1").split()
    assert "robocast-camera@front.service" in units and "robocast-push@front.service" in units
    bad = []
    for unit in units:
        words = streaming_board.run(f"systemd-analyze security --no-pager {unit} | tail -1", 90)
        score = float(re.search(r"level for .*: ([0-9.]+)", words)[1])
        figure(f"exposure of {unit}: {score}")
        if score > 3.0:
            bad.append((unit, score))
    assert not bad


def test_units_verify(streaming_board):
    out, status = streaming_board.ask(
        "systemd-analyze verify /usr/lib/systemd/system/robocast-*.service /usr/lib/systemd/system/robocast-*.target /usr/lib/systemd/system/robocast-*.path 2>&1 | grep -i robocast | grep -v man:", 120)
    assert out == "", out


@pytest.mark.lg_feature("cgroup-limits")
def test_limits_are_in_force(streaming_board):
    """The kernel enforces the limits of memory and tasks that the units set."""
    for unit in ("robocast-camera@front", "robocast-push@front", "robocast-net"):
        said = dict(line.split("=", 1) for line in streaming_board.run(f"systemctl show -p MemoryMax,TasksMax,ControlGroup {unit}").splitlines())
        group = f"/sys/fs/cgroup{said['ControlGroup']}"
        assert streaming_board.run(f"cat '{group}/memory.max' '{group}/pids.max'").split() == [said["MemoryMax"], said["TasksMax"]]
        assert said["MemoryMax"].isdigit()


@pytest.mark.lg_feature("device-mapper")
def test_a_bundle_without_verity_is_refused(streaming_board, folder):
    """Signed by the right key, but of the format that is copied before it is verified."""
    root, bundle = folder / "small", folder / "plain.raucb"
    root.write_bytes(bytes(4096))
    keys = REPOSITORY / "target/keys"
    run(REPOSITORY / "hw/rig/debian/bundle", root, "virtual", "plain", keys / "signing.cert.pem", keys / "signing.key.pem", bundle, "plain")
    text = base64.b64encode(bundle.read_bytes()).decode()
    for at in range(0, len(text), 2000):
        streaming_board.run(f"printf %s {text[at:at + 2000]} >>/run/plain.base64")
    out, status = streaming_board.ask("base64 -d /run/plain.base64 >/run/plain.raucb; rauc install /run/plain.raucb 2>&1", 120)
    assert status != 0 and "plain" in out and "not allowed" in out, out


@pytest.mark.lg_feature("kernel")
def test_the_boot_reaches_streaming_soon_after_multi_user(streaming_board):
    """At most 1.2 times its own time to multi-user, by the board's own clock."""
    board = streaming_board
    multi_user = int(board.run("systemctl show -P ActiveEnterTimestampMonotonic multi-user.target")) / 1e6
    first = board.run("journalctl -b -o json -u robocast-push@front --output-fields=__MONOTONIC_TIMESTAMP,MESSAGE MESSAGE=publishing | head -1")
    streaming = int(json.loads(first)["__MONOTONIC_TIMESTAMP"]) / 1e6
    figure(f"multi-user after {multi_user:.1f} s, streaming after {streaming:.1f} s")
    assert streaming <= 1.2 * multi_user
