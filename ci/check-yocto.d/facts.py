#!/usr/bin/env python3
"""Facts of the tree for ci/check-yocto: the layers of a kas file, the crate list, the disks.

  facts.py layers KAS-FILE           NAME COMMIT LAYER,LAYER,... of every repository that is fetched
  facts.py machine KAS-FILE          the machine
  facts.py crates TREE [SHOWN]       the layer's crate list against Cargo.lock; SHOWN: what BitBake made of it
  facts.py disks TREE                the wic files against hw/boards/common/genimage.cfg.in
"""

import os
import re
import sys


def kas(path, seen=None):
    """A kas file with its includes; later ones win."""
    import yaml

    root = os.path.abspath(path)
    while not os.path.isdir(os.path.join(root, "meta-robocast")):
        root = os.path.dirname(root)
    with open(path, encoding="utf-8") as text:
        own = yaml.safe_load(text)
    whole = {"repos": {}}
    for name in own["header"].get("includes", []):
        found = kas(os.path.join(root, name))
        whole["repos"].update(found.pop("repos"))
        whole.update(found)
    whole["repos"].update(own.pop("repos", None) or {})
    whole.update(own)
    return whole


def layers(path):
    for name, repo in kas(path)["repos"].items():
        if not repo.get("url"):
            continue
        inside = repo.get("layers") or {".": None}
        inside = [layer for layer, state in inside.items() if state != "disabled"]
        print(name, repo["commit"], ",".join(inside) or "-")


def crates(tree, shown=None):
    import tomllib

    sys.path.insert(0, os.path.join(tree, "meta-robocast", "lib", "robocast"))
    sys.dont_write_bytecode = True
    from crates import crates as generated
    from crates import uri

    lock = os.path.join(tree, "Cargo.lock")
    with open(lock, "rb") as text:
        wanted = {
            (package["name"], package["version"], package["checksum"])
            for package in tomllib.load(text)["package"]
            if "source" in package
        }
    found = generated(lock)
    faults = [f"more than once: {crate}" for crate in set(found) if found.count(crate) > 1]
    faults += [f"not in the list: {crate}" for crate in sorted(wanted - set(found))]
    faults += [f"not in Cargo.lock: {crate}" for crate in sorted(set(found) - wanted)]
    said = f"{len(found)} crates in the list, {len(wanted)} in Cargo.lock"
    if shown:
        with open(shown, encoding="utf-8") as text:
            lines = text.read().splitlines()
        uris = {word for line in lines for word in line.split() if word.startswith("crate://")}
        wanted_uris = {uri(name, version) for name, version, _ in wanted}
        faults += [f"BitBake does not fetch {word}" for word in sorted(wanted_uris - uris)]
        faults += [f"BitBake fetches {word}" for word in sorted(uris - wanted_uris)]
        said += f", {len(uris)} fetched by BitBake"
    return said, faults


def disks(tree):
    """Labels, order and sizes of every board that is built by Yocto with wic: both describe the same disk."""
    import subprocess

    sys.path.insert(0, os.path.join(tree, "meta-robocast", "lib", "robocast"))
    sys.dont_write_bytecode = True
    import boards

    folder = os.path.join(tree, "hw", "boards")
    faults, said = [], []
    for board in sorted(os.listdir(folder)):
        path = os.path.join(folder, board, "board.conf")
        facts = boards.read(path) if os.path.exists(path) else {}
        chain = facts.get("BOOT_CHAIN")
        if not facts.get("YOCTO_MACHINE") or chain not in ("u-boot", "tryboot"):
            continue
        template = os.path.join(folder, "common", "genimage.cfg.in")
        rendered = subprocess.run(
            [os.path.join(folder, "render"), board, template], check=True, capture_output=True, text=True
        ).stdout
        genimage = [
            (label, size[1] if (size := re.search(r"\bsize\s*=\s*(\d+)M", body)) else None)
            for label, body in re.findall(r"^\s*partition\s+([\w-]+)\s*\{([^}]*)\}", rendered, re.M)
        ]
        wic = []
        with open(os.path.join(tree, "meta-robocast", "files", "wic", f"robocast-{chain}.wks.in"), encoding="utf-8") as text:
            for words in (line.split() for line in text if line.startswith("part ")):
                size = words[words.index("--fixed-size") + 1].rstrip("M")
                size = re.sub(r"\$\{ROBOCAST_(\w+)\}", lambda found: facts[found[1]], size)
                wic.append((words[words.index("--part-name") + 1], size))
        said.append(f"{board}: {' '.join(f'{label} {size}' for label, size in wic)}")
        if wic != genimage:
            faults.append(f"{board}: wic has {wic}, genimage has {genimage}")
    if not said:
        faults.append("no board with a machine and a disk of ours")
    return "\n".join(said), faults


def main():
    what, *rest = sys.argv[1:]
    if what == "layers":
        layers(*rest)
        return 0
    if what == "machine":
        print(kas(*rest)["machine"])
        return 0
    said, faults = {"crates": crates, "disks": disks}[what](*rest)
    print(said)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
