#!/usr/bin/env bash
# Last changes to the root, before it is packed. Usage (by Buildroot): post-build.sh TARGET_DIR BOARD
set -euo pipefail
root=$1 board=$2
# shellcheck source=buildroot/board/common.sh
. "$(dirname "$0")/common.sh"

# U-Boot loads the kernel from the slot; the firmware's tryboot from the slot's own boot partition.
rm -rf "${root:?}/boot"
mkdir -p "$root/boot"
if [ "$BOOT_CHAIN" = u-boot ]; then
    install -D -m 644 "$BINARIES_DIR/Image" "$root/boot/Image"
    for tree in "$BINARIES_DIR"/*.dtb; do
        [ ! -e "$tree" ] || install -D -m 644 "$tree" "$root/boot/dtb/${tree##*/}"
    done
    [ -z "$DTB" ] || [ -e "$root/boot/dtb/$DTB" ] || fail "board.conf names $DTB, and the kernel did not make it"
fi

# The updates that the box accepts.
find_keys
install -D -m 644 "$keyring" "$root/etc/rauc/keyring.pem"

# /etc is read-only: these are mount points. preinit mounts the machine id over an empty file.
rm -f "$root/etc/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
ln -sf ../proc/self/mounts "$root/etc/mtab"

# Buildroot's own preset would come after ours, and contain `enable *`.
[ -e "$root/usr/lib/systemd/system-preset/50-robocast.preset" ] || fail "make install left no preset"
grep -qx 'disable \*' "$root/usr/lib/systemd/system-preset/50-robocast.preset" || fail "the preset does not end in \`disable *\`"
# Units that Buildroot enabled already without a preset.
find "$root/etc/systemd/system" -mindepth 1 -type l -delete 2>/dev/null || true
mkdir -p "$root/etc/systemd/system"
ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

# The box's name and version, and the earliest time of its clock.
version=$(version)
rm -f "$root/etc/os-release"
cat >"$root/usr/lib/os-release" <<OS
NAME="robocast"
ID=robocast-os
ID_LIKE=buildroot
PRETTY_NAME="robocast $version ($BOARD)"
VERSION_ID=$version
IMAGE_ID=robocast-$BOARD
IMAGE_VERSION=$version
BUILDROOT_VERSION=${BR2_VERSION_FULL:-unknown}
HOME_URL="https://github.com/robocast/robocast"
OS
ln -s ../usr/lib/os-release "$root/etc/os-release"
touch --date="@${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct)}" "$root/usr/lib/clock-epoch"

say "$BOARD: root of robocast $version, keyring $(openssl x509 -in "$keyring" -noout -subject)"
