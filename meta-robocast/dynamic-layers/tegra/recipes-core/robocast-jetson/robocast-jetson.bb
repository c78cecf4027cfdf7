SUMMARY = "What robocast needs only on a Jetson"
DESCRIPTION = "Names for the slots, services of NVIDIA that have to run, the gate without a slot on the command line."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "\
    file://40-robocast-jetson.preset \
    file://60-robocast-jetson.rules \
    file://50-jetson.conf \
"

S = "${UNPACKDIR}"

inherit features_check

REQUIRED_DISTRO_FEATURES = "systemd"
COMPATIBLE_MACHINE = "(tegra)"
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install() {
    install -D -m 0644 ${UNPACKDIR}/40-robocast-jetson.preset \
        ${D}${systemd_unitdir}/system-preset/40-robocast-jetson.preset
    install -D -m 0644 ${UNPACKDIR}/60-robocast-jetson.rules \
        ${D}${nonarch_base_libdir}/udev/rules.d/60-robocast-jetson.rules
    install -D -m 0644 ${UNPACKDIR}/50-jetson.conf \
        ${D}${systemd_system_unitdir}/robocast-good.service.d/50-jetson.conf
}

FILES:${PN} += "${systemd_unitdir} ${nonarch_base_libdir}/udev"
RDEPENDS:${PN} = "tegra-redundant-boot"
