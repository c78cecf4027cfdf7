#!/usr/bin/env python3
"""The parts of ci/release that need more than a few lines of shell. Exits with 1 and a message when something is wrong.

parts.py signature BUNDLE OUT     the CMS signature of a RAUC bundle in the format verity
parts.py manifest FILE            compatible, version, and the root's file and digest, as shell variables
parts.py partition LABEL          where it begins, in bytes; reads the output of `sfdisk --json`
parts.py sbom ... | imager ... | notes ...     write a file of the release; see main()
parts.py look FILE                checks that a CycloneDX document is consistent
"""

import argparse
import configparser
import hashlib
import json
import os
import re
import shlex
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

# Raspberry Pi Imager's names for the boards. A compute module 4 belongs to the Pi 4.
IMAGER_DEVICES = {
    "raspberrypi4-64": ["pi4-64bit"],
    "raspberrypicm4io-64": ["pi4-64bit"],
    "raspberrypi5": ["pi5-64bit"],
}
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def fail(words):
    sys.exit(f"ci/release: {words}")


def made():
    """The time of everything made here: the commit's."""
    return datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path, content):
    Path(path).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


# --- Bundles and disks.


def signature(bundle, out):
    # A bundle ends with its signature and, last, the signature's length: 8 bytes, big-endian.
    with open(bundle, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        if end < 16:
            fail(f"{bundle} is too short for a bundle")
        file.seek(end - 8)
        length = int.from_bytes(file.read(8), "big")
        if not 0 < length <= min(end - 8, 1 << 20):
            fail(f"{bundle} does not end in a signature")
        file.seek(end - 8 - length)
        Path(out).write_bytes(file.read(length))


def manifest(path):
    # The format verity has its manifest inside the signature; plain does not, and openssl wrote an empty file.
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    try:
        parser.read_string(Path(path).read_text())
        words = {
            "compatible": parser["update"]["compatible"],
            "bundle_version": parser["update"].get("version", ""),
            "filename": parser["image.rootfs"]["filename"],
            "digest": parser["image.rootfs"]["sha256"],
        }
        if parser["bundle"]["format"] != "verity":
            fail(f"the bundle has the format {parser['bundle']['format']}, not verity")
    except (KeyError, UnicodeDecodeError, configparser.Error) as error:
        fail(f"the bundle's manifest: {error}")
    if "/" in words["filename"]:
        fail(f"the bundle's manifest names a file outside of it: {words['filename']}")
    for name, value in words.items():
        print(f"{name}={shlex.quote(value)}")


def partition(label):
    try:
        table = json.load(sys.stdin)["partitiontable"]
    except (KeyError, ValueError):
        fail("no table of partitions")
    for entry in table["partitions"]:
        if entry.get("name") == label:
            print(entry["start"] * table.get("sectorsize", 512))
            return
    fail(f"no partition {label}")


# --- The SBOM.


def crates(lock, version):
    """The components of Cargo.lock, and their dependencies."""
    packages = tomllib.loads(Path(lock).read_text())["package"]
    versions = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])

    def ref(name, its_version):
        return f"pkg:cargo/{name}@{quote(its_version, safe=':~.-_')}"

    def wanted(words):
        # "name", "name version" if there are several, "name version (source)" in old files.
        name, *rest = words.split(" ")
        return ref(name, rest[0] if rest else versions[name][0])

    components, dependencies = [], []
    for package in packages:
        own = "source" not in package
        purl = ref(package["name"], package["version"])
        component = {
            "type": "application" if own else "library",
            "bom-ref": purl,
            "name": package["name"],
            "version": package["version"],
        }
        if not own and package["source"] != CRATES_IO:
            component["purl"] = f"{purl}?{'vcs_url' if package['source'].startswith('git+') else 'repository_url'}=" + quote(
                package["source"], safe=":"
            )
        elif not own:
            component["purl"] = purl
        else:
            # Not published: the same name on crates.io would be another crate.
            component["properties"] = [{"name": "robocast:version", "value": version}]
        if "checksum" in package:
            component["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
        components.append(component)
        dependencies.append(
            {"ref": purl, "dependsOn": sorted({wanted(words) for words in package.get("dependencies", [])})}
        )
    return components, dependencies


def debian(manifest_path, lock):
    """The components of a list of Debian packages: name, version, SHA-256 of the .deb."""
    places = {}
    for line in Path(lock).read_text().splitlines():
        if line and not line.startswith("#"):
            words = line.split()
            places[words[-1]] = words[3]
    components = []
    for line in Path(manifest_path).read_text().splitlines():
        name, version, checksum = line.split()
        purl = f"pkg:deb/debian/{quote(name, safe='~.-_')}@{quote(version, safe=':~.-_')}"
        qualifiers = ""
        if match := re.fullmatch(r".*/([^/]+)/[^/]+_([^_/]+)\.deb", places.get(checksum, "")):
            qualifiers = f"?arch={match[2]}&distro=trixie"
        components.append(
            {
                "type": "library",
                "bom-ref": purl + qualifiers,
                "name": name,
                "version": version,
                "purl": purl + qualifiers,
                "hashes": [{"alg": "SHA-256", "content": checksum}],
            }
        )
        if match and match[1] != name:
            components[-1]["properties"] = [{"name": "robocast:debian-source", "value": match[1]}]
    return components


def sbom(options):
    components, dependencies = crates(options.lock, options.version)
    roots = [
        component["bom-ref"]
        for component in components
        if "purl" not in component and component["name"] == "robocast"
    ]
    name = f"robocast-{options.of}"
    if options.packages:
        packages = debian(options.packages, options.packages_lock)
        components += packages
        roots += [package["bom-ref"] for package in packages]
        dependencies += [{"ref": package["bom-ref"], "dependsOn": []} for package in packages]
    components.sort(key=lambda component: component["bom-ref"])
    subject = {
        "type": "firmware" if options.packages else "application",
        "bom-ref": f"{name}@{options.version}",
        "name": name,
        "version": options.version,
        "externalReferences": [{"type": "vcs", "url": options.repository}],
    }
    dependencies.append({"ref": subject["bom-ref"], "dependsOn": sorted(roots)})
    dependencies.sort(key=lambda dependency: dependency["ref"])
    content = json.dumps([subject, components], sort_keys=True)
    write_json(
        options.out,
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            # Not random: the same content has the same serial number.
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, options.repository + content)}",
            "version": 1,
            "metadata": {
                "timestamp": made().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "lifecycles": [{"phase": "build"}],
                "tools": {"components": [{"type": "application", "name": "robocast ci/release"}]},
                "component": subject,
                "properties": [
                    {
                        "name": "robocast:crates",
                        "value": "all of Cargo.lock: also those of the tests, and of other systems",
                    }
                ],
            },
            "components": components,
            "dependencies": dependencies,
        },
    )


