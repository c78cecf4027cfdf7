"""What all boards of the rig share: a freshly flashed disk, cards, sticks. `virtual/qemu.py` and `container/container.py` run it."""

import json
import os
import pathlib
import shutil
import subprocess

from world import run

MIB = 1 << 20

SETTINGS = """\
schema = 1
[device]
name = "rig-01"
[robot]
kind = "go2"
[[stream]]
name = "front"
source = "go2:"
push = ["rtmp://10.77.0.1/live/front"]
"""


def mac(number):
    """The MAC address of a card."""
    return f"52:54:00:52:43:0{number}"


class Machine:
    # The name of its image.
    NAME: str

    def __init__(self, world, folder: pathlib.Path, image: pathlib.Path, robocast: str):
        self.world, self.folder, self.image, self.robocast = world, folder, image, robocast
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = folder / "disk.img"
        self.fresh()

    def fresh(self):
        """Freshly flashed: no stick in it, the robot on its first card and an uplink on its second, the right time."""
        self.sticks = []
        self.cards = ["robot", "world"]
        self.clock = None
        self.extra = []

    @property
    def bundle(self):
        """The update that contains this same image."""
        return self.image / f"robocast-{self.NAME}.raucb"

    def flash(self, settings=None, size=1024):
        """Makes a fresh disk, of `size` MiB; with settings, as if a stick had brought them."""
        run("cp", "--sparse=always", self.image / f"robocast-{self.NAME}.img", self.disk)
        os.truncate(self.disk, size * MIB)
        self.fresh()
        if settings:
            self.settle(settings)

    def settle(self, settings):
        """Writes settings to the place of their second copy; the first boot restores them from there."""
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        (state / "settings.toml").write_text(settings)
        copy = self.folder / "env.img"
        start, size = self.partition("env")
        self.read(start, size, copy)
        run(self.robocast, "settings", "keep", "--copy", copy, env={**os.environ, "ROBOCAST_STATE": str(state)})
        self.write(start, copy)

    def partition(self, label):
        """Start and length of a partition, in bytes."""
        table = json.loads(run("sfdisk", "--json", self.disk).stdout)["partitiontable"]
        for part in table["partitions"]:
            if part.get("name") == label:
                return part["start"] * 512, part["size"] * 512
        raise KeyError(label)

    def read(self, start, size, file):
        with self.disk.open("rb") as disk:
            disk.seek(start)
            pathlib.Path(file).write_bytes(disk.read(size))

    def write(self, start, content):
        """Writes bytes, or a file's content, to the disk."""
        data = content if isinstance(content, bytes) else pathlib.Path(content).read_bytes()
        with self.disk.open("r+b") as disk:
            disk.seek(start)
            disk.write(data)

    def check_data(self):
        """e2fsck's result for the data partition once the board is off; replays its journal first, as a boot would."""
        start, size = self.partition("data")
        copy = self.folder / "data.img"
        run("dd", f"if={self.disk}", f"of={copy}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={start}", f"count={size}",
            "conv=sparse", "status=none")
        subprocess.run(["e2fsck", "-p", copy], capture_output=True)
        result = subprocess.run(["e2fsck", "-f", "-n", copy], capture_output=True, text=True)
        return result.returncode, result.stdout
