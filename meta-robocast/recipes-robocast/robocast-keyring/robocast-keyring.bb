SUMMARY = "The CA certificates for updates of the robocast box"
DESCRIPTION = "The CA certificates that RAUC trusts. RAUC's system.conf is in the install tree of robocast."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "openssl-native"

S = "${UNPACKDIR}"

inherit allarch features_check robocast_keys

REQUIRED_DISTRO_FEATURES = "rauc"

do_configure[noexec] = "1"
do_compile[depends] += "${@'' if d.getVar('ROBOCAST_KEYS_GIVEN') == '1' else 'robocast-development-ca-native:do_deploy_ca'}"
do_compile[file-checksums] += "${@d.getVar('ROBOCAST_KEYRING') + ':True' if d.getVar('ROBOCAST_KEYRING') else ''}"
do_compile() {
    # A development CA is refused, even if it was given by its file name.
    if [ "${ROBOCAST_RELEASE}" = 1 ] && openssl x509 -in "${ROBOCAST_TRUSTED}" -noout -subject | grep -qi development; then
        bbfatal "${ROBOCAST_TRUSTED} is a development CA, and this is a release (ROBOCAST_RELEASE)"
    fi
    cp "${ROBOCAST_TRUSTED}" ${B}/keyring.pem
}

do_install() {
    install -D -m 0644 ${B}/keyring.pem ${D}${sysconfdir}/rauc/keyring.pem
}

RPROVIDES:${PN} += "virtual-rauc-conf"
