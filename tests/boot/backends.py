#!/usr/bin/env python3
"""RAUC's bootloader backends under RAUC's protocol, with stand-ins: `mount` copies a FAT image out and `umount` back,
so that no kernel with vfat is needed; `nvbootctrl` keeps its slots in a file."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from mini import ROOT, Failed, check, command  # noqa: E402

LIB = ROOT / "hw/rootfs/usr/lib/robocast"
TESTS = []
MOUNT = """#!/bin/sh
set -eu
[ "$1 $2 $3" = "-t vfat -o" ]
rm -rf "$6" && mkdir -p "$6"
mcopy -s -n -m -i "$5" '::*' "$6/" || [ "${5##*/}" = boot ]
printf '%s\\n' "$5" "$4" >"$6.mounted"
"""
UMOUNT = """#!/bin/sh
set -eu
{ read -r image; read -r options; } <"$1.mounted"
case $options in rw*) for file in "$1"/*; do [ ! -e "$file" ] || mcopy -o -i "$image" "$file" ::; done ;; esac
rm -r "$1" "$1.mounted"
"""
NVBOOTCTRL = """#!/bin/sh
set -eu
echo "$*" >>"$STATE.log"
[ "$1 $2" = "-t rootfs" ]
. "$STATE"
shift 2
case $1 in
    get-current-slot) echo "$current" ;;
    set-active-boot-slot) sed -i "s/^active=.*/active=$2/" "$STATE" ;;
    dump-slots-info)
        letters() { echo "$1" | tr 01 AB; }
        echo "Current rootfs slot: $(letters "$current")"
        echo "Active rootfs slot: $(letters "$active")"
        echo "num_slots: 2"
        echo "slot: 0,             retry_count: 3,             status: $status0"
        echo "slot: 1,             retry_count: $retry1,             status: $status1" ;;
    *) echo "unknown command" >&2; exit 1 ;;
