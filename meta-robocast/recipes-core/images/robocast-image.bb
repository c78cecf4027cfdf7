SUMMARY = "The root of the robocast box"
DESCRIPTION = "A read-only root for one of two slots, and the disk with both."
HOMEPAGE = "https://github.com/robocast/robocast"
LICENSE = "MIT"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "rauc systemd"

IMAGE_FEATURES += "read-only-rootfs"
IMAGE_LINGUAS = ""
IMAGE_INSTALL = "\
    packagegroup-core-boot \
    robocast \
    ${CORE_IMAGE_EXTRA_INSTALL} \
"
# The kernel and its device trees are in the slot. A Pi 5 has them in its FAT slot, a Jetson has its own mechanism
# (/boot/extlinux).
IMAGE_INSTALL:append:chain-u-boot = " kernel-image kernel-image-image"
IMAGE_INSTALL:append:chain-u-boot = " ${@'kernel-devicetree' if d.getVar('KERNEL_DEVICETREE') else ''}"

# The slot's file system is made once: the disk and the bundle both contain that file.
ROBOCAST_ROOTFS_TYPE = "squashfs-zst"
ROBOCAST_ROOTFS_TYPE:tegra = "ext4"
IMAGE_FSTYPES = "${ROBOCAST_ROOTFS_TYPE} wic.xz wic.bmap"
# The Jetson's UEFI reads ext4, not squashfs; the file system is still mounted read-only.
IMAGE_FSTYPES:tegra = "${ROBOCAST_ROOTFS_TYPE} tegraflash-tar.zst"
IMAGE_TYPEDEP:wic = "${ROBOCAST_ROOTFS_TYPE}"
EXTRA_IMAGECMD:squashfs-zst = "-Xcompression-level 19 -b 128K"

# The box accepts only signed updates, and its root is read-only: the GPL's version 3 requirements for a consumer
# device could not be met without handing out keys. A package with such a licence fails the build.
INCOMPATIBLE_LICENSE ?= "AGPL-3.0-only AGPL-3.0-or-later GPL-3.0-only GPL-3.0-or-later LGPL-3.0-only LGPL-3.0-or-later"
# NVIDIA's scripts for fan and power are written for bash.
INCOMPATIBLE_LICENSE_EXCEPTIONS:tegra = "bash:GPL-3.0-or-later"

# A board that is not described in hw/boards has no image.
python () {
    if not d.getVar("ROBOCAST_BOARD"):
        raise bb.parse.SkipRecipe("no hw/boards/*/board.conf has YOCTO_MACHINE=\"%s\"" % d.getVar("MACHINE"))
}

# The partition boot: on the Pi the firmware's files and U-Boot, which contains its script. QEMU gets U-Boot directly; a copy
# is there, since wic makes no empty partition.
IMAGE_BOOT_FILES:qemuall = "u-boot.bin"
RPI_EXTRA_IMAGE_BOOT_FILES:chain-u-boot = "u-boot.bin;${SDIMG_KERNELIMAGE}"
do_image_wic[depends] += "${@'virtual/bootloader:do_deploy' if d.getVar('ROBOCAST_BOOT_CHAIN') == 'u-boot' else ''}"

# A Pi 5: the first partition says which slot; robocast-tryboot makes the slots themselves.
IMAGE_BOOT_FILES:chain-tryboot = "autoboot.txt"
do_image_wic[depends] += "${@'robocast-tryboot:do_deploy' if d.getVar('ROBOCAST_BOOT_CHAIN') == 'tryboot' else ''}"

# The box's identity comes from its settings, and nobody logs in: nothing that differs between two boxes is in the root.
ROOTFS_POSTPROCESS_COMMAND += "robocast_root"
robocast_root[doc] = "Empties what is of one box, and what /var hides."
robocast_root() {
    : >${IMAGE_ROOTFS}${sysconfdir}/machine-id
    rm -f ${IMAGE_ROOTFS}${sysconfdir}/hostname
    ln -sfn /run/systemd/resolve/stub-resolv.conf ${IMAGE_ROOTFS}${sysconfdir}/resolv.conf
    # /var is another partition, which starts empty: files here would never be seen.
    find ${IMAGE_ROOTFS}${localstatedir} -mindepth 1 -delete
    # preinit has mounted everything; an entry for the root would only cause an error.
    : >${IMAGE_ROOTFS}${sysconfdir}/fstab
}
