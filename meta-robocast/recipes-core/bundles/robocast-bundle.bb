SUMMARY = "Update of the robocast box"
DESCRIPTION = "A signed RAUC bundle with the root of robocast-image."
HOMEPAGE = "https://github.com/robocast/robocast"
LICENSE = "MIT"

inherit bundle features_check robocast-keys

REQUIRED_DISTRO_FEATURES = "rauc systemd"

RAUC_BUNDLE_COMPATIBLE = "${ROBOCAST_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${ROBOCAST_VERSION}"
RAUC_BUNDLE_DESCRIPTION = "robocast ${ROBOCAST_VERSION} for ${MACHINE}"
# No time in it: two builds of one commit have one content.
RAUC_BUNDLE_BUILD = "${ROBOCAST_VERSION}"
RAUC_BUNDLE_FORMAT = "verity"

RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "robocast-image"
RAUC_SLOT_rootfs[fstype] = "${@'ext4' if d.getVar('ROBOCAST_BOOT_CHAIN') == 'nvbootctrl' else 'squashfs-zst'}"
# RAUC writes an .img as it is, whatever the slot's type.
RAUC_SLOT_rootfs[rename] = "rootfs.img"

RAUC_CERT_FILE = "${ROBOCAST_SIGNING_CERT}"
RAUC_KEY_FILE = "${ROBOCAST_SIGNING_KEY}"

python () {
    if not d.getVar("ROBOCAST_BOARD"):
        raise bb.parse.SkipRecipe("no hw/boards/*/board.conf has YOCTO_MACHINE=\"%s\"" % d.getVar("MACHINE"))
}
