"""The container board's boot loader: chooses the next slot by the variables in the partition `env`.

It keeps them as U-Boot's script does (`hw/boards/common/boot.cmd.in`, which `tests/boot` tests), so that RAUC and
fw_printenv on the board find the same as on a board with U-Boot."""

import struct
import zlib

# Two copies, each with a checksum and a counter; the newer is valid, the other one is written.
COPIES, SIZE = (0, 0x10000), 0x4000
DEFAULTS = {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3"}


def packed(words, count):
    """A copy as it is on the disk."""
    data = "".join(f"{name}={value}\0" for name, value in words.items()).encode().ljust(SIZE - 5, b"\0")
    return struct.pack("<IB", zlib.crc32(data), count) + data


def unpacked(raw):
    """A copy's counter and variables; None when it is damaged."""
    if struct.unpack("<I", raw[:4])[0] != zlib.crc32(raw[5:]):
        return None
    lines = raw[5:].split(b"\0\0")[0].decode(errors="replace").split("\0")
    return raw[4], dict(line.split("=", 1) for line in lines if "=" in line)


def newest(copies):
    """Which of the two copies is valid, and its variables; the defaults if both are damaged."""
    found = [unpacked(raw) for raw in copies]
    if None not in found:
        (first, _), (second, _) = found
        # The counter wraps from 255 to 0.
        which = int(second > first) if {first, second} != {0, 255} else int(second == 0)
    else:
        which = next((which for which, copy in enumerate(found) if copy), None)
    if which is None:
        return 1, 0, dict(DEFAULTS)
    count, words = found[which]
    return which, count, {**DEFAULTS, **words}


def slots(read, write):
    """The slots in the order of their tries; each try is counted on the disk before it is made."""
    which, count, words = newest([read(at, SIZE) for at in COPIES])

    def counted(order):
        nonlocal which, count
        for slot in order:
            left = int(words.get(f"BOOT_{slot}_LEFT", "0") or 0)
            if left > 0:
                words[f"BOOT_{slot}_LEFT"] = str(left - 1)
                which, count = 1 - which, (count + 1) & 0xFF
                write(COPIES[which], packed(words, count))
                yield slot

    yield from counted(words["BOOT_ORDER"].split())
    # A board is never left without a way to boot.
    words.update(BOOT_A_LEFT="3", BOOT_B_LEFT="3")
    yield from counted([*words["BOOT_ORDER"].split(), "A", "B"])
