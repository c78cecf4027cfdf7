# What the boot script needs: squashfs, its environment in the partition env, and no boot from elsewhere.
FILESEXTRAPATHS:prepend:chain-u-boot := "${ROBOCAST_TREE}/hw/boards/common:"
SRC_URI:append:robocast-os:chain-u-boot = " file://u-boot.cfg"
