#!/bin/sh
# The initrd's only program: loads the disk's drivers, finds the root by its partition label, and starts it.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" 2>/dev/null; done </modules/order

init=/sbin/init
read -r arguments </proc/cmdline
for word in $arguments; do
    case $word in
        root=PARTLABEL=*) label=${word#root=PARTLABEL=} ;;
        init=*) init=${word#init=} ;;
    esac
done

tries=100
while [ $tries -gt 0 ]; do
    for event in /sys/class/block/*/uevent; do
        # A stick may carry the same label.
        case $(readlink -f "${event%/uevent}") in */usb*) continue ;; esac
        if grep -qx "PARTNAME=$label" "$event"; then
            device=/dev/$(sed -n 's/^DEVNAME=//p' "$event")
            break 2
        fi
    done
    tries=$((tries - 1))
    sleep 0.1
done
if ! mount -t squashfs -o ro "$device" /new; then
    echo "robocast: the root $label cannot be mounted; rebooting, so that the other slot is tried"
    sleep 1
    echo b >/proc/sysrq-trigger
fi
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
exec switch_root /new "$init"
