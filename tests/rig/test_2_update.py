"""A signed bundle through RAUC's D-Bus: installed, booted, marked good; and the rollbacks."""

import os
import random
import time

import pytest
from board import until
from world import run


@pytest.fixture
def bundle_stick(folder, the_board):
    """A bundle, and a tampered one, on a disk that the board sees as a USB stick."""
    # In a folder: a bundle in a stick's top folder would be installed automatically.
    files = folder / "bundles" / "kept"
    files.mkdir(parents=True, exist_ok=True)
    bundle = files / "update.raucb"
    run("cp", the_board.bundle, bundle)
    # One bit changed: in the installed data, and in the signature.
    for name, place in (("changed", 1 << 20), ("forged", bundle.stat().st_size - 200)):
        changed = files / f"{name}.raucb"
        run("cp", bundle, changed)
        with changed.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 1]))
    stick = folder / "bundles.img"
    size = sum(file.stat().st_size for file in files.iterdir()) + (64 << 20)
    stick.unlink(missing_ok=True)
    with stick.open("wb") as file:
        file.truncate(size)
    run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", "bundles", "-d", files.parent, stick)
    return stick


def test_an_update_is_installed_and_verified_and_can_be_rolled_back(board, bundle_stick):
    board.sticks = [bundle_stick]
    board.boot()
    board.streaming(240)
    assert board.slot() == "A"
    board.until("slot A is proven", 60, "cat /var/lib/robocast/proven", "rootfs.0 ")
    board.run("mkdir -p /run/bundles && mount -o ro LABEL=bundles /run/bundles")

    # A forged bundle is refused before anything is written; a tampered one as soon as its bad block is read.
    slot = "head -c 1M /dev/disk/by-partlabel/rootfs-b | sha256sum"
    before, order = board.run(slot), "fw_printenv -n BOOT_ORDER"
    assert board.ask("rauc install /run/bundles/kept/forged.raucb", 240)[1] != 0
    assert board.run(slot) == before and board.run(order) == "A B"
    assert board.ask("rauc install /run/bundles/kept/changed.raucb", 240)[1] != 0
    assert board.run(order).split()[0] == "A"

    # The real one: through D-Bus, while the stream continues.
    recording = board.streaming(60)
    size = recording.stat().st_size
    board.run(
        "busctl call --timeout=300 de.pengutronix.rauc / de.pengutronix.rauc.Installer InstallBundle 'sa{sv}' "
        "/run/bundles/kept/update.raucb 0")
    board.until("installed", 240, "busctl get-property de.pengutronix.rauc / de.pengutronix.rauc.Installer Operation", "idle")
    assert board.run("busctl get-property de.pengutronix.rauc / de.pengutronix.rauc.Installer LastError") == 's ""'
    assert board.run(order) == "B A"
    assert board.world.recordings()[-1] == recording and recording.stat().st_size > size

    # Into B: it streams, and is marked good by the unit.
    board.ask("systemctl --no-block reboot")
    board.again()
    assert board.slot() == "B"
    board.streaming(240)
    board.until("slot B is proven", 120, "cat /var/lib/robocast/proven", "rootfs.1 ")
    assert board.run("fw_printenv -n BOOT_B_LEFT") == "3"

    # B loses its kernel: the box returns to A by itself.
    board.run("dd if=/dev/zero of=/dev/disk/by-partlabel/rootfs-b bs=1M count=1 conv=fsync status=none")
    board.crash()
    board.again()
    assert board.slot() == "A"
    board.streaming(240)


@pytest.mark.lg_feature("watchdog")
def test_a_userland_that_hangs_is_reset_by_the_watchdog(board):
    board.boot()
    board.until("the watchdog is fed by systemd", 60, "systemctl show -P RuntimeWatchdogUSec", "30s")
    before = board.run("cat /proc/sys/kernel/random/boot_id")
    board.hang()
    board.again()
    assert board.run("cat /proc/sys/kernel/random/boot_id") != before


def test_ten_power_cuts_at_random_moments(board, world):
    """Whatever it was doing: it boots, its disk is sound, its settings are intact."""
    chance = random.Random(os.environ.get("RIG_SEED", "robocast"))
    for cut in range(10):
        board.on()
        # Waits for no state: the moment is random.
        time.sleep(chance.uniform(*board.moments))
        board.cut()
        status, words = board.check_data()
        assert status == 0, f"cut {cut}: {words}"
    board.boot()
    board.streaming(240)
    assert board.run("systemctl list-units --failed --plain --no-legend") == ""
    assert board.run("cat /proc/sys/kernel/hostname") == "rig-01"
