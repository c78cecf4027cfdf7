# NVIDIA's layout ends with a partition for user data, UDA, which takes the rest of the disk. We use it, under
# the name that it has on every board.
do_compile:append:robocast-os() {
    found=no
    for layout in internal-flash.xml external-flash.xml; do
        if [ -e $layout ] && grep -q 'name="UDA"' $layout; then
            sed -i 's/name="UDA"/name="data"/' $layout
            found=yes
        fi
    done
    if [ $found = no ]; then
        bbfatal "no partition UDA in the flash layout: robocast has no place for its data"
    fi
}
