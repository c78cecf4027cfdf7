# Both slots have the same files; cmdline.txt beside them names the slot's root.
do_deploy:append:robocast-os:chain-tryboot() {
    printf '%s\n' "" "# robocast" "[all]" dtparam=watchdog=on \
        >>${DEPLOYDIR}/${BOOTFILES_DIR_NAME}/config.txt
}
