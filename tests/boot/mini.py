"""A board only for the boot script: the disk of genimage.cfg.in with a kernel of some hundred bytes, in QEMU."""

import os
import re
import select
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIES = (0x0, 0x10000)
SIZE = 0x4000
# For TCG on two busy cores; U-Boot itself needs about two seconds.
DEADLINE = 90


class Failed(Exception):
    pass


def check(truth, what):
    if not truth:
        raise Failed(what)


def command(*words, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300, check=False, **more)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def kernel(message, filling=b"", again=False):
    """An arm64 Image that adds up all of its words, prints `message` if the sum is right, and turns the machine off
    (or resets it): an incomplete load is noticed."""
    good, bad = message.encode() + b"\n\0", b"KERNEL DAMAGED\n\0"
    adr = lambda register, distance: 0x10000000 | (distance >> 2 & 0x7FFFF) << 5 | register
    code = 23
    good_at, bad_at = 64 + 4 * code, 64 + 4 * code + (len(good) + 3 & ~3)
    end = bad_at + (len(bad) + 3 & ~3) + (len(filling) + 3 & ~3) + 4
    words = end // 4
    program = [
        adr(4, -64),                                  # x4: the image
        0x52800000 | (words & 0xFFFF) << 5 | 5,       # w5: how many words
        0x72A00000 | (words >> 16) << 5 | 5,
        0x52800006,                                   # w6: the sum
        0xB8404487, 0x0B0700C6, 0x710004A5, 0x54FFFFA1,
        adr(1, good_at - (64 + 4 * 8)),
        0x34000046,                                   # sum is 0: over the next one
        adr(1, bad_at - (64 + 4 * 10)),
        0xD2A12002,                                   # x2: the UART
        0x38401423, 0x34000063, 0xB9000043, 0x17FFFFFD,
        0x52800000 | (9 if again else 8) << 5,        # PSCI: reset or off
        0x72B08000, 0xD4000002, 0x14000000,
        0, 0, 0,
    ]
    assert len(program) == code
    header = struct.pack("<IIQQQQQQ4sI", 0x14000010, 0, 0, end, 0xA, 0, 0, 0, b"ARM\x64", 0)
    body = header + struct.pack(f"<{code}I", *program)
    body = body.ljust(good_at, b"\0") + good
    body = body.ljust(bad_at, b"\0") + bad
    body = (body + b"\0" * (-len(body) % 4) + filling).ljust(end - 4, b"\0")
    total = sum(struct.unpack(f"<{len(body) // 4}I", body)) & 0xFFFFFFFF
    return body + struct.pack("<I", -total & 0xFFFFFFFF)


def gpt(disk, rename=None):
    """The entries of a partition table. With `rename` (a function of labels) both tables get other labels."""
    with open(disk, "r+b") as file:
        file.seek(512)
        header = file.read(92)
        check(header[:8] == b"EFI PART", "no GPT")
        for at in (512, struct.unpack("<Q", header[32:40])[0] * 512) if rename else (512,):
            file.seek(at)
            header = bytearray(file.read(92))
            table, count, size = struct.unpack("<QII", header[72:88])
            file.seek(table * 512)
            entries = [bytearray(file.read(size)) for _ in range(count)]
            if rename:
                for entry in entries:
                    label = rename(entry[56:].decode("utf-16le").rstrip("\0"))
                    entry[56:] = label.encode("utf-16le").ljust(size - 56, b"\0")
                file.seek(table * 512)
                file.write(b"".join(entries))
                header[88:92] = struct.pack("<I", zlib.crc32(b"".join(entries)))
                header[16:20] = b"\0" * 4
                header[16:20] = struct.pack("<I", zlib.crc32(header))
                file.seek(at)
                file.write(header)
    return [entry for entry in entries if any(entry[:16])]


