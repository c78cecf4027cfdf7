require recipes-kernel/linux/robocast-kernel.inc
