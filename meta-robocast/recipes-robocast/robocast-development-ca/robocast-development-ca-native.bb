SUMMARY = "A CA for updates of boxes on a developer's desk"
DESCRIPTION = "Made once a build folder, and kept there: boxes flashed from it take bundles built in it."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "openssl-native"

inherit_defer native

S = "${UNPACKDIR}"

# What it makes lies outside of the work folders, and is not made anew when they are emptied.
do_deploy_ca() {
    if [ -s "${ROBOCAST_DEVELOPMENT_CA}/signer.pem" ]; then
        return
    fi
    install -d -m 0700 "${ROBOCAST_DEVELOPMENT_CA}"
    cd "${ROBOCAST_DEVELOPMENT_CA}"
    umask 077
    openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -keyout ca.key -out ca.pem \
        -subj "/O=robocast/CN=robocast development CA" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey rsa:3072 -nodes -keyout signer.key -out signer.csr \
        -subj "/O=robocast/CN=robocast development signer"
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
        "extendedKeyUsage=critical,codeSigning" >signer.ext
    openssl x509 -req -in signer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
        -extfile signer.ext -out signer.new
    mv signer.new signer.pem
}
do_deploy_ca[doc] = "Makes the development CA, when there is none."
do_deploy_ca[nostamp] = "1"
do_deploy_ca[lockfiles] = "${TMPDIR}/robocast-development-ca.lock"
do_deploy_ca[depends] += "openssl-native:do_populate_sysroot"
addtask do_deploy_ca after do_prepare_recipe_sysroot

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"
