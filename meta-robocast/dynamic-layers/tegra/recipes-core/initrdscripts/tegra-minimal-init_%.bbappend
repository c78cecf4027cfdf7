# The initramfs of meta-tegra always starts /sbin/init; robocast's preinit must run first.
FILESEXTRAPATHS:prepend:robocast-os := "${THISDIR}/files:"
SRC_URI:append:robocast-os = " file://platform-pre-switchroot.sh"

do_install:append:robocast-os() {
    install -m 0644 ${UNPACKDIR}/platform-pre-switchroot.sh ${D}${sysconfdir}/platform-pre-switchroot
}