def look(path):
    try:
        bom = json.loads(Path(path).read_text())
        if bom.get("bomFormat") != "CycloneDX":
            fail(f"bomFormat is {bom.get('bomFormat')!r}")
        if tuple(map(int, bom["specVersion"].split("."))) < (1, 5):
            fail(f"specVersion is {bom['specVersion']}")
        components = bom["components"]
        refs = [component["bom-ref"] for component in components if "bom-ref" in component]
        if len(set(refs)) != len(refs):
            fail("a duplicate bom-ref")
        known = set(refs) | {bom.get("metadata", {}).get("component", {}).get("bom-ref")}
        for dependency in bom.get("dependencies", []):
            for ref in (dependency["ref"], *dependency.get("dependsOn", [])):
                if ref not in known:
                    fail(f"a dependency on {ref}, which is not a component")
        for component in components:
            if not component["name"] or not component["type"]:
                fail("a component without a name or a type")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        fail(f"{type(error).__name__}: {error}")
    print(f"{Path(path).name}: CycloneDX {bom['specVersion']}, {len(components)} components")


# --- For people, and for their programs.


def boards_of(options):
    names = ("board", "title", "builder", "image", "size", "sha256")
    return [dict(zip(names, line.split("\t"))) for line in Path(options.boards).read_text().splitlines()]


