#!/usr/bin/env bash
# Makes everything that is derived from the root: the disk, the bundle, SBOM, checksums and signature.
# Usage (by Buildroot): post-image.sh BINARIES_DIR BOARD     in Buildroot's own folder
# Makes BINARIES_DIR/robocast-BOARD/ with robocast-BOARD.img.xz, .img.bmap, .raucb, .cdx.json, .sha256, .sha256.cms
set -euo pipefail
binaries=$1 board=$2
# shellcheck source=buildroot/board/common.sh
. "$(dirname "$0")/common.sh"

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct)}
name=robocast-$BOARD
out=$binaries/$name
parts=$(mktemp -d "${BUILD_DIR:-/tmp}/robocast-image.XXXXXX")
trap 'rm -rf "$parts"' EXIT
rm -rf "$out"
mkdir -p "$out"

# fat IMAGE MEGABYTES SERIAL LABEL FILE...: the same files always give the same image.
fat() {
    local image=$1 size=$2 serial=$3 label=$4 file
    shift 4
    truncate -s "${size}M" "$image"
    mkfs.vfat --invariant -i "$serial" -n "$label" "$image" >/dev/null
    for file in "$@"; do
        find "$file" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
        mcopy -s -m -i "$image" "$file" ::
    done
}

root=$binaries/rootfs.squashfs
size=$(stat -L -c %s "$root")
[ "$size" -le $((ROOTFS_MB << 20)) ] ||
    fail "the root has $((size >> 20)) MiB, a slot $ROOTFS_MB MiB: increase ROOTFS_MB in hw/boards/$BOARD/board.conf"
cp -L "$root" "$parts/rootfs.squashfs"

# The boot partition: firmware if the board needs some, and the program that it starts.
mkdir "$parts/boot"
if [ -d "$binaries/rpi-firmware" ]; then
    cp -r "$binaries/rpi-firmware/." "$parts/boot/"
    for tree in "$binaries"/*.dtb; do
        [ ! -e "$tree" ] || cp "$tree" "$parts/boot/"
    done
fi
layout=$boards/common/genimage.cfg.in
case $BOOT_CHAIN in
    u-boot)
        cp "$binaries/u-boot.bin" "$parts/boot/"
        fat "$parts/boot.vfat" "$BOOT_MB" 52424353 BOOT "$parts"/boot/*
        ;;
    tryboot)
        # Firmware and kernel of a slot. The same for both; boot-tryboot sets the root before slot B may boot.
        cp "$binaries/Image" "$parts/boot/"
        printf 'root=PARTLABEL=rootfs-a ro rootwait rauc.slot=A init=/usr/lib/robocast/preinit net.ifnames=0 gpt panic=5 quiet console=%s %s\n' \
            "$CONSOLE" "$KERNEL_ARGS" >"$parts/boot/cmdline.txt"
        fat "$parts/boot-a.vfat" "$BOOT_MB" 52424353 BOOT "$parts"/boot/*
        # The file that says which slot to boot.
        mkdir "$parts/select"
        cp "$boards/$BOARD/autoboot.txt" "$parts/select/"
        fat "$parts/boot.vfat" 16 52424354 BOOT "$parts"/select/*
        ;;
    *) fail "nothing here makes a disk for BOOT_CHAIN=$BOOT_CHAIN" ;;
esac

say "$name: the disk"
"$boards/render" "$BOARD" "$layout" >"$parts/genimage.cfg"
mkdir "$parts/none"
genimage --config "$parts/genimage.cfg" --rootpath "$parts/none" --tmppath "$parts/tmp" \
    --inputpath "$parts" --outputpath "$parts" --loglevel 1
mv "$parts/disk.img" "$out/$name.img"
"$boards/blank" "$out/$name.img"

# The map of blocks that are not empty, for a faster and verified flash. Optional: bmaptool may be missing.
if command -v bmaptool >/dev/null; then
    bmaptool create --output "$out/$name.img.bmap" "$out/$name.img"
elif release; then
    fail "a release has a .bmap, and there is no bmaptool"
else
    say "NOTE: there is no bmaptool, so no $name.img.bmap"
fi
xz --force --threads=0 -6 "$out/$name.img"

say "$name: the bundle"
find_keys
mkdir "$parts/bundle"
ln "$parts/rootfs.squashfs" "$parts/bundle/rootfs.squashfs"
{
    printf '[update]\ncompatible=%s\nversion=%s\n\n' "$COMPATIBLE" "$(version)"
    printf '[bundle]\nformat=verity\n\n'
    if [ "$BOOT_CHAIN" = tryboot ]; then
        # Before the root, so that a kernel never meets the modules of another one.
        cp "$parts/boot-a.vfat" "$parts/bundle/boot.vfat"
        printf '[image.boot]\nfilename=boot.vfat\n\n'
    fi
    printf '[image.rootfs]\nfilename=rootfs.squashfs\n'
} >"$parts/bundle/manifest.raucm"
touch --date="@$SOURCE_DATE_EPOCH" "$parts"/bundle/*
# The root is already compressed. The signature is verified at once, against the box's keyring.
rauc bundle --cert="$certificate" --key="$key" --keyring="$keyring" \
    --mksquashfs-args="-comp zstd -Xcompression-level 1 -noI -noD -noF -no-progress -quiet" \
    "$parts/bundle" "$out/$name.raucb"
[ -s "$out/$name.raucb" ] || fail "rauc made no bundle"

say "$name: the SBOM"
# show-info needs its own make, not a child of the one that runs this.
env -u MAKEFLAGS -u MAKELEVEL -u MAKEOVERRIDES make --no-print-directory -s -C "$O" show-info >"$parts/show-info.json"
utils/generate-cyclonedx <"$parts/show-info.json" >"$out/$name.cdx.json"
"$buildroot/checks.py" sbom "$out/$name.cdx.json"

say "$name: checksums, and their signature"
(cd "$out" && sha256sum -- * >"$parts/sums" && mv "$parts/sums" "$name.sha256")
signing=(-signer "$certificate" -inkey "$key")
if [[ $key == pkcs11:* ]]; then
    signing=(-signer "$certificate" -inkey "$key" -engine pkcs11 -keyform engine)
fi
if [[ $certificate == pkcs11:* ]]; then
    # openssl reads a certificate from a token only through a provider, which not every machine has.
    ! release || fail "to sign the checksums of a release, ROBOCAST_CERT_FILE must be a file"
    say "NOTE: ROBOCAST_CERT_FILE is on a token, so the checksums are not signed"
else
    openssl cms -sign -binary -md sha256 -outform DER -in "$out/$name.sha256" -out "$out/$name.sha256.cms" "${signing[@]}"
    openssl cms -verify -binary -inform DER -in "$out/$name.sha256.cms" -content "$out/$name.sha256" \
        -CAfile "$keyring" -purpose any -out /dev/null
fi
say "$name: done, in $out"
(cd "$out" && ls -l)
