"""The board under test, whatever it is: power, a shell, its disk and its sticks."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "hw/rig/virtual"))

from machine import MIB, SETTINGS, Machine  # noqa: E402,F401
from world import PATIENCE, World, run, until  # noqa: E402,F401

# What was measured, for the end of the run.
FIGURES = []


def stick(folder, name, files):
    """A FAT stick that holds `files` (path: content)."""
    image = folder / f"{name}.img"
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(32 * MIB)
    run("mkfs.vfat", "-n", name.upper(), image)
    for path, content in files.items():
        for parent in reversed(pathlib.PurePath(path).parents[:-1]):
            run("mmd", "-D", "s", "-i", image, f"::{parent}")
        source = folder / "content"
        source.write_bytes(content)
        run("mcopy", "-o", "-i", image, source, f"::{path}")
    return image


def on_stick(image, name):
    """The bytes of a file on a FAT stick; none where there is no such file."""
    result = subprocess.run(["mcopy", "-n", "-i", str(image), f"::{name}", "-"], capture_output=True)
    return result.stdout if result.returncode == 0 else None


class Board(Machine):
    """The virtual board: a copy of the image's disk in QEMU, driven by labgrid."""

    def __init__(self, target, world, folder: pathlib.Path):
        super().__init__(world, folder, pathlib.Path(os.environ["LG_IMAGE"]), os.environ["ROBOCAST"])
        self.target = target
        self.qemu = target.get_driver("QEMUDriver", activate=False)
        self.shell = target.get_driver("ShellDriver", activate=False)

    def flash(self, settings=None, size=1024):
        assert not self.qemu.status
        self.target.deactivate(self.qemu)
        super().flash(settings, size)

    # --- Power.

    def on(self):
        """Power, and no more: what the board does from here is its own."""
        self.qemu.extra_args = " ".join(self.arguments())
        self.target.activate(self.qemu)
        self.began = time.monotonic()
        self.qemu.on()

    def cut(self):
        """The plug is pulled: no program on the board learns of it."""
        if self.target and self.shell in self.target.drivers:
            try:
                self.target.deactivate(self.shell)
            except Exception:  # the shell does not always see the end coming
                pass
        if self.qemu._child:
            self.qemu._child.kill()
            self.qemu._child.wait()
            self.qemu._child = None
        self.qemu.status = 0
        self.target.deactivate(self.qemu)

    def boot(self):
        """On, to a shell on the serial line."""
        self.on()
        self.target.activate(self.shell)
        return self

    def again(self, seconds=120):
        """A shell, after the board started anew by itself, within `seconds`."""
        self.qemu.expect("U-Boot 20", timeout=seconds * PATIENCE)
        self.target.deactivate(self.shell)
        self.target.activate(self.shell)

    # --- Its USB port, while it is on.

    def plug(self, image, name):
        """A stick goes in."""
        self.qemu.monitor_command("blockdev-add", {
            "node-name": name, "driver": "raw", "file": {"driver": "file", "filename": str(image)}})
        self.qemu.monitor_command("device_add", {"driver": "usb-storage", "id": name, "bus": "usb.0", "drive": name, "removable": True})

    def pull(self, name):
        """... and out, whatever the board does with it."""
        self.qemu.monitor_command("device_del", {"id": name})

        def let_go():
            try:
                self.qemu.monitor_command("blockdev-del", {"node-name": name})
            except Exception:  # the port still has it
                return False
            return True
        until(f"the port lets go of {name}", 30, let_go)

    # --- The shell.

    def run(self, command, seconds=60):
        """A command's lines; it must succeed."""
        return "\n".join(self.shell.run_check(command, timeout=seconds * PATIENCE))

    def ask(self, command, seconds=60):
        """A command's lines and its exit status."""
        out, _, status = self.shell.run(command, timeout=seconds * PATIENCE)
        return "\n".join(out), status

    def last_words(self):
        """What the board says of itself, as far as it still answers; for a test that failed."""
        try:
            said = [self.ask(command)[0] for command in ("robocast status", "systemctl --failed --no-legend", "journalctl -b -n 80 --no-pager -o short-monotonic")]
        except Exception as error:  # whatever keeps it from answering
            return f"The board says nothing more: {error}"
        return "\n".join(["What the board says:", *said])

    def until(self, what, seconds, command, wanted=None):
        """Until a command succeeds (and prints what matches `wanted`); gives what it printed."""
        def look():
            out, status = self.ask(command)
            return (out or " ") if status == 0 and (wanted is None or re.search(wanted, out)) else None
        return until(what, seconds, look)

    def slot(self):
        return re.search(r"rauc\.slot=(\w)", self.run("cat /proc/cmdline"))[1]

    def uptime(self):
        return float(self.run("cut -d' ' -f1 /proc/uptime"))

    def status(self):
        out, _ = self.ask("robocast status --json")
        return json.loads(out[out.index("{"):]) if "{" in out else {}

    def streaming(self, seconds=120):
        """Until the box says that the robot's video goes out, and a recording at the server grows; gives the recording."""
        def live():
            out, _ = self.ask("robocast status --json")
            return '"state":"live"' in out
        until("the robot's video goes out", seconds, live)
        before = {file: file.stat().st_size for file in self.world.recordings()}

        def growing():
            grown = [file for file in self.world.recordings() if file.stat().st_size > before.get(file, 0) + 200_000]
            return grown and grown[-1]
        return until("a recording grows", 60, growing)