class Board:
    """One disk and the operations on it."""

    def __init__(self, folder, u_boot):
        self.folder, self.u_boot, self.disk = Path(folder), u_boot, Path(folder) / "disk.img"
        self.number = 0

    def make(self):
        """The disk with empty slots."""
        folder = self.folder
        (folder / "rootfs.squashfs").write_bytes(b"\0" * 4096)
        with open(folder / "boot.vfat", "wb") as file:
            file.truncate(16 << 20)
        command("mkfs.vfat", "-n", "BOOT", folder / "boot.vfat")
        (folder / "genimage.cfg").write_text(
            command(ROOT / "hw/boards/render", "virtual", ROOT / "hw/boards/common/genimage.cfg.in"))
        (folder / "empty").mkdir(exist_ok=True)
        command("genimage", "--config", folder / "genimage.cfg", "--rootpath", folder / "empty", "--tmppath",
                folder / "tmp", "--inputpath", folder, "--outputpath", folder, "--loglevel", "1")
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        self.parts = {}
        for entry in gpt(self.disk):
            first, last = struct.unpack("<QQ", entry[32:48])
            self.parts[entry[56:].decode("utf-16le").rstrip("\0")] = (first * 512, (last + 1 - first) * 512)
        check(set(self.parts) == {"boot", "env", "rootfs-a", "rootfs-b", "data"}, f"partitions: {self.parts}")

    def write(self, label, content, offset=0):
        with open(self.disk, "r+b") as file:
            file.seek(self.parts[label][0] + offset)
            file.write(content)

    def read(self, label, size, offset=0):
        with open(self.disk, "rb") as file:
            file.seek(self.parts[label][0] + offset)
            return file.read(size)

    def slot(self, label, files, *options):
        """Fills a slot with a squashfs of these files."""
        tree, image = self.folder / "tree", self.folder / "slot.squashfs"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        image.unlink(missing_ok=True)
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        command("mksquashfs", tree, image, "-comp", "zstd", "-noappend", "-quiet", "-no-progress", *options)
        size = image.stat().st_size
        check(size <= self.parts[label][1], f"{label} is too small")
        self.write(label, image.read_bytes())
        return size

    # --- The environment, as bytes and as fw_printenv sees it.
    def copy(self, which):
        """Counter and variables of a copy; None if its checksum is wrong."""
        raw = self.read("env", SIZE, COPIES[which])
        if struct.unpack("<I", raw[:4])[0] != zlib.crc32(raw[5:]):
            return None
        text = raw[5:].split(b"\0\0")[0].decode()
        return raw[4], dict(line.split("=", 1) for line in text.split("\0") if line)

    def set_copy(self, which, counter, **words):
        data = b"\0".join(f"{k}={v}".encode() for k, v in words.items()) + b"\0\0"
        data = data.ljust(SIZE - 5, b"\0")
        self.write("env", struct.pack("<IB", zlib.crc32(data), counter) + data, COPIES[which])

    def damage(self, which, at=100, size=8):
        self.write("env", b"\xa5" * size, COPIES[which] + at)

    def no_env(self):
        self.write("env", b"\0" * 0x20000)

    def environment(self):
        """The newer valid copy."""
        valid = [c for c in (self.copy(0), self.copy(1)) if c]
        check(valid, "no copy of the environment is valid")
        return max(valid, key=lambda c: c[0])[1]

    def fw(self, tool, *words):
        config = command(ROOT / "hw/boards/render", "virtual", ROOT / "hw/rootfs/etc/fw_env.config.in")
        start = self.parts["env"][0]
        config = re.sub(r"^/dev/disk/by-partlabel/env (\S+)", lambda m: f"{self.disk} {int(m[1], 16) + start:#x}",
                        config, flags=re.M)
        (self.folder / "fw_env.config").write_text(config)
        return command(tool, "-c", self.folder / "fw_env.config", *words)

    # --- Running it.
    def boot(self, until=None, stick=None, u_boot=None, resets=False, deadline=DEADLINE):
        """Turns the board on; returns all its output when it turned itself off, was reset (unless `resets`), or
        printed `until`. A board that does not end within the deadline is a failure."""
        words = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a53", "-m", "512", "-accel", "tcg",
                 "-bios", u_boot or self.u_boot, "-nographic", "-no-user-config", "-nodefaults", "-monitor", "none",
                 "-serial", "stdio", "-drive", f"if=none,id=d0,format=raw,file={self.disk}",
                 "-device", "virtio-blk-pci,drive=d0"]
        if not resets:
            words.append("-no-reboot")
        if stick:
            words += ["-device", "usb-ehci", "-drive", f"if=none,id=u0,format=raw,file={stick}", "-device",
                      "usb-storage,drive=u0,removable=on"]
        began, said = time.monotonic(), b""
        self.number += 1
        log = self.folder / f"boot-{self.number}.log"
        machine = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        self.times = []
        try:
            while True:
                left = began + deadline - time.monotonic()
                check(left > 0, f"after {deadline} s the board still runs; it said:\n{said.decode(errors='replace')}")
                if not select.select([machine.stdout], [], [], min(left, 1))[0]:
                    continue
                piece = os.read(machine.stdout.fileno(), 65536)
                if not piece:
                    break
                said += piece
                self.times.append((time.monotonic() - began, len(said)))
                if until and re.search(until.encode(), said):
                    break
        finally:
            machine.kill()
            machine.wait()
            log.write_bytes(said)
        return said.decode(errors="replace").replace("\r", "")

    def when(self, said, pattern):
        """How many seconds after power-on the pattern was printed."""
        end = re.search(pattern, said)
        check(end, f"{pattern!r} was not said")
        return next(t for t, size in self.times if size >= end.end())
