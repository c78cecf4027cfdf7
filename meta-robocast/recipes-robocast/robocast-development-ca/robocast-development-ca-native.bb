SUMMARY = "A CA for updates of boxes on a developer's desk"
DESCRIPTION = "Made once per checkout, and kept there: boxes flashed from the checkout accept bundles built in it."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "openssl-native"

FILESEXTRAPATHS:prepend := "${ROBOCAST_TREE}:"
SRC_URI = "file://hw/keys/development"

S = "${UNPACKDIR}"

inherit_defer native

# Its output is outside of the work folders, and is not made again when they are emptied.
do_deploy_ca() {
    ${UNPACKDIR}/hw/keys/development "${ROBOCAST_DEVELOPMENT_CA}"
}
do_deploy_ca[doc] = "Makes the development CA, when there is none."
do_deploy_ca[nostamp] = "1"
do_deploy_ca[lockfiles] = "${TMPDIR}/robocast-development-ca.lock"
do_deploy_ca[depends] += "openssl-native:do_populate_sysroot"
addtask do_deploy_ca after do_unpack do_prepare_recipe_sysroot

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"
