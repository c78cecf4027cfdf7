"""Faults in the field: the box boots, reports what is wrong, and streams what it can."""

import os

import pytest
from board import MIB, SETTINGS, until
from world import run


def test_a_box_without_settings_waits(the_board):
    the_board.cut()
    the_board.flash()
    the_board.boot()
    the_board.until("the system is up", 180, "systemctl is-system-running", "running")
    assert the_board.run("cat /proc/sys/kernel/hostname") == "robocast"
    assert the_board.run("systemctl show -P ActiveState robocast-network.target") == "active"
    the_board.until("the slot is good", 60, "fw_printenv -n BOOT_A_LEFT", "3")
    the_board.cut()


@pytest.mark.lg_feature("boot-chain")
def test_sticks_that_want_to_boot_do_not(board, folder):
    script = folder / "boot.cmd"
    script.write_text("echo ROBOCAST-WAS-TAKEN; while true; do sleep 1; done\n")
    run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", script, folder / "boot.scr")
    taken = (folder / "boot.scr").read_bytes()
    board.sticks = [
        board.stick(folder, "taken", {"boot.scr": taken, "boot/boot.scr": taken}),
        board.stick(folder, "efi", {"EFI/BOOT/BOOTAA64.EFI": b"MZ" + bytes(4096), "extlinux/extlinux.conf": b"LABEL x\n LINUX /x\n"}),
    ]
    board.boot()
    board.until("the board sees both sticks", 60, "ls -d /sys/block/sd* -l | grep -c usb", "2")
    board.streaming(240)


def test_a_data_partition_full_of_noise_is_formatted_and_settings_are_restored(board, world):
    start, _ = board.partition("data")
    board.write(start, os.urandom(64 * MIB))
    board.boot()
    board.preinit_said("formatting it")
    board.streaming(240)
    assert board.run("cat /proc/sys/kernel/hostname") == "rig-01"


def test_a_full_data_partition(board, world):
    board.boot()
    board.until("the settings are there", 60, "test -s /var/lib/robocast/settings.toml")
    board.run("fallocate -l $(($(stat -f -c %f /var) * $(stat -f -c %S /var) / 1048576 - 32))M /var/lib/fill")
    assert "No space left" in board.ask("dd if=/dev/zero of=/var/lib/rest bs=64K 2>&1; sync", 120)[0]
    board.cut()
    board.boot()
    board.streaming(240)
    assert board.run("stat -c %s /var/lib/robocast/settings.toml") != "0"


@pytest.mark.lg_feature("boot-chain")
def test_a_boot_partition_without_anything(board):
    start, size = board.partition("boot")
    board.write(start, bytes(size))
    board.boot()
    board.streaming(240)


def test_a_board_without_network_cards(board):
    board.cards = []
    board.boot()
    board.until("the programs run", 180, "systemctl is-active robocast-camera@front robocast-push@front")
    # Degraded: it exits with 1.
    board.until("the box says what is missing", 60, "robocast status || test $? = 1", "eth0 is not there")


@pytest.mark.lg_feature("kernel")
def test_a_clock_of_1970(board):
    board.clock = "1970-01-01T00:00:00"
    board.boot()
    floor = int(board.run("stat -c %Y /usr/lib/clock-epoch"))
    assert floor > 1_760_000_000, "the image does not know when it was made"
    assert int(board.run("date +%s")) >= floor
    board.streaming(240)


@pytest.mark.lg_feature("kernel")
def test_a_disk_that_fails_reads(board, world):
    """The data partition gives read errors; the slots are sound."""
    start, size = board.partition("data")
    rules = board.folder / "bad.conf"
    rules.write_text("".join(
        f'[inject-error]\nevent = "read_aio"\nsector = "{sector}"\nerrno = "5"\n'
        for sector in range(start // 512, start // 512 + 2048)))
    argument = f"if=none,id=disk,format=raw,file={board.disk},cache=writeback"
    failing = f"if=none,id=disk,file.driver=blkdebug,file.config={rules},file.image.driver=file,file.image.filename={board.disk},format=raw"
    original = board.arguments
    board.arguments = lambda: [failing if word == argument else word for word in original()]
    try:
        board.boot()
        board.preinit_said("ontinuing in memory")
        board.streaming(240)
        assert board.run("cat /proc/sys/kernel/hostname") == "rig-01"
    finally:
        board.arguments = original


@pytest.mark.lg_feature("v4l2")
def test_a_camera_on_the_board_that_comes_late(the_board, world):
    """Vivid through V4L2, encoded in software, small: the processor is emulated. Meanwhile the robot's stream continues."""
    the_board.cut()
    the_board.flash(SETTINGS + """
[[stream]]
name = "desk"
source = "v4l2:/dev/video0"
push = ["rtmp://10.77.0.1/live/desk"]
size = "320x240"
fps = 5
""")
    the_board.boot()
    the_board.streaming(240)
    the_board.run("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0")
    the_board.until("the camera's video goes out", 120, "robocast status --json | grep '\"desk\"'", '"state":"live"')

    def pictures():
        # A server that waited in vain for a slow board starts another recording.
        shown = max((world.pictures(file) for file in world.recordings("desk")), default=(0, 0, 0))
        return shown[0] >= 10 and shown
    assert until("pictures of vivid", 120, pictures)[1:] == (320, 240)
    the_board.cut()
