"""The board under test, of whatever kind: power, a shell, its disk and its sticks."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

RIG = pathlib.Path(__file__).resolve().parents[2] / "hw/rig"
sys.path[:0] = map(str, (RIG, RIG / "virtual", RIG / "container"))

from container import Container  # noqa: E402
from machine import MIB, SETTINGS  # noqa: E402,F401
from qemu import Qemu  # noqa: E402
import sticks  # noqa: E402,F401
from world import PATIENCE, World, run, until  # noqa: E402,F401

# Measurements that are not printed yet; `conftest.py` prints them at the end of the run.
FIGURES = []


def figure(words):
    FIGURES.append(words)


class Board:
    """The interface of every board for tests. Subclasses know how to power it and how to reach its shell."""

    # Whether its kernel mounts FAT; if not, a stick has ext4.
    fat = True
    # The range of a power cut: from its first messages to a box that streams and writes, in seconds.
    moments = (2, 45)

    def stick(self, folder, name, files, size=32 * MIB):
        """Makes a stick with `files` (path: content, or a file's path) on it."""
        return sticks.make(folder / f"{name}.img", files, self.fat, size)

    def boot(self):
        """Switches it on, and waits until it answers."""
        raise NotImplementedError

    def again(self, seconds=120):
        """Waits until it answers, after it restarted by itself."""
        raise NotImplementedError

    def crash(self):
        """Ends it at once, as a kernel panic does, and restarts it. Earlier writes are on the disk."""
        raise NotImplementedError

    def ask(self, command, seconds=60):
        """A command's lines and its exit status."""
        raise NotImplementedError

    def preinit_said(self, words):
        """Waits until `preinit` has printed this, where it prints before there is a journal."""
        raise NotImplementedError

    def run(self, command, seconds=60):
        """A command's lines; it must succeed."""
        out, status = self.ask(command, seconds)
        assert status == 0, f"{command}: exit status {status}\n{out}"
        return out

    def last_words(self):
        """The board's logs, as far as it still answers; for a test that failed."""
        try:
            said = [self.ask(command)[0] for command in ("robocast status", "systemctl --failed --no-legend", "journalctl -b -n 80 --no-pager -o short-monotonic")]
        except Exception as error:  # whatever keeps it from answering
            return f"The board says nothing more: {error}"
        return "\n".join(["What the board says:", *said])

    def until(self, what, seconds, command, wanted=None):
        """Waits until a command succeeds (and prints what matches `wanted`); returns its output."""
        last = ["nothing"]

        def look():
            out, status = self.ask(command)
            last[0] = f"exit status {status}: {out}"
            return (out or " ") if status == 0 and (wanted is None or re.search(wanted, out)) else None
        try:
            return until(what, seconds, look)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last seen, {last[0]}") from None

    def slot(self):
        return re.search(r"rauc\.slot=(\w)", self.run("cat /proc/cmdline"))[1]

    def status(self):
        """`robocast status --json`: one object per stream by its name, and the network's as `net`."""
        out, _ = self.ask("robocast status --json")
        told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return {said.get("stream") or "net": said.get("net", said) for said in told}

    def streaming(self, seconds=120):
        """Waits until the box reports that the robot's video is sent, and a recording at the server grows; returns the recording."""
        until("the robot's video goes out", seconds, lambda: any(said.get("state") == "live" for said in self.status().values()))
        before = {file: file.stat().st_size for file in self.world.recordings()}

        def growing():
            grown = [file for file in self.world.recordings() if file.stat().st_size > before.get(file, 0) + 200_000]
            return grown and grown[-1]
        return until("a recording grows", 60, growing)


class VirtualBoard(Board, Qemu):
    """A copy of the image's disk in QEMU, driven by labgrid on its serial line."""

    def __init__(self, target, *arguments):
        super().__init__(*arguments)
        self.target = target
        self.qemu = target.get_driver("QEMUDriver", activate=False)
        self.shell = target.get_driver("ShellDriver", activate=False)

    def flash(self, settings=None, size=1024):
        assert not self.qemu.status
        self.target.deactivate(self.qemu)
        super().flash(settings, size)

    def on(self):
        """Switches it on, and nothing more: the board does the rest by itself."""
        self.qemu.extra_args = " ".join(self.arguments())
        self.target.activate(self.qemu)
        self.began = time.monotonic()
        self.qemu.on()

    def cut(self):
        """Cuts the power: no program on the board notices."""
        if self.target and self.shell in self.target.drivers:
            try:
                self.target.deactivate(self.shell)
            except Exception:  # the shell does not always notice the end
                pass
        if self.qemu._child:
            self.qemu._child.kill()
            self.qemu._child.wait()
            self.qemu._child = None
        self.qemu.status = 0
        self.target.deactivate(self.qemu)

    def boot(self):
        self.on()
        self.target.activate(self.shell)
        return self

    def again(self, seconds=120):
        self.qemu.expect("U-Boot 20", timeout=seconds * PATIENCE)
        self.target.deactivate(self.shell)
        self.target.activate(self.shell)

    def crash(self):
        self.shell.console.sendline("sync; echo b > /proc/sysrq-trigger")

    def hang(self):
        """Crashes systemd, which then freezes, so nothing feeds the watchdog. (Process 1 cannot be stopped.)"""
        self.shell.console.sendline("kill -SEGV 1")

    def plug(self, image, name):
        """Inserts a stick."""
        self.qemu.monitor_command("blockdev-add", {
            "node-name": name, "driver": "raw", "file": {"driver": "file", "filename": str(image)}})
        self.qemu.monitor_command("device_add", {"driver": "usb-storage", "id": name, "bus": "usb.0", "drive": name, "removable": True})

    def pull(self, name):
        """Removes it, whatever the board is doing with it."""
        self.qemu.monitor_command("device_del", {"id": name})

        def let_go():
            try:
                self.qemu.monitor_command("blockdev-del", {"node-name": name})
            except Exception:  # the port still has it
                return False
            return True
        until(f"the port lets go of {name}", 30, let_go)

    def ask(self, command, seconds=60):
        out, _, status = self.shell.run(command, timeout=seconds * PATIENCE)
        return "\n".join(out), status

    def preinit_said(self, words):
        return self.until(f"the box says: {words}", 30, f"journalctl -b -k --no-pager | grep -F '{words}'")


class ContainerBoard(Board, Container):
    """The same tree as a systemd container."""

    moments = (0.1, 6)

    def __init__(self, target, *arguments):
        super().__init__(*arguments)
        self.fat = "fat" in target.env.get_target_features()
        self.seen = 0

    def boot(self):
        self.on()
        self.again()
        return self

    def again(self, seconds=120):
        # A boot that was not seen yet, whose systemd answers.
        until("the board starts", seconds, lambda: self.boots > self.seen or self.broken)
        if self.broken:
            raise self.broken
        self.seen = self.boots
        try:
            self.until("the board answers", seconds, "systemctl show -P Version")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; on its console:\n{self.console.read_text()}") from None

    def crash(self):
        self.ask("sync")
        self.reset()

    def ask(self, command, seconds=60):
        try:
            return self.shell(command, seconds * PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{command}: not within {seconds * PATIENCE} s") from error

    def preinit_said(self, words):
        return until(f"the box says: {words}", 30, lambda: words in self.console.read_text())


def board_of(target, world, folder):
    """The board of labgrid's environment file: the one with QEMU's driver, or the container."""
    kind = VirtualBoard if "QEMUDriver" in target.env.config.get_targets()[target.name]["drivers"] else ContainerBoard
    return kind(target, world, folder, pathlib.Path(os.environ["LG_IMAGE"]), os.environ["ROBOCAST"])
