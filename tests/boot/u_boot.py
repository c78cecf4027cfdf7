#!/usr/bin/env python3
"""The boot script in U-Boot, in QEMU: tries, fallback, a damaged environment, sticks. Usage: u_boot.py U-BOOT.BIN [NAME...]"""

import re
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from mini import COPIES, SIZE, Board, Failed, check, command, gpt, kernel  # noqa: E402

STOCK = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def fresh(board):
    """Both slots complete, nothing in the environment."""
    board.make()
    board.slot("rootfs-a", {"boot/Image": kernel("KERNEL A")})
    board.slot("rootfs-b", {"boot/Image": kernel("KERNEL B")})


def starts(said, *wanted):
    found = re.findall(r"^KERNEL (.*)$", said, re.M)
    check(found == list(wanted), f"started {found}, wanted {list(wanted)}; it said:\n{said}")


def words(board, order, a, b):
    found = board.environment()
    check(found == {"BOOT_ORDER": order, "BOOT_A_LEFT": str(a), "BOOT_B_LEFT": str(b)}, f"environment: {found}")


@test
def first_boot_is_slot_a(board):
    said = board.boot()
    starts(said, "A")
    words(board, "A B", 2, 3)
    check("does not start" not in said, said)


@test
def tries_are_counted_until_the_other_slot_then_all_again(board):
    board.slot("rootfs-a", {"boot/Image": kernel("KERNEL A", again=True)})
    board.slot("rootfs-b", {"boot/Image": kernel("KERNEL B", again=True)})
    said = board.boot(resets=True, until=r"(?s)all get three.*KERNEL A")
    starts(said, *"AAABBBA")
    words(board, "A B", 2, 3)


@test
def order_is_kept(board):
    board.set_copy(0, 1, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=2)
    starts(board.boot(), "B")
    words(board, "B A", 3, 1)


@test
def slot_without_a_kernel_falls_back_in_the_same_boot(board):
    board.slot("rootfs-a", {"etc/os-release": b"no kernel"})
    starts(board.boot(), "B")
    words(board, "A B", 2, 2)


@test
def damaged_slot_falls_back_in_the_same_boot(board):
    board.write("rootfs-a", b"\xff" * 65536)
    starts(board.boot(), "B")


@test
def something_else_than_a_kernel_falls_back(board):
    board.slot("rootfs-a", {"boot/Image": b"not a kernel" * 1000})
    starts(board.boot(), "B")


@test
def kernel_of_an_earlier_boot_in_memory_is_not_started(board):
    # A runs once and resets; before its next try its slot is gone. Its kernel is still in memory.
    board.slot("rootfs-a", {"boot/Image": kernel("KERNEL A", again=True)})
    board.slot("rootfs-b", {"etc/os-release": b"no kernel"})
    board.set_copy(0, 1, BOOT_ORDER="A B", BOOT_A_LEFT=1, BOOT_B_LEFT=1)
    said = board.boot(resets=True, until="slot B does not start")
    starts(said, "A")


@test
def initrd_is_loaded_where_there_is_one(board):
    board.slot("rootfs-a", {"boot/Image": kernel("KERNEL A"), "boot/initrd.img": b"initrd" * 30000})
    said = board.boot()
    starts(said, "A")
    check("180000 bytes read" in said, said)


@test
def no_tries_anywhere_resets_the_counters_and_boots(board):
    board.set_copy(0, 1, BOOT_ORDER="A B", BOOT_A_LEFT=0, BOOT_B_LEFT=0)
    said = board.boot()
    starts(said, "A")
    check("all get three" in said, said)
    words(board, "A B", 2, 3)


@test
def slot_that_rauc_took_out_of_the_order_is_the_last_resort(board):
    board.slot("rootfs-b", {"etc/os-release": b"no kernel"})
    board.set_copy(0, 1, BOOT_ORDER="B", BOOT_A_LEFT=0, BOOT_B_LEFT=1)
    starts(board.boot(), "A")


@test
def nothing_boots_goes_on_trying(board):
    board.slot("rootfs-a", {"etc/os-release": b"no kernel"})
    board.slot("rootfs-b", {"etc/os-release": b"no kernel"})
    said = board.boot(resets=True, until=r"(?s)nothing boots.*nothing boots")
    starts(said)


