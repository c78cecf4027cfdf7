# The boot script is built into U-Boot, with its configuration: one for all builders, made for the board.
FILESEXTRAPATHS:prepend:robocast-os:chain-u-boot := "${ROBOCAST_TREE}:"
SRC_URI:append:robocast-os:chain-u-boot = " file://hw/boards"
UBOOT_FRAGMENTS:append:robocast-os:chain-u-boot = " robocast.config"

do_configure:prepend:robocast-os:chain-u-boot() {
    ${UNPACKDIR}/hw/boards/u-boot-config ${ROBOCAST_BOARD} >${S}/configs/robocast.config
}
