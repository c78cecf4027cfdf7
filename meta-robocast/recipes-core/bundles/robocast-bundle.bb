SUMMARY = "Update of the robocast box"
DESCRIPTION = "A signed RAUC bundle with the root of robocast-image."
HOMEPAGE = "https://github.com/robocast/robocast"
LICENSE = "MIT"

inherit bundle features_check robocast_keys

REQUIRED_DISTRO_FEATURES = "rauc systemd"

RAUC_BUNDLE_COMPATIBLE = "${ROBOCAST_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${ROBOCAST_VERSION}"
RAUC_BUNDLE_DESCRIPTION = "robocast ${ROBOCAST_VERSION} for ${MACHINE}"
# No timestamp in it: two builds of one commit have the same content.
RAUC_BUNDLE_BUILD = "${ROBOCAST_VERSION}"
RAUC_BUNDLE_FORMAT = "verity"

RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "robocast-image"
RAUC_SLOT_rootfs[fstype] = "${@'ext4' if d.getVar('ROBOCAST_BOOT_CHAIN') == 'nvbootctrl' else 'squashfs-zst'}"
# RAUC writes an .img unchanged, whatever the slot's type.
RAUC_SLOT_rootfs[rename] = "rootfs.img"

# A Pi 5 loads kernel and device tree from a FAT slot, which belongs to the root.
RAUC_BUNDLE_SLOTS:append:chain-tryboot = " boot"
RAUC_SLOT_boot = "robocast-tryboot"
RAUC_SLOT_boot[type] = "boot"
RAUC_SLOT_boot[file] = "boot.vfat"

# Boot firmware of a Jetson: a UEFI capsule, for a post-install handler to stage.
RAUC_BUNDLE_EXTRA_DEPENDS:append:chain-nvbootctrl = " tegra-uefi-capsules"
RAUC_BUNDLE_EXTRA_FILES:append:chain-nvbootctrl = " tegra-bl.cap"

RAUC_CERT_FILE = "${ROBOCAST_SIGNING_CERT}"
RAUC_KEY_FILE = "${ROBOCAST_SIGNING_KEY}"

python () {
    if not d.getVar("ROBOCAST_BOARD"):
        raise bb.parse.SkipRecipe("no hw/boards/*/board.conf has YOCTO_MACHINE=\"%s\"" % d.getVar("MACHINE"))
}
