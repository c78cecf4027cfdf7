"""Sticks with FAT, good and damaged, in a kernel that has it: those of `crates/robocast/tests/provision`, prepared by
`tests/rig/run` in RIG_STICKS, one after another, each with its own box."""

import json
import os
import pathlib
import re

import pytest
from board import figure, sticks
from world import run

pytestmark = pytest.mark.lg_feature("fat")

# Runs on the board. Without D-Bus: the settings of these boxes are not the board's.
EACH = """\
cd "$(dirname "$0")" || exit 1
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere ROBOCAST_RUN=/run/each
for case in */case.json; do
    case=${case%/case.json}
    ROBOCAST_STATE=$PWD/$case/state timeout 120 robocast provision "$case/stick.img" >"$case/told" 2>&1
    echo $? >"$case/code"
    # udev still reads a loop device that was removed, and keeps it open meanwhile.
    udevadm settle --timeout=15
    { grep "$ROBOCAST_RUN" /proc/self/mountinfo; losetup -nl; ls "$case/state/provision.json" "$case/state/.settings.toml.new"; } >"$case/left" 2>/dev/null
done
dmesg | grep -E 'BUG:|Oops|Call trace' >oops
cd / && sync
"""


@pytest.fixture(scope="module")
def cases(the_board, folder):
    """The folders of the cases, after all were run on the board."""
    corpus = pathlib.Path(os.environ["RIG_STICKS"])
    (corpus / "each").write_text(EACH)
    disk, mounted = folder / "sticks.img", folder / "sticks"
    disk.unlink(missing_ok=True)
    run("mkfs.ext4", "-q", "-m", "0", "-d", corpus, disk, "2G")
    the_board.cut()
    the_board.flash()
    the_board.extra = ["-drive", f"if=none,id=sticks,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=sticks,serial=sticks"]
    the_board.boot()
    the_board.run("mkdir /run/sticks && mount /dev/disk/by-id/virtio-sticks /run/sticks")
    the_board.run("sh /run/sticks/each", 600)
    the_board.run("umount /run/sticks")
    the_board.cut()
    mounted.mkdir(exist_ok=True)
    run("mount", "-o", "loop,ro", disk, mounted)
    try:
        yield sorted(file.parent for file in mounted.glob("*/case.json"))
    finally:
        run("umount", mounted)


def test_each_ends_as_it_should(cases):
    assert len(cases) >= 40
    ends = {}
    for case in cases:
        asked = json.loads((case / "case.json").read_text())
        what, told, code = asked["what"], (case / "told").read_text(), int((case / "code").read_text())
        [end] = [end for end in asked["ends"] if end["code"] == code] or pytest.fail(f"{what}: {code}\n{told}")
        assert end["told"] in re.sub(r"\s+", " ", told), f"{what}: `{end['told']}` is not told:\n{told}"
        assert (case / "state/settings.toml").read_bytes().decode() == end["settings"], f"{what}:\n{told}"
        assert not (case / "left").read_text(), f"{what}: {(case / 'left').read_text()}"
        receipts = sorted((case / "state/receipts").glob("*.json"))
        # A stick with nothing for a box leaves no trace.
        assert bool(receipts) != ("nor anything else for the box" in told), f"{what}: the box's receipts: {receipts}"
        if end["receipt"]:
            assert sticks.read(case / "stick.img", "robocast-receipt.json") == receipts[-1].read_bytes(), what
        public = told + "".join(file.read_text() for file in (case / "state").glob("receipts/*"))
        assert not [secret for secret in asked["secrets"] if secret in public], what
        ends[code] = ends.get(code, 0) + 1
    # Some were accepted, some refused: both outcomes occurred.
    assert ends.keys() == {1, 4}, ends
    figure(f"sticks with FAT: {ends[4]} taken, {ends[1]} refused")
    assert not (cases[0].parent / "oops").read_text()