esac
"""


def test(function):
    TESTS.append(function)
    return function


class Stand:
    """A box with its own FATs and a backend on it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in (("mount", MOUNT), ("umount", UMOUNT), ("nvbootctrl", NVBOOTCTRL)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        labels = folder / "dev/disk/by-partlabel"
        labels.mkdir(parents=True)
        (folder / "proc").mkdir()
        (folder / "run").mkdir()
        for label in ("boot", "boot-a", "boot-b"):
            with open(labels / label, "wb") as file:
                file.truncate(4 << 20)
            command("mkfs.vfat", labels / label)
        for label in ("boot-a", "boot-b"):
            self.put(label, "cmdline.txt", b"root=PARTLABEL=rootfs-a ro rootwait rauc.slot=A init=/x console=ttyAMA10\n")
        self.state = folder / "nv"
        self.state.write_text("current=0\nactive=0\nstatus0=normal\nstatus1=normal\nretry1=3\n")
        self.cold("A")

    def put(self, label, name, content):
        (self.folder / "file").write_bytes(content)
        command("mcopy", "-o", "-i", self.folder / "dev/disk/by-partlabel" / label, self.folder / "file", f"::{name}")

    def get(self, label, name):
        done = subprocess.run(["mtype", "-i", self.folder / "dev/disk/by-partlabel" / label, f"::{name}"],
                              capture_output=True, timeout=30, check=False)
        return done.stdout

    def cold(self, slot):
        """Power was off; now this slot runs."""
        for left in self.folder.glob("run/**/*"):
            if left.is_file():
                left.unlink()
        (self.folder / "proc/cmdline").write_text(f"ro rauc.slot={slot} quiet\n")

    def ask(self, backend, *words, fails=False):
        done = subprocess.run(["sh", str(LIB / backend), *words], capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                                   "ROBOCAST_ROOT": str(self.folder), "STATE": str(self.state)})
        check((done.returncode != 0) == fails, f"{backend} {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def armed(self):
        words = self.folder / "run/systemd/reboot-param"
        return words.exists() and words.read_text() == "0 tryboot\n"


def firmware(text, tryboot):
    """The partition that the Raspberry Pi's firmware boots."""
    section, found = "all", None
    for line in text.decode("ascii").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("boot_partition=") and (section == "all" or tryboot and section == "tryboot"):
            found = int(line.split("=")[1])
    return found


def boots(stand, tryboot=False):
    return firmware(stand.get("boot", "autoboot.txt"), tryboot)


@test
def tryboot_installs_tries_and_keeps(stand):
    ask = lambda *words: stand.ask("boot-tryboot", *words)
    check((ask("get-current"), ask("get-primary")) == ("A", "A"), "a new box")
    check((ask("get-state", "A"), ask("get-state", "B")) == ("good", "bad"), "an empty slot must not be good")
    # RAUC's calls around an installation.
    ask("set-state", "B", "bad")
    check((ask("get-primary"), boots(stand)) == ("A", 2), "primary while installing")
    ask("set-primary", "B")
    check((ask("get-primary"), ask("get-state", "B")) == ("B", "good"), "after it")
    check(stand.armed(), "the next reboot must be one into the trial")
    check((boots(stand), boots(stand, True)) == (2, 3), "only the trial boots B")
    line = stand.get("boot-b", "cmdline.txt").decode()
    check(line == "root=PARTLABEL=rootfs-b ro rootwait rauc.slot=B init=/x console=ttyAMA10\n", line)
    # The trial, good.
    stand.cold("B")
    check(ask("get-primary") == "B", "in the trial")
    ask("set-state", "B", "good")
    check((boots(stand), boots(stand, True), ask("get-primary")) == (3, 2, "B"), "kept")
    check(not stand.armed(), "nothing more to try")
    # And the rollback.
    ask("set-state", "A", "bad")
    ask("set-primary", "A")
    check(boots(stand) == 3 and boots(stand, True) == 2 and stand.armed(), "back")


@test
def tryboot_that_fails_comes_back_and_is_tried_three_times(stand):
    ask = lambda *words: stand.ask("boot-tryboot", *words)
    ask("set-primary", "B")
    for _ in range(2):
        stand.cold("A")
        check((ask("get-primary"), boots(stand)) == ("B", 2), "still to be tried")
        check(not stand.armed(), "a power cut forgets the word to the firmware")
        ask("arm")
        check(stand.armed(), "armed again")
    stand.cold("A")
    ask("arm")
    check(not stand.armed(), "no fourth try")
    check((ask("get-primary"), ask("get-state", "B"), ask("get-state", "A")) == ("A", "bad", "good"), "given up")


@test
def tryboot_marks_bad(stand):
    ask = lambda *words: stand.ask("boot-tryboot", *words)
    ask("set-state", "A", "bad")
    check(boots(stand) == 2, "there is no other good slot to go to")
    ask("set-state", "A", "good")
    ask("set-primary", "B")
    ask("set-state", "B", "bad")
    check(not stand.armed() and ask("get-primary") == "A", "a trial that RAUC calls off")
    ask("set-primary", "B")
    stand.cold("B")
    ask("set-state", "B", "good")
    ask("set-state", "B", "bad")
    check(boots(stand) == 2, "from a bad default to the good slot")


@test
def tryboot_activates_what_runs_at_once(stand):
    stand.ask("boot-tryboot", "set-primary", "B")
    stand.cold("B")
    stand.ask("boot-tryboot", "set-primary", "B")
    check(boots(stand) == 3 and not stand.armed(), "mark-active of the booted slot")


@test
def tryboot_any_mixture_of_old_and_new_boots(stand):
    seen = []
    steps = [("A", ["set-state", "B", "bad"]), ("A", ["set-primary", "B"]), ("B", ["set-state", "B", "good"]),
             ("B", ["set-state", "A", "bad"]), ("B", ["set-primary", "A"]), ("A", ["arm"]), ("A", ["set-state", "A", "good"])]
    for slot, words in steps:
        if not seen or (stand.folder / "proc/cmdline").read_text() != f"ro rauc.slot={slot} quiet\n":
            stand.cold(slot)
        stand.ask("boot-tryboot", *words)
        seen.append(stand.get("boot", "autoboot.txt"))
    check({len(text) for text in seen} == {504}, f"lengths {[len(text) for text in seen]}")
    for old, new in zip(seen, seen[1:]):
        for cut in range(len(new) + 1):
            for mixed in (new[:cut] + old[cut:], old[:cut] + new[cut:]):
                check(firmware(mixed, False) in (2, 3) and firmware(mixed, True) in (2, 3), f"{mixed}")
                stripped = [line for line in mixed.decode().splitlines() if line]
                check(len(stripped) == 6 and len(stripped[5]) == len("# A=good B=bad  trial=- left=0"), f"{stripped}")
                check(max(map(len, stripped)) <= 98, "the firmware reads 98 characters of a line")


@test
def tryboot_damaged_or_foreign_autoboot_txt_is_a_new_one(stand):
    for content in (b"", b"\0" * 504, b"\xa5" * 504, b"[all]\nboot_partition=7\n", b"# A= B=\n# A=good\n[", b"\n" * 9000):
        stand.put("boot", "autoboot.txt", content)
        check(stand.ask("boot-tryboot", "get-primary") == "A", f"{content[:20]}")
        stand.ask("boot-tryboot", "set-state", "A", "good")
        check((boots(stand), len(stand.get("boot", "autoboot.txt"))) == (2, 504), f"{content[:20]}")


@test
def tryboot_images_begin_with_the_backends_own_file(stand):
    stand.ask("boot-tryboot", "set-state", "A", "good")
    found = (ROOT / "hw/boards/raspberrypi5/autoboot.txt").read_bytes()
    check(stand.get("boot", "autoboot.txt") == found, "hw/boards/raspberrypi5/autoboot.txt differs")


@test
def tryboot_refuses(stand):
    stand.put("boot-b", "cmdline.txt", b"root=/dev/sda1\n")
    stand.ask("boot-tryboot", "set-primary", "B", fails=True)
    check(not stand.armed() and stand.ask("boot-tryboot", "get-primary") == "A", "a slot without its root")
    for words in ([], ["get-state"], ["get-state", "C"], ["set-state", "A", "fine"], ["set-primary", "../x"], ["what"]):
        stand.ask("boot-tryboot", *words, fails=True)
    (stand.folder / "proc/cmdline").write_text("quiet\n")
    stand.ask("boot-tryboot", "get-current", fails=True)


@test
def nvbootctrl_by_the_protocol(stand):
    ask = lambda *words: stand.ask("boot-nvbootctrl", *words)
    check((ask("get-current"), ask("get-primary")) == ("A", "A"), "a new box")
    check((ask("get-state", "A"), ask("get-state", "B")) == ("good", "good"), "states")
    ask("set-state", "B", "bad")
    ask("set-primary", "B")
    check((ask("get-primary"), ask("get-current")) == ("B", "A"), "activated")
    ask("set-state", "B", "bad")
    check(ask("get-primary") == "A", "called off")
    stand.state.write_text("current=1\nactive=1\nstatus0=normal\nstatus1=normal\nretry1=2\n")
    ask("set-state", "B", "good")
    check("mark-boot-successful" in Path(f"{stand.state}.log").read_text(), "told the firmware")
    stand.state.write_text("current=0\nactive=0\nstatus0=normal\nstatus1=unbootable\nretry1=0\n")
    check(ask("get-state", "B") == "bad", "unbootable")
    for words in ([], ["get-state", "C"], ["set-state", "A", "fine"], ["set-primary", "2"]):
        stand.ask("boot-nvbootctrl", *words, fails=True)
    stand.state.write_text("exit 1\n")
    for words in (["get-current"], ["get-primary"], ["get-state", "A"], ["set-primary", "B"], ["set-state", "B", "bad"]):
        stand.ask("boot-nvbootctrl", *words, fails=True)


def main():
    failed = 0
    for function in TESTS:
        with tempfile.TemporaryDirectory(prefix="robocast-boot.") as folder:
            try:
                function(Stand(Path(folder)))
                verdict = "ok"
            except (Failed, OSError, ValueError) as error:
                failed += 1
                verdict = f"FAILED: {error}"
        print(f"{function.__name__.replace('_', ' ')}: {verdict}", flush=True)
    sys.exit(1 if failed else 0)


main()
