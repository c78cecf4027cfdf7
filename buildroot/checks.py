#!/usr/bin/env python3
"""The checks of ci/check-buildroot, one per command. Exits with 1 and a line for each fault.

checks.py dropped DEFCONFIG DOTCONFIG      every symbol of the defconfig has its value in .config
checks.py facts BOARD DOTCONFIG BUILDROOT  what the defconfig repeats equals hw/boards/BOARD/board.conf
checks.py elements DOTCONFIG               GStreamer has what the sources name, and no more
checks.py info BOARD JSON                  `make show-info`: the packages that a box needs
checks.py sbom JSON                        a CycloneDX document that holds together
"""

import json
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXTERNAL = REPOSITORY / "buildroot"
faults = []


def fault(*words):
    faults.append(" ".join(str(word) for word in words))


def symbols(path):
    """The symbols of a defconfig or .config; one that "is not set" is n, strings lose their quotes."""
    found = {}
    for line in Path(path).read_text().splitlines():
        if match := re.fullmatch(r"# (\w+) is not set", line):
            found[match[1]] = "n"
        elif match := re.fullmatch(r'(\w+)="?(.*?)"?', line):
            found[match[1]] = match[2]
    return found


def facts_of(board):
    """board.conf: KEY="value", one per line."""
    lines = (REPOSITORY / "hw/boards" / board / "board.conf").read_text().splitlines()
    pairs = (re.fullmatch(r"""(\w+)=["']?([^"']*)["']?\s*(?:#.*)?""", line.strip()) for line in lines)
    return {pair[1]: pair[2] for pair in pairs if pair}


def dropped(defconfig, dotconfig):
    # Not compared with savedefconfig's output: that omits defaults.
    got = symbols(dotconfig)
    wanted = symbols(defconfig)
    for name, value in wanted.items():
        if got.get(name, "n") != value:
            fault(f"{name}: expected {value}, got {got.get(name, 'no such symbol')}")
    return f"{len(wanted)} symbols kept"


