#!/usr/bin/env python3
"""Verifies the JSON files for tests/release/run, with other code than ci/release's. Exits with 1 and a line for a fault.

verify.py sbom FILE CARGO_LOCK [MANIFEST]      names every crate, and every package of the manifest, with checksums
verify.py imager FOLDER URL BOARD=DEVICE...    the entries of robocast.rpi-imager.json, against the files
"""

import hashlib
import json
import lzma
import re
import sys
from pathlib import Path


def want(true, words):
    if not true:
        sys.exit(f"verify: {words}")


def sbom(path, lock, manifest=None):
    bom = json.loads(Path(path).read_text())
    # The structure of CycloneDX 1.6: no other keys are allowed.
    want(
        set(bom) == {"$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies"},
        f"keys: {sorted(bom)}",
    )
    want(bom["bomFormat"] == "CycloneDX" and bom["specVersion"] == "1.6" and bom["version"] == 1, "the format's name")
    want(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom["serialNumber"]), "serialNumber")
    want(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bom["metadata"]["timestamp"]), "timestamp")
    found, refs = set(), [bom["metadata"]["component"]["bom-ref"]]
    for component in bom["components"]:
        want(
            set(component) <= {"type", "bom-ref", "name", "version", "purl", "hashes", "properties"},
            f"keys of {component['name']}: {sorted(component)}",
        )
        want(component["type"] in ("library", "application", "firmware"), f"type of {component['name']}")
        hashes = component.get("hashes", [])
        want(all(h["alg"] == "SHA-256" and re.fullmatch("[0-9a-f]{64}", h["content"]) for h in hashes), "hashes")
        found.add((component["name"], component["version"], hashes[0]["content"] if hashes else None))
        refs.append(component["bom-ref"])
        purl = component.get("purl")
        want(purl or not hashes, f"{component['name']} has no purl")
        if purl:
            match = re.match(r"pkg:(cargo|deb/debian)/([^@/]+)@([^?]+)", purl)
            want(match and match[2].replace("%2B", "+") == component["name"], f"purl {purl}")
            want(match[3].replace("%2B", "+") == component["version"], f"purl {purl}")
    want(len(set(refs)) == len(refs), "a bom-ref twice")
    depends = {d["ref"]: d["dependsOn"] for d in bom["dependencies"]}
    want(set(depends) == set(refs) and all(set(on) <= set(refs) for on in depends.values()), "dependencies")
    # Every crate that robocast needs is reachable from the top component.
    reached, ways = set(), [refs[0]]
    while ways:
        ref = ways.pop()
        if ref not in reached:
            reached.add(ref)
            ways += depends[ref]
    want(any("/tokio@" in ref for ref in reached), "tokio is not reached from the whole")

    crates = set()
    for block in Path(lock).read_text().split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.M))
        crates.add((fields["name"], fields["version"], fields.get("checksum")))
    want(len(crates) > 100, "Cargo.lock was not read")
    packages = set()
    if manifest:
        packages = {tuple(line.split()) for line in Path(manifest).read_text().splitlines()}
        want(len(packages) > 50, "the manifest was not read")
    want(found == crates | packages, f"differs from what went in: {sorted(map(str, found ^ (crates | packages)))[:5]}")
    print(f"{Path(path).name}: {len(crates)} crates, {len(packages)} packages, all there")


def imager(folder, url, *boards):
    folder = Path(folder)
    content = json.loads((folder / "robocast.rpi-imager.json").read_text())
    want(list(content) == ["os_list"], f"keys: {list(content)}")
    devices = dict(board.split("=") for board in boards)
    want(len(content["os_list"]) == len(devices), f"{len(content['os_list'])} entries, not {len(devices)}")
    for entry in content["os_list"]:
        place, _, file = entry["url"].rpartition("/")
        want(place == url, f"url {entry['url']}")
        board = re.fullmatch(r"robocast-(.*)-\d+\.\d+\.\d+\.img\.xz", file)[1]
        want(entry["devices"] == [devices.pop(board)], f"devices of {board}")
        packed = (folder / file).read_bytes()
        unpacked = lzma.decompress(packed)
        for key, value in {
            "image_download_size": len(packed),
            "image_download_sha256": hashlib.sha256(packed).hexdigest(),
            "extract_size": len(unpacked),
            "extract_sha256": hashlib.sha256(unpacked).hexdigest(),
            "init_format": "none",
        }.items():
            want(entry[key] == value, f"{board}: {key} is {entry[key]}, not {value}")
        want(re.fullmatch(r"\d{4}-\d\d-\d\d", entry["release_date"]), "release_date")
        want(entry["name"] and entry["description"], "name, description")
    print(f"robocast.rpi-imager.json: {len(boards)} boards, sizes and checksums are those of the files")


checks = {check.__name__: check for check in (sbom, imager)}
if len(sys.argv) < 3 or sys.argv[1] not in checks:
    sys.exit(__doc__)
checks[sys.argv[1]](*sys.argv[2:])