def imager(options):
    entries = []
    for board in boards_of(options):
        # A compute module or Pi that is not in the table must not be left out silently.
        if not board["board"].startswith("raspberrypi"):
            continue
        if board["board"] not in IMAGER_DEVICES:
            fail(f"what does Raspberry Pi Imager call {board['board']}? Add it to IMAGER_DEVICES in ci/release.d/parts.py")
        packed = Path(options.folder) / board["image"]
        entries.append(
            {
                "name": f"robocast {options.version} ({board['title']})",
                "description": "Pushes a robot's video to media servers. Its settings come on a USB stick, not from here.",
                "url": f"{options.url}/{quote(board['image'])}",
                "website": options.repository,
                "release_date": made().strftime("%Y-%m-%d"),
                "extract_size": int(board["size"]),
                "extract_sha256": board["sha256"],
                "image_download_size": packed.stat().st_size,
                "image_download_sha256": sha256(packed),
                "devices": IMAGER_DEVICES[board["board"]],
                # No settings from Imager: the box would not read them.
                "init_format": "none",
            }
        )
    if entries:
        write_json(options.out, {"os_list": entries})


def plain(words):
    """Escapes characters that Markdown would interpret."""
    return re.sub(r"([\\<>*_\[\]|])", r"\\\1", words)


def never_ran(page):
    """The section "What never ran" of a page, without its heading."""
    match = re.search(r"^## What never ran\n(.*?)(?=^## |\Z)", page.read_text(), re.M | re.S)
    return match[1].strip() if match else ""


def notes(options):
    boards = boards_of(options)
    folder = Path(options.folder)
    lines = []
    if options.rehearsal:
        lines += [
            f"**A rehearsal, not a release: signed by the development CA, whose keys are not secret; from commit {options.rehearsal}.**"
            + (" **The tree had uncommitted changes.**" if options.dirty else ""),
            "",
        ]
    lines += [f"# robocast {options.version}", "", f"{made():%Y-%m-%d}", "", "## Boards", ""]
    lines += ["| board | made by | file | MB | SHA-256 |", "|---|---|---|---:|---|"]
    for board in boards:
        for file in sorted(folder.glob(f"robocast-{board['board']}-{options.version}.*")):
            lines.append(
                f"| {plain(board['title'])} | {board['builder']} | `{file.name}` | "
                f"{file.stat().st_size / 1e6:.1f} | `{sha256(file)}` |"
            )
    lines += ["", "`SHA256SUMS` has them all, `SHA256SUMS.cms` is its signature. How to verify a download: docs/release.md."]
    if any(board["board"] == "virtual" for board in boards):
        lines += ["", "The virtual board has an open root shell on its serial line. It is for testing, not for a robot."]
    lines += ["", "## What never ran on hardware", ""]
    builders = {board["builder"] for board in boards}
    if "virtual" in builders:
        lines += ["The virtual board runs only in QEMU.", ""]
    for builder, page in (("buildroot", "buildroot.md"), ("yocto", "yocto.md")):
        if builder in builders:
            words = never_ran(Path(options.docs) / page) or "The page has no section about it."
            lines += [f"From docs/{page}:", "", words, ""]
    lines += [f"## Changes since {options.since}" if options.since else "## Changes", ""]
    if not options.since:
        lines += ["The first release: all changes.", ""]
    for line in Path(options.log).read_text().splitlines():
        commit, _, subject = line.partition(" ")
        lines.append(f"- {plain(subject)} ({commit})")
    Path(options.out).write_text("\n".join(lines).rstrip() + "\n")


def main():
    plain_commands = {"signature": signature, "manifest": manifest, "partition": partition, "look": look}
    commands = {"sbom": sbom, "imager": imager, "notes": notes}
    if len(sys.argv) < 2 or sys.argv[1] not in {**plain_commands, **commands}:
        sys.exit(__doc__)
    if sys.argv[1] in plain_commands:
        plain_commands[sys.argv[1]](*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command")
    for name in ("folder", "boards", "version", "repository", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("of", "lock", "packages", "packages-lock", "url", "log", "since", "rehearsal", "docs"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--dirty", action="store_true")
    options = parser.parse_args()
    commands[options.command](options)


main()
