SUMMARY = "U-Boot's script of the robocast box"
DESCRIPTION = "Takes the next slot with tries left, counts one off, loads its kernel. One script for all builders."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "bootloaders"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "u-boot-mkimage-native"
PROVIDES += "u-boot-default-script"

FILESEXTRAPATHS:prepend := "${ROBOCAST_TREE}:"
SRC_URI = "file://hw/boards file://Cargo.toml"

S = "${UNPACKDIR}"

inherit deploy kernel-arch nopackages

INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_configure[noexec] = "1"
do_compile() {
    hw/boards/render ${ROBOCAST_BOARD} hw/boards/common/boot.cmd.in >boot.cmd
    mkimage -A ${UBOOT_ARCH} -T script -C none -n "robocast" -d boot.cmd boot.scr
}
do_compile[dirs] = "${S}"
do_install[noexec] = "1"

do_deploy() {
    install -m 0644 ${S}/boot.scr ${DEPLOYDIR}/boot.scr
}
addtask do_deploy after do_compile before do_build

python () {
    if d.getVar("ROBOCAST_BOOT_CHAIN") != "u-boot":
        raise bb.parse.SkipRecipe("this machine does not boot by U-Boot's script")
}
