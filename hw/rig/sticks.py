"""Sticks, as files: FAT, as people use, or ext4, if the kernel that mounts them has no FAT."""

import pathlib
import shutil
import subprocess
import tempfile

from world import run

MIB = 1 << 20


def make(image, files, fat=True, size=32 * MIB):
    """Makes a stick in the file `image`, with `files` (path: content, or a file's path) on it; returns `image`."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    with tempfile.TemporaryDirectory(dir=image.parent) as name:
        folder = pathlib.Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (folder / path).write_bytes(content)
            else:
                shutil.copyfile(content, folder / path)
        if fat:
            run("mkfs.vfat", *(["-F", "32"] if size > 256 * MIB else []), "-n", image.stem.upper()[:11], image)
            for entry in folder.iterdir():
                run("mcopy", "-s", "-D", "s", "-i", image, entry, "::")
        else:
            # Small blocks, as on a card.
            run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", image.stem[:16], "-d", folder, image)
    return image


def read(place, name):
    """The bytes of a file on a stick (or on FAT at an offset, as mtools writes it); None if there is no such file."""
    place = pathlib.Path(place)
    if place.exists() and is_ext4(place):
        result = subprocess.run(["debugfs", "-R", f"cat /{name}", place], capture_output=True)
        return None if b"File not found" in result.stderr else result.stdout
    result = subprocess.run(["mcopy", "-n", "-i", place, f"::{name}", "-"], capture_output=True)
    return result.stdout if result.returncode == 0 else None


def names(image):
    """The content of a stick's top folder."""
    if is_ext4(image):
        lines = run("debugfs", "-R", "ls -p /", image).stdout.splitlines()
        return [line.split("/")[5] for line in lines if line.startswith("/")]
    return [line.removeprefix("::/").rstrip("/") for line in run("mdir", "-b", "-i", image, "::").stdout.splitlines()]


def is_ext4(image):
    with image.open("rb") as file:
        file.seek(1024 + 56)
        return file.read(2) == b"\x53\xef"
