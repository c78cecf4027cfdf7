# Both slots hold the same files; the firmware says from which of the two it came, and the kernel is told.
do_deploy:append:robocast-os:chain-tryboot() {
    printf '%s\n' "" "# robocast: two slots" "[boot_partition=2]" cmdline=cmdline-a.txt \
        "[boot_partition=3]" cmdline=cmdline-b.txt "[all]" dtparam=watchdog=on \
        >>${DEPLOYDIR}/${BOOTFILES_DIR_NAME}/config.txt
}
