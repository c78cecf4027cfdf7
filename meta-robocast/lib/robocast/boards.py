"""The facts of a board: hw/boards/BOARD/board.conf, lines of KEY="value"."""

import glob
import os
import re

LINE = re.compile(r'^([A-Z_]+)="([^"]*)"\s*(?:#.*)?$')


def read(path):
    """The facts of one file."""
    with open(path, encoding="utf-8") as lines:
        return {found[1]: found[2] for found in map(LINE.match, lines) if found}


def facts(d):
    """The facts of the board whose YOCTO_MACHINE is the machine; none when there is no such board."""
    for path in sorted(glob.glob(os.path.join(d.getVar("ROBOCAST_TREE"), "hw", "boards", "*", "board.conf"))):
        found = read(path)
        if found.get("YOCTO_MACHINE") == d.getVar("MACHINE"):
            found["BOARD"] = os.path.basename(os.path.dirname(path))
            return found
    return {}


def fact(d, key, otherwise=""):
    """One fact of the machine's board."""
    return facts(d).get(key, otherwise)


def version(d):
    """The project's version: [workspace.package] of Cargo.toml."""
    section = None
    with open(os.path.join(d.getVar("ROBOCAST_TREE"), "Cargo.toml"), encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[workspace.package]" and line.startswith("version"):
                return line.split('"')[1]
    return "0"
