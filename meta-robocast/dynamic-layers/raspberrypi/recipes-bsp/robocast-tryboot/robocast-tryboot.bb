SUMMARY = "The FAT slots of a Pi that boots with the firmware's tryboot"
DESCRIPTION = "autoboot.txt, and the file system of a slot, for the disk and for the bundle."
HOMEPAGE = "https://github.com/robocast/robocast"
SECTION = "bootloaders"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

DEPENDS = "dosfstools-native mtools-native"

FILESEXTRAPATHS:prepend := "${ROBOCAST_TREE}:"
SRC_URI = "file://hw/boards/${ROBOCAST_BOARD}/autoboot.txt"

S = "${UNPACKDIR}"

inherit deploy features_check nopackages

REQUIRED_DISTRO_FEATURES = "rauc systemd"
COMPATIBLE_MACHINE = "^rpi$"
INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"

CONSOLE = "${@robocast.boards.fact(d, 'CONSOLE', 'ttyAMA10,115200')}"
KERNEL_ARGS = "${@robocast.boards.fact(d, 'KERNEL_ARGS')}"

do_configure[noexec] = "1"
do_install[noexec] = "1"

do_compile() {
    # The firmware reads this first: the slot to boot, and the slot for a trial.
    cp ${UNPACKDIR}/hw/boards/${ROBOCAST_BOARD}/autoboot.txt autoboot.txt
    # The slot as it is in the bundle: wic puts it into the partitions boot-a and boot-b.
    rm -rf slot boot.vfat
    mkdir slot
    cp -r ${DEPLOY_DIR_IMAGE}/${BOOTFILES_DIR_NAME}/. slot/
    pairs="${ROBOCAST_SLOT_FILES}"
    for pair in $pairs; do
        from=${pair%%;*}
        to=${pair##*;}
        install -D -m 0644 ${DEPLOY_DIR_IMAGE}/$from slot/$to
    done
    # Slot A's, in both; boot-tryboot sets the root before slot B may boot.
    echo "root=PARTLABEL=rootfs-a ro rootwait rauc.slot=A init=${nonarch_libdir}/robocast/preinit net.ifnames=0" \
        "gpt panic=5 quiet console=${CONSOLE} ${KERNEL_ARGS}" >slot/cmdline.txt
    find slot -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +
    truncate -s ${ROBOCAST_BOOT_MB}M boot.vfat
    mkfs.vfat --invariant -n BOOT boot.vfat
    mcopy -m -s -i boot.vfat slot/* ::
}
do_compile[dirs] = "${B}"
do_compile[depends] += "virtual/kernel:do_deploy rpi-bootfiles:do_deploy rpi-config:do_deploy"

ROBOCAST_SLOT_FILES = "${@make_dtb_boot_files(d)} ${KERNEL_IMAGETYPE};${SDIMG_KERNELIMAGE}"

do_deploy() {
    install -m 0644 ${B}/autoboot.txt ${B}/boot.vfat ${DEPLOYDIR}/
}
addtask do_deploy after do_compile before do_build

python () {
    if d.getVar("ROBOCAST_BOOT_CHAIN") != "tryboot":
        raise bb.parse.SkipRecipe("this machine does not boot by the firmware's tryboot")
}
