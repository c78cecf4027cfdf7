"""Cargo.lock as a list for BitBake's fetcher.

Cargo writes the file, in one form; it is read here without tomllib, which the oldest Python that BitBake
takes does not have. `python3 crates.py Cargo.lock` prints the list.
"""

import re

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
FIELD = re.compile(r'^(name|version|source|checksum) = "([^"\\]*)"$')


class LockError(Exception):
    """A lock file that cannot be built from."""


def packages(lines):
    """Every [[package]] of a lock file, as a dictionary."""
    found = None
    for line in lines:
        line = line.rstrip("\n")
        if line == "[[package]]":
            if found is not None:
                yield found
            found = {}
        elif line.startswith("["):
            if found is not None:
                yield found
            found = None
        elif found is not None:
            field = FIELD.match(line)
            if field:
                found[field[1]] = field[2]
    if found is not None:
        yield found


def crates(path):
    """(name, version, SHA-256) of every crate that is fetched, sorted. Crates without a source are from this tree."""
    listed = []
    with open(path, encoding="utf-8") as lock:
        for package in packages(lock):
            source = package.get("source")
            name = package.get("name", "?")
            if source is None:
                continue
            if source != REGISTRY:
                raise LockError("%s: %s comes from %s; only crates.io is fetched" % (path, name, source))
            if "checksum" not in package or "version" not in package:
                raise LockError("%s: %s has no version or no checksum" % (path, name))
            listed.append((name, package["version"], package["checksum"]))
    if not listed:
        raise LockError("%s: no crates in it" % path)
    return sorted(listed)


def uri(name, version):
    """A crate's SRC_URI entry. The fetcher names it NAME-VERSION, and so its checksum."""
    return "crate://crates.io/%s/%s" % (name, version)


if __name__ == "__main__":
    import sys

    for crate in crates(sys.argv[1]):
        print("%s %s" % (uri(*crate[:2]), crate[2]))