def facts(board, dotconfig, buildroot):
    conf, got = facts_of(board), symbols(dotconfig)

    def equal(what, value, wanted):
        if value != wanted:
            fault(f"{what} is {value!r}, board.conf has {wanted!r}")

    equal("the folder", board, conf.get("BOARD"))
    equal("BR2_PACKAGE_ROBOCAST_BOARD", got.get("BR2_PACKAGE_ROBOCAST_BOARD"), conf.get("BOARD"))
    equal("BR2_ARCH", got.get("BR2_ARCH"), conf.get("ARCH"))
    uses_u_boot = conf.get("BOOT_CHAIN") == "u-boot"
    equal("BR2_TARGET_UBOOT", got.get("BR2_TARGET_UBOOT", "n"), "y" if uses_u_boot else "n")
    equal("U-Boot's defconfig", got.get("BR2_TARGET_UBOOT_BOARD_DEFCONFIG", ""), conf.get("UBOOT_DEFCONFIG"))
    if conf.get("BOOT_CHAIN") == "tryboot":
        equal("BR2_PACKAGE_RPI_FIRMWARE", got.get("BR2_PACKAGE_RPI_FIRMWARE"), "y")
    if conf.get("DTB"):
        made = [Path(name).name + ".dtb" for name in got.get("BR2_LINUX_KERNEL_INTREE_DTS_NAME", "").split()]
        if Path(conf["DTB"]).name not in made:
            fault(f"board.conf names {conf['DTB']}, the kernel makes {' '.join(made) or 'none'}")
    if conf.get("ENCODER") == "v4l2h264enc":
        equal("GStreamer's v4l2 probe", got.get("BR2_PACKAGE_GST1_PLUGINS_GOOD_PLUGIN_V4L2_PROBE"), "y")

    # The files of this tree and of the repository that the defconfig names must exist; scripts must be executable.
    for name, value in symbols(EXTERNAL / "configs" / conf["BUILDROOT_DEFCONFIG"]).items():
        for file in re.findall(r"\$\(BR2_EXTERNAL_ROBOCAST_PATH\)(\S+)", value):
            path = EXTERNAL / file.lstrip("/")
            if not path.exists():
                fault(f"{name}: there is no {path}")
            elif name.endswith("_SCRIPT") and not path.stat().st_mode & 0o100:
                fault(f"{name}: {path} is not executable")

    # The kernel is that of one of Buildroot's own defconfigs, so that its checksums exist.
    like = {"qemuarm64": "qemu_aarch64_virt"}.get(board, board.replace("-", "_"))
    own = symbols(Path(buildroot) / "configs" / f"{like}_defconfig")
    for name in ("BR2_LINUX_KERNEL_CUSTOM_TARBALL_LOCATION", "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE",
                 "BR2_LINUX_KERNEL_DEFCONFIG", "BR2_GLOBAL_PATCH_DIR"):
        if name in own and own[name] != got.get(name):
            fault(f"{name} is {got.get(name)!r}, Buildroot's {like}_defconfig has {own[name]!r}")

    def version(text):
        return tuple(int(number) for number in text.split("."))

    rust = re.search(r"^RUST_VERSION = (\S+)", (Path(buildroot) / "package/rust/rust.mk").read_text(), re.M)[1]
    wanted = re.search(r'^rust-version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.M)[1]
    if version(rust) < version(wanted):
        fault(f"Buildroot has Rust {rust}, Cargo.toml needs {wanted}")

    # Users: hw/rootfs has them for systemd-sysusers, robocast.mk for Buildroot.
    sysusers = (REPOSITORY / "hw/rootfs/usr/lib/sysusers.d/robocast.conf").read_text()
    groups = {user: {user} for user in re.findall(r"^u (\S+)", sysusers, re.M)}
    for user, group in re.findall(r"^m (\S+) (\S+)", sysusers, re.M):
        groups.setdefault(user, {user}).add(group)
    made = {}
    package = (EXTERNAL / "package/robocast/robocast.mk").read_text()
    table = re.search(r"define ROBOCAST_USERS\n(.*?)endef", package, re.S)[1]
    for line in table.splitlines():
        words = line.split()
        made[words[0]] = {words[2], *words[7].split(",")} - {"-"}
    equal("users of robocast.mk", made, groups)
    return f"{len(conf)} facts, Rust {rust} for {wanted}"


# The element's name in the sources -> the package option that builds it. Core elements need nothing.
PLUGINS = {
    "BASE": {
        "APP": "appsink appsrc", "PLAYBACK": "parsebin decodebin decodebin3 uridecodebin", "TYPEFIND": "typefind",
        "VIDEOCONVERTSCALE": "videoconvert videoscale videoconvertscale", "VIDEORATE": "videorate",
        "VIDEOTESTSRC": "videotestsrc",
    },
    "GOOD": {
        "JPEG": "jpegdec jpegenc", "ISOMP4": "qtdemux mp4mux", "RTP": "rtph264depay rtph264pay",
        "RTPMANAGER": "rtpbin rtpjitterbuffer", "RTSP": "rtspsrc", "UDP": "udpsrc udpsink",
        "V4L2": "v4l2src", "V4L2_PROBE": "v4l2h264enc v4l2h264dec",
        "FLV": "flvmux flvdemux", "IMAGEFREEZE": "imagefreeze", "MULTIFILE": "multifilesrc",
    },
    "BAD": {
        "VIDEOPARSERS": "h264parse", "OPENH264": "openh264enc openh264dec", "MPEGTSMUX": "mpegtsmux",
        "MPEGTSDEMUX": "tsdemux", "RTMP2": "rtmp2sink", "WEBRTC": "webrtcbin", "V4L2CODECS": "v4l2slh264dec",
    },
    "UGLY": {"X264": "x264enc"},
}
# Not named in the sources: typefind and qtdemux work inside parsebin; rtpbin, udpsrc and depayloaders inside rtspsrc;
# srtsink and its muxer are for the SRT push.
UNNAMED = {"TYPEFIND", "ISOMP4", "RTP", "RTPMANAGER", "UDP", "MPEGTSMUX"}


def elements(dotconfig):
    got = symbols(dotconfig)
    text = "".join(
        path.read_text()
        for part in ("camera", "media", "push", "robocast")
        for path in sorted((REPOSITORY / "crates" / part / "src").rglob("*.rs"))
    )
    words = set(re.findall(r"\b[a-z][a-z0-9]+\b", text))
    named = enabled = 0
    for group, plugins in PLUGINS.items():
        prefix = f"BR2_PACKAGE_GST1_PLUGINS_{group}_"
        on = {
            name[len(prefix):].removeprefix("PLUGIN_")
            for name, value in got.items()
            if name.startswith(prefix) and value == "y" and (f"{prefix}PLUGIN_" in name or name.endswith("_JPEG"))
        }
        enabled += len(on)
        for plugin, makes in plugins.items():
            used = sorted(words & set(makes.split()))
            named += len(used)
            if used and plugin not in on:
                fault(f"{', '.join(used)}: the sources name it, {prefix}PLUGIN_{plugin} is off")
            if not used and plugin in on and plugin not in UNNAMED:
                fault(f"{prefix}PLUGIN_{plugin} is on, and nothing names its elements")
            on.discard(plugin)
        for plugin in sorted(on):
            fault(f"{prefix}PLUGIN_{plugin} is on, and nothing is known to need it")
    if "libcamerasrc" in words and got.get("BR2_PACKAGE_LIBCAMERA") != "y":
        fault("libcamerasrc: the sources name it, BR2_PACKAGE_LIBCAMERA is off")
    return f"{named} elements named, {enabled} plugins on"


NEEDED = """
    robocast srt rauc systemd dbus-broker network-manager modem-manager wpa_supplicant wireless-regdb nftables iproute2
    gstreamer1 gst1-plugins-base gst1-plugins-good gst1-plugins-bad gst1-plugins-ugly libcamera libopenh264 x264 linux
    glib-networking e2fsprogs util-linux coreutils ca-certificates host-rauc host-genimage host-squashfs host-mtools host-dosfstools
    host-bmap-tools
""".split()


def info(board, path):
    conf, packages = facts_of(board), json.loads(Path(path).read_text())
    needed = list(NEEDED)
    if conf["BOOT_CHAIN"] == "u-boot":
        needed += ["uboot", "uboot-tools", "host-uboot-tools"]
    if board.startswith("raspberrypi"):
        needed += ["rpi-firmware", "brcmfmac_sdio-firmware-rpi"]
    if board == "raspberrypi5":
        needed += ["libpisp"]
        if "libpisp" not in packages.get("libcamera", {}).get("dependencies", []):
            fault("libcamera does not wait for libpisp")
    if "srt" not in packages.get("gst1-plugins-bad", {}).get("dependencies", []):
        fault("gst1-plugins-bad does not wait for srt")
    for name in needed:
        if name not in packages:
            fault(f"no package {name}")
    for name in ("polkit", "host-rust", "gst1-libav"):
        if name in packages:
            fault(f"{name} is included, and must not be")
    unknown = [
        name for name, package in packages.items()
        if package.get("type") == "target" and not package.get("virtual") and package.get("licenses") in (None, "unknown")
    ]
    hint = f"; licence unknown to Buildroot: {' '.join(sorted(unknown))}" if unknown else ""
    return f"{len(packages)} packages, all {len(needed)} that a box needs among them{hint}"


def sbom(path):
    bom = json.loads(Path(path).read_text())
    if bom.get("bomFormat") != "CycloneDX":
        fault(f"bomFormat is {bom.get('bomFormat')!r}")
    components = bom.get("components", [])
    refs = [component.get("bom-ref") for component in components]
    if len(set(refs)) != len(refs):
        fault("a bom-ref twice")
    known = set(refs) | {bom.get("metadata", {}).get("component", {}).get("bom-ref")}
    for dependency in bom.get("dependencies", []):
        for ref in (dependency["ref"], *dependency.get("dependsOn", [])):
            if ref not in known:
                fault(f"a dependency on {ref}, which is not a component")
    names = {component["name"] for component in components}
    for name in ("robocast", "rauc", "srt", "linux", "systemd"):
        if name not in names:
            fault(f"{name} is not a component")
    hashed = sum(
        any("hashes" in reference for reference in component.get("externalReferences", [])) for component in components
    )
    return f"CycloneDX {bom.get('specVersion')}, {len(components)} components, {hashed} with checksums of their sources"


def main():
    checks = {check.__name__: check for check in (dropped, facts, elements, info, sbom)}
    if len(sys.argv) < 3 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    said = checks[sys.argv[1]](*sys.argv[2:])
    for line in faults:
        print(line, file=sys.stderr)
    if not faults:
        print(said)
    sys.exit(1 if faults else 0)


main()
