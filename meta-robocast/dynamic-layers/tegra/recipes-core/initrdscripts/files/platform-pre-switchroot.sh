# shellcheck shell=sh
# Sourced by the init of the initramfs once the root is mounted at /mnt: continues with init= of the kernel's command
# line. Without a usable one, the sourcing script continues as usual.
robocast_init=
read -r robocast_words </proc/cmdline
for robocast_word in $robocast_words; do
    case $robocast_word in
        init=*) robocast_init=${robocast_word#init=} ;;
    esac
done
if [ -n "$robocast_init" ] && [ -x "/mnt$robocast_init" ]; then
    mount --move /sys /mnt/sys
    mount --move /proc /mnt/proc
    mount --move /dev /mnt/dev
    exec switch_root /mnt "$robocast_init"
fi
