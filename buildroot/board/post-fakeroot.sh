#!/usr/bin/env bash
# The last check of the root, after users were created and presets applied. Usage (by Buildroot): post-fakeroot.sh
# TARGET_DIR BOARD
set -euo pipefail
root=$1 board=$2
# shellcheck source=buildroot/board/common.sh
. "$(dirname "$0")/common.sh"

# /var is the data partition, which starts empty: files that packages left there would never be seen.
find "$root/var" -mindepth 1 -delete

# A unit that runs as a missing user would fail on the box, not here; and so on.
for user in robocast-camera robocast-push; do
    grep -q "^$user:" "$root/etc/passwd" || fail "there is no user $user"
done
for unit in NetworkManager rauc systemd-resolved systemd-timesyncd robocast-good; do
    find "$root/etc/systemd/system" -name "$unit.service" -type l | grep -q . || fail "the preset did not enable $unit.service"
done
if [ ! -f "$root/etc/machine-id" ] || [ -s "$root/etc/machine-id" ]; then
    fail "/etc/machine-id is not an empty file"
fi
for program in bin/robocast lib/robocast/robocast-media lib/robocast/preinit; do
    [ -x "$root/usr/$program" ] || fail "there is no /usr/$program"
done
