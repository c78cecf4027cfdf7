"""One board from flashing to an update and back, for a run without time for more (`make rig SMOKE=1`)."""

import pytest
from board import SETTINGS, sticks, until


@pytest.mark.lg_feature(["boot-chain", "kernel", "fat", "device-mapper"])
def test_a_new_box_streams_is_updated_and_falls_back(the_board, folder):
    board = the_board
    board.cut()
    board.flash()
    board.boot()
    assert board.slot() == "A"
    # A stick with settings and an update: the settings are proven, the update is in B.
    image = board.stick(folder, "owner", {"robocast.toml": SETTINGS.encode(), "update.raucb": board.bundle}, 320 << 20)
    board.plug(image, "owner")
    until("the receipt on the stick", 300, lambda: b"PROVEN" in (sticks.read(image, "robocast-receipt.txt") or b""))
    recording = board.streaming(60)
    board.until("no stick is under way", 150, "systemctl list-units --no-legend --state=activating 'robocast-provision*' | wc -l", "^0")
    board.pull("owner")
    assert board.world.pictures(recording)[1:] == (1280, 720)
    assert board.run("fw_printenv -n BOOT_ORDER") == "B A"

    # Into B, which streams and is marked good.
    board.ask("systemctl --no-block reboot")
    board.again()
    assert board.slot() == "B"
    board.streaming(240)
    board.until("slot B is proven", 120, "cat /var/lib/robocast/proven", "rootfs.1 ")
    assert board.run("systemctl list-units --failed --plain --no-legend") == ""

    # B loses its kernel: the box returns to A by itself, and streams.
    board.run("dd if=/dev/zero of=/dev/disk/by-partlabel/rootfs-b bs=1M count=1 conv=fsync status=none")
    board.crash()
    board.again()
    assert board.slot() == "A"
    board.streaming(240)
    board.cut()
