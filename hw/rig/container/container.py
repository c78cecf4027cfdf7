"""The container board: the install tree as a systemd container, with its own power, disk, cards and sticks.

It boots in about a second. Its kernel is this machine's, so what belongs to a kernel is not tested on it; its disk has the
partitions of a board, its boot loader their slots (`boot_loader.py`), and this module does udev's work."""

import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import threading
import time

from boot_loader import slots
from machine import Machine, mac
from world import run, until

HERE = pathlib.Path(__file__).resolve().parent
LABELS = ("boot", "env", "rootfs-a", "rootfs-b", "data")
# The exit status of `boot` when its slot has no root.
NO_ROOT = 32
# ext4 stops where it is, its journal unwritten: as in a power cut (EXT4_IOC_SHUTDOWN).
SHUTDOWN, WITHOUT_JOURNAL = 0x8004587D, 2


class Container(Machine):
    NAME = "container"

    def __init__(self, world, folder: pathlib.Path, image: pathlib.Path, robocast: str):
        super().__init__(world, folder, image, robocast)
        self.console = folder / "console.log"
        self.console.write_bytes(b"")
        self.space = f"{world.name}-board"
        self.life = self.process = None
        self.powered, self.broken = False, None
        self.boots = 0
        # Its USB port: the loop devices of the inserted sticks.
        self.port = {}

    # --- Power.

    def on(self):
        """Powers the board: slot after slot, until the power is cut or the board switches itself off."""
        assert not self.powered
        self.powered, self.broken, self.began = True, None, time.monotonic()
        self.console.write_bytes(b"")
        self.life = threading.Thread(target=self._live, daemon=True)
        self.life.start()

    def cut(self):
        """Cuts the power: no program on the board notices, and what was not on the disk is lost."""
        self.powered = False
        if self.life:
            while self.life.is_alive():
                self._kill()
                self.life.join(0.05)
            self.life = None
        for name in list(self.port):
            self._unplug(name)

    def reset(self):
        """As a watchdog would: everything ends at once, and the board boots again."""
        self._kill()

    def _kill(self):
        first = self.first()
        if first is None:
            return
        try:
            data = os.open(f"/proc/{first}/root/var", os.O_RDONLY)
            try:
                fcntl.ioctl(data, SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
            finally:
                os.close(data)
        except OSError:  # not mounted yet, or in memory
            pass
        try:
            os.kill(first, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def first(self):
        """The pid of the board's process 1 on this machine; None if there is none."""
        process = self.process
        if process is None or process.poll() is not None:
            return None
        todo = [process.pid]
        while todo:
            number = todo.pop()
            try:
                for task in pathlib.Path(f"/proc/{number}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
                status = pathlib.Path(f"/proc/{number}/status").read_text()
            except OSError:
                continue
            inside = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
            if len(inside) > 2 and inside[-1] == "1":
                return number
        return None

    def _live(self):
        try:
            self._go_on()
        except Exception as error:  # reported by the caller that waits for the board
            self.broken = error
        self.process = None

    def _go_on(self):
        start, _ = self.partition("env")
        while self.powered:
            code = NO_ROOT
            for slot in slots(lambda at, size: self._env(start + at, size), lambda at, data: self.write(start + at, data)):
                code = self._boot(slot) if self.powered else 0
                if code != NO_ROOT:
                    break
                self._say(f"robocast: slot {slot} does not start")
            if code == 0:
                break

    def _env(self, at, size):
        with self.disk.open("rb") as disk:
            disk.seek(at)
            return disk.read(size)

    def _say(self, words):
        with self.console.open("a") as console:
            console.write(words + "\n")

    def _boot(self, slot):
        """Boots a slot; returns how it ended."""
        label = f"rootfs-{slot.lower()}"
        self._say(f"robocast: slot {slot}")
        loop = run("losetup", "--find", "--show", self.disk).stdout.strip()
        try:
            self._tell_partitions(loop)
            (self.folder / "rig/cmdline").write_text(
                f"root=PARTLABEL={label} ro rootwait rauc.slot={slot} init=/usr/lib/robocast/preinit\n")
            # Not available in a container: a device mapper for verity, compressed memory, a serial line.
            configuration = run(HERE.parents[1] / "boards/render", "virtual", HERE.parents[1] / "rootfs/etc/rauc/system.conf.in").stdout
            if not pathlib.Path("/dev/mapper/control").exists():
                configuration = configuration.replace("bundle-formats=verity", "bundle-formats=plain")
            (self.folder / "rig/system.conf").write_text(configuration)
            self._network()
            # It does not outlive the tests: systemd-nspawn treats SIGTERM as its end.
            with self.console.open("ab") as console:
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", HERE / "boot", self.folder, label, self.space, f"rauc.slot={slot}",
                     "systemd.mask=dev-zram0.swap", "systemd.mask=rig-console.service"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True)
            self.boots += 1
            threading.Thread(target=self._play_udev, args=(self.process,), daemon=True).start()
            return self.process.wait() % 256
        finally:
            subprocess.run(["ip", "netns", "delete", self.space], capture_output=True)
            # Remove the partitions: the next user of this device would have them.
            until("the board lets go of its disk", 30, lambda: self._without_partitions(loop))
            run("losetup", "--detach", loop)

    def _without_partitions(self, loop):
        name = pathlib.Path(loop).name
        if list(pathlib.Path("/sys/class/block", name).glob(f"{name}p*")):
            subprocess.run(["partx", "--delete", loop], capture_output=True)
        return not list(pathlib.Path("/sys/class/block", name).glob(f"{name}p*"))

    def _tell_partitions(self, loop):
        """The partitions, as a kernel that reads the table shows them: nodes, and their labels in uevent."""
        until(f"{loop} has no other partitions", 30, lambda: self._without_partitions(loop))
        run("partx", "--add", loop)
        rig = self.folder / "rig"
        shutil.rmtree(rig, ignore_errors=True)
        rig.mkdir()
        (self.folder / "root").mkdir(exist_ok=True)
        for number, label in enumerate(LABELS, 1):
            device = f"{loop}p{number}"
            (self.folder / f"device-{label}").write_text(device)
            uevent = pathlib.Path("/sys/class/block", pathlib.Path(device).name, "uevent").read_text()
            lines = [line for line in uevent.splitlines() if not line.startswith("PARTNAME=")]
            (rig / f"uevent-{label}").write_text("\n".join([*lines, f"PARTNAME={label}", ""]))

    def _network(self):
        subprocess.run(["ip", "netns", "delete", self.space], capture_output=True)
        run("ip", "netns", "add", self.space)
        for number, side in enumerate(self.cards):
            self.world.card(side, self.space, f"eth{number}", mac(number))

    # --- udev's work, once systemd listens.

    def _play_udev(self, process):
        while process.poll() is None and self.shell("systemctl show -P Version")[1] != 0:
            time.sleep(0.02)
        for device in list(self.port.values()):
            self._event(device)
        for number, image in enumerate(self.sticks):
            if process.poll() is None and f"stick{number}" not in self.port:
                self.plug(image, f"stick{number}")

    def _event(self, device):
        self.shell(f"systemctl start --no-block robocast-provision@{pathlib.Path(device).name}.service")

    def plug(self, image, name):
        """Inserts a stick."""
        self.port[name] = run("losetup", "--find", "--show", image).stdout.strip()
        self._event(self.port[name])

    def pull(self, name):
        """Removes it, whatever the board is doing with it."""
        self._unplug(name)

    def _unplug(self, name):
        device = self.port.pop(name)
        image = pathlib.Path(run("losetup", "--noheadings", "--output", "BACK-FILE", device).stdout.strip())
        # The stick keeps its present content. Whoever still has it open, has no device behind it from here on.
        kept = image.with_suffix(".kept")
        run("cp", "--sparse=always", image, kept)
        os.truncate(image, 0)
        run("losetup", "--set-capacity", device)
        kept.replace(image)
        run("losetup", "--detach", device)

    # --- A shell.

    def shell(self, command, seconds=None):
        """Returns a command's lines and its exit status; without a time limit, however long it takes."""
        first = self.first()
        if first is None:
            return "the board is off", 255
        words = ["nsenter", f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--",
                 "/usr/bin/env", "-i", "HOME=/root", "TERM=dumb", "PATH=/usr/sbin:/usr/bin", "/bin/bash", "--noprofile", "--norc", "-c", command]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        return result.stdout.decode(errors="replace").rstrip("\n"), result.returncode
