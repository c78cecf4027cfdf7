SUMMARY = "A CA for updates of boxes on a developer's desk"
DESCRIPTION = "Made once a checkout, and kept there: boxes flashed from it take bundles built in it."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "openssl-native"

inherit_defer native

S = "${UNPACKDIR}"

# What it makes lies outside of the work folders, and is not made anew when they are emptied.
do_deploy_ca() {
    if [ -s "${ROBOCAST_DEVELOPMENT_CA}/signing.key.pem" ]; then
        return
    fi
    install -d -m 0700 "${ROBOCAST_DEVELOPMENT_CA}"
    cd "${ROBOCAST_DEVELOPMENT_CA}"
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -keyout ca.key.pem -out ca.cert.pem -subj "/O=robocast/CN=robocast development CA, never for a release" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout signing.key.new -out signing.csr \
        -subj "/O=robocast/CN=robocast development, never for a release"
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" >signing.ext
    openssl x509 -req -in signing.csr -CA ca.cert.pem -CAkey ca.key.pem -CAcreateserial -days 3650 \
        -extfile signing.ext -out signing.cert.pem
    mv signing.key.new signing.key.pem
}
do_deploy_ca[doc] = "Makes the development CA, when there is none."
do_deploy_ca[nostamp] = "1"
do_deploy_ca[lockfiles] = "${TMPDIR}/robocast-development-ca.lock"
do_deploy_ca[depends] += "openssl-native:do_populate_sysroot"
addtask do_deploy_ca after do_prepare_recipe_sysroot

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"