@test
def nonsense_in_the_environment_boots(board):
    board.set_copy(0, 1, BOOT_ORDER="C ; reset A", BOOT_A_LEFT="x y", BOOT_B_LEFT="-1", bootcmd="reset")
    starts(board.boot(), "A")


@test
def copies_are_written_in_turn(board):
    for turn, (order, written) in enumerate([("A B", 0), ("A B", 1), ("A B", 0)]):
        before = [board.read("env", SIZE, at) for at in COPIES]
        starts(board.boot(), "A")
        after = [board.read("env", SIZE, at) for at in COPIES]
        check(after[written] != before[written] and after[1 - written] == before[1 - written], f"turn {turn}")
        check(board.copy(written) == (turn + 1, {"BOOT_ORDER": order, "BOOT_A_LEFT": str(2 - turn), "BOOT_B_LEFT": "3"}),
              f"turn {turn}: {board.copy(written)}")


@test
def newer_copy_counts_and_the_counter_goes_round(board):
    for older, newer in [(1, 2), (254, 255), (255, 0)]:
        for place in (0, 1):
            board.set_copy(1 - place, older, BOOT_ORDER="A B", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
            board.set_copy(place, newer, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
            starts(board.boot(), "B")
            check(board.copy(1 - place)[0] == (newer + 1) % 256, f"{older}, {newer}: {board.copy(1 - place)}")


@test
def one_damaged_copy_leaves_the_other(board):
    for place in (0, 1):
        board.set_copy(1 - place, 4, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
        board.set_copy(place, 5, BOOT_ORDER="A B", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
        board.damage(place)
        starts(board.boot(), "B")
        check(board.copy(place) and board.copy(place)[0] == 5, "the damaged copy was not repaired")


@test
def both_copies_damaged_are_the_defaults(board):
    board.set_copy(0, 1, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
    board.set_copy(1, 2, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
    board.damage(0)
    board.damage(1)
    said = board.boot()
    starts(said, "A")
    check("are damaged" in said, said)
    words(board, "A B", 2, 3)


@test
def torn_write_costs_one_write(board):
    # A partial write of the next boot: after each number of sectors the earlier variables must be found.
    board.set_copy(0, 7, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3)
    board.set_copy(1, 6, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3, filler="x" * 9000)
    starts(board.boot(), "B")
    check(board.copy(1)[0] == 8, "copy 1 was not the one written")
    whole = board.read("env", SIZE, COPIES[1])
    for sectors in (1, 5, 18):
        board.set_copy(1, 6, BOOT_ORDER="B A", BOOT_A_LEFT=3, BOOT_B_LEFT=3, filler="x" * 9000)
        board.write("env", whole[:512 * sectors], COPIES[1])
        starts(board.boot(), "B")
        # The torn copy is only valid if everything that matters in it was written.
        check(board.copy(1)[1]["BOOT_B_LEFT"] in ("2", "1"), f"after {sectors} sectors: {board.copy(1)}")


@test
def fw_printenv_reads_and_fw_setenv_writes_what_the_script_does(board):
    for turn in (1, 2):
        starts(board.boot(), "A")
        found = dict(line.split("=", 1) for line in board.fw("fw_printenv").splitlines())
        check(found == {"BOOT_ORDER": "A B", "BOOT_A_LEFT": str(3 - turn), "BOOT_B_LEFT": "3"}, f"fw_printenv: {found}")
    # As RAUC does after an installation: B first, with all its tries.
    board.fw("fw_setenv", "BOOT_B_LEFT", "3")
    board.fw("fw_setenv", "BOOT_ORDER", "B A")
    starts(board.boot(), "B")
    words(board, "B A", 1, 2)
    for _ in range(3):
        board.fw("fw_setenv", "BOOT_B_LEFT", "3")
        starts(board.boot(), "B")
        check("BOOT_B_LEFT=2\n" in board.fw("fw_printenv"), "the newer copy is not the one that fw_printenv reads")


@test
def boot_partition_empty_or_destroyed_boots(board):
    starts(board.boot(), "A")
    for content in (b"\0", b"\xa5"):
        board.write("boot", content * (16 << 20))
        starts(board.boot(), "A")


@test
def no_env_partition_boots(board):
    gpt(board.disk, rename=lambda label: "gone" if label == "env" else label)
    starts(board.boot(), "A")


def stick(board, files):
    """A stick with one FAT partition."""
    image, fat = board.folder / "stick.img", board.folder / "stick.vfat"
    with open(fat, "wb") as file:
        file.truncate(30 << 20)
    command("mkfs.vfat", "-n", "ROBOCAST", fat)
    for name, content in files.items():
        source = board.folder / "stick.file"
        source.write_bytes(content)
        for parent in list(Path(name).parents)[-2::-1]:
            command("mmd", "-D", "s", "-i", fat, f"::{parent}")
        command("mcopy", "-o", "-i", fat, source, f"::{name}")
    with open(image, "wb") as file:
        file.truncate(32 << 20)
        # An MBR with one bootable FAT partition from sector 2048 on.
        file.seek(446)
        file.write(struct.pack("<B3xB3xII", 0x80, 0xC, 2048, 30 << 11))
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(1 << 20)
        file.write(fat.read_bytes())
    return image


@test
def stick_with_a_boot_script_does_not_boot(board):
    script = board.folder / "boot.cmd"
    script.write_text("echo THE STICK RAN\npoweroff\n")
    command("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", script, board.folder / "boot.scr")
    image = stick(board, {"boot.scr": (board.folder / "boot.scr").read_bytes()})
    # Debian's own U-Boot runs it: the stick is a real danger.
    check("THE STICK RAN" in board.boot(u_boot=STOCK, stick=image, until="THE STICK RAN"), "the control did not run it")
    said = board.boot(stick=image)
    starts(said, "A")
    check("THE STICK RAN" not in said, said)


@test
def stick_with_an_efi_program_or_extlinux_does_not_boot(board):
    image = stick(board, {
        "extlinux/extlinux.conf": b"TIMEOUT 1\nDEFAULT stick\nLABEL stick\n  LINUX /Image\n",
        "Image": kernel("OF THE STICK"),
    })
    check("OF THE STICK" in board.boot(u_boot=STOCK, stick=image, until="OF THE STICK"), "the control did not run it")
    image = stick(board, {
        "extlinux/extlinux.conf": b"TIMEOUT 1\nDEFAULT stick\nLABEL stick\n  LINUX /Image\n",
        "Image": kernel("OF THE STICK"),
        "EFI/BOOT/BOOTAA64.EFI": kernel("OF THE STICK"),
    })
    # Nor when nothing else boots.
    board.slot("rootfs-a", {"etc/os-release": b"no kernel"})
    board.slot("rootfs-b", {"etc/os-release": b"no kernel"})
    said = board.boot(stick=image, until="nothing boots")
    starts(said)
    check("OF THE STICK" not in said, said)


@test
def keys_do_not_stop_it(board):
    said = board.boot()
    check("stop autoboot" not in said and "=> " not in said, said)


@test
def kernel_of_36_megabytes_loads_whole(board):
    program = Path(shutil.which("qemu-system-aarch64")).read_bytes()
    filling = (program * 3)[:36 << 20]
    for options in ((), ("-b", "1M"), ("-no-fragments",), ("-action", "uncompressed@name(Image)")):
        image = kernel("KERNEL A", filling)
        size = board.slot("rootfs-a", {"boot/Image": image, "etc/os-release": b"x" * 3000}, *options)
        board.no_env()
        said = board.boot()
        starts(said, "A")
        check("DAMAGED" not in said, said)
        took = re.search(r"bytes read in (\d+) ms", said)
        print(f"    {len(image) >> 20} MiB in a squashfs of {size >> 20} MiB, mksquashfs {' '.join(options) or 'defaults'}: "
              f"{int(took[1]) / 1000:.1f} s")


def main():
    u_boot, names = Path(sys.argv[1]), sys.argv[2:]
    check(u_boot.is_file(), f"no {u_boot}")
    failed = 0
    for function in TESTS:
        if names and function.__name__ not in names:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="robocast-boot.") as folder:
            board = Board(folder, u_boot)
            try:
                fresh(board)
                function(board)
                verdict = "ok"
            except (Failed, OSError, TypeError, ValueError) as error:
                failed += 1
                verdict = f"FAILED: {error}"
        print(f"{function.__name__.replace('_', ' ')}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    sys.exit(1 if failed else 0)


main()
