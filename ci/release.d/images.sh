# shellcheck shell=bash disable=SC2154  # ci/release sets the rest
# A release's images: finds them, checks that they are what they claim to be, and copies them. To be sourced by ci/release.

declare -A image builder
: >"$work/boards"

# fact BOARD KEY
# shellcheck source=hw/boards/virtual/board.conf
fact() { (. "hw/boards/$1/board.conf" && printf '%s\n' "${!2}"); }

# take BOARD BUILDER FILE
take() {
    local found
    found=$(realpath "$3")
    [ -z "${image[$1]:-}" ] || [ "$(realpath "${image[$1]}")" = "$found" ] ||
        refuse "there are two images of $1: ${image[$1]} and $3" "give the --images folder of one of them"
    image[$1]=$3 builder[$1]=$2
}

# look_for BOARD FOLDER: under the file names that the three builders use.
look_for() {
    local board=$1 machine place file
    for place in "$2" "$2/robocast-$board" "$2/$board"; do
        for file in "$place/robocast-$board.img.xz" "$place/robocast-$board.img"; do
            [ ! -f "$file" ] || take "$board" "$([ "$board" = virtual ] && echo virtual || echo buildroot)" "$file"
        done
    done
    machine=$(fact "$board" YOCTO_MACHINE)
    [ -n "$machine" ] || return 0
    for place in "$2" "$2/$machine"; do
        for file in "$place/robocast-image-$machine.rootfs.wic.xz" "$place/robocast-image-$machine.rootfs.tegraflash-tar.zst"; do
            [ ! -f "$file" ] || take "$board" yocto "$file"
        done
    done
}

# bundle_of BOARD, sbom_of BOARD, map_of BOARD: the files beside the image.
bundle_of() {
    case ${builder[$1]} in
        yocto) printf '%s\n' "$(dirname "${image[$1]}")/robocast-bundle-$(fact "$1" YOCTO_MACHINE).raucb" ;;
        *) printf '%s\n' "${image[$1]%.img*}.raucb" ;;
    esac
}
sbom_of() {
    case ${builder[$1]} in
        yocto) printf '%s\n' "${image[$1]%.rootfs.*}.rootfs.spdx.json" ;;
        virtual) printf '%s\n' "${image[$1]%.img*}.manifest" ;;
        *) printf '%s\n' "${image[$1]%.img*}.cdx.json" ;;
    esac
}
map_of() { printf '%s\n' "${image[$1]%.xz}.bmap"; }

find_images() {
    local wanted=("${boards[@]}") board folder
    [ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(cd hw/boards && printf '%s\n' */board.conf | sed 's,/.*,,')
    for board in "${wanted[@]}"; do
        for folder in "${folders[@]}"; do
            look_for "$board" "$folder"
        done
    done
    if [[ " ${boards[*]} " == *" virtual "* ]] && [ -z "${image[virtual]:-}" ]; then
        build_virtual
    fi
    for board in "${boards[@]}"; do
        [ -n "${image[$board]:-}" ] || refuse "there is no image of $board in ${folders[*]:-any folder that was given}" \
            "build it ($(fact "$board" BUILDERS); docs/images.md), and give its folder: --images FOLDER"
    done
    [ ${#image[@]} -gt 0 ] || refuse "there is no image in ${folders[*]}" \
        "it looks for robocast-BOARD.img.xz, robocast-BOARD.img and robocast-image-MACHINE.rootfs.wic.xz, in the folder itself and one below"
    mapfile -t boards < <(printf '%s\n' "${!image[@]}" | sort)
    for board in "${boards[@]}"; do
        say "$board, by ${builder[$board]}: ${image[$board]}"
    done
}

# Its builder needs the keys in one folder.
build_virtual() {
    [[ $key != pkcs11:* ]] || refuse "the virtual board's bundle is not signed by a token" \
        "leave the virtual board out, or build it where the key is a file"
    mkdir -m 700 "$work/keys"
    cp "$keyring" "$work/keys/ca.cert.pem"
    cp "$certificate" "$work/keys/signing.cert.pem"
    cp "$key" "$work/keys/signing.key.pem"
    ROBOCAST_KEYS=$work/keys hw/rig/virtual/image || refuse "the virtual board's image could not be built" "see above"
    rm -rf "$work/keys"
    take virtual virtual "$repository/target/image/virtual/robocast-virtual.img"
}

# check_bundle BOARD: signed by a signer that the box trusts, for this board, of this version, with a root that trusts the same keyring.
# Leaves the root in work/root.BOARD.
check_bundle() {
    local board=$1 bundle sums place said root_file
    bundle=$(bundle_of "$board")
    [ -s "$bundle" ] || refuse "$board has an image and no bundle: $bundle" "build both of one commit (docs/images.md)"
    [ -s "$(sbom_of "$board")" ] || refuse "$board has no SBOM: $(sbom_of "$board")" "build it again (docs/images.md)"
    # The builder's own checksums, if it made some: they show a copy that was cut off.
    sums=${image[$board]%.img*}.sha256
    if [ -s "$sums" ]; then
        (cd "$(dirname "$sums")" && sha256sum --check --quiet --ignore-missing "${sums##*/}" >"$work/said" 2>&1) ||
            refuse "$board: files are not what the builder made: $(head -1 "$work/said")" "copy the folder again, or build it again"
    fi

    place=$work/bundle
    rm -rf "$place"
    mkdir "$place"
    parts signature "$bundle" "$place/signature" || refuse "${bundle##*/} is no RAUC bundle in the format verity" "build it again; docs/images.md"
    if ! openssl cms -verify -binary -inform DER -in "$place/signature" -CAfile "$keyring" -purpose any -out "$place/manifest" 2>"$work/said"; then
        openssl pkcs7 -inform DER -in "$place/signature" -print_certs -noout >"$place/signer" 2>/dev/null || true
        said=$(grep -m1 subject "$place/signer" || echo "nobody that could be identified")
        refuse "the signature of ${bundle##*/} does not verify against the keyring" \
            "it is signed by: $said" "build $board with ROBOCAST_KEYRING, ROBOCAST_CERT_FILE and ROBOCAST_KEY_FILE as they are now"
    fi
    # RAUC's own check, if RAUC is installed.
    if command -v rauc >/dev/null; then
        rauc info --keyring="$keyring" "$bundle" >"$work/said" 2>&1 || refuse "rauc rejects ${bundle##*/}" "$(tail -1 "$work/said")"
    fi
    parts manifest "$place/manifest" >"$place/facts" || refuse "${bundle##*/} has no manifest that can be read" "build it again"
    local compatible='' bundle_version='' filename='' digest=''
    # shellcheck source=/dev/null
    . "$place/facts"
    [ "$compatible" = "$(fact "$board" COMPATIBLE)" ] || refuse "${bundle##*/} is for $compatible, and $board is $(fact "$board" COMPATIBLE)" \
        "was a file renamed? Build $board again"
    [ "$bundle_version" = "$version" ] || refuse "${bundle##*/} has version $bundle_version, and this commit is $version" \
        "build $board of this commit"

    unsquashfs -quiet -no-progress -no-xattrs -dest "$place/files" "$bundle" >"$work/said" 2>&1 ||
        refuse "${bundle##*/} cannot be unpacked" "$(tail -1 "$work/said")"
    root_file=$work/root.$board
    mv "$place/files/$filename" "$root_file" 2>/dev/null || refuse "${bundle##*/} lacks $filename, which its manifest names" "build it again"
    [ "$(sha256sum <"$root_file" | cut -d' ' -f1)" = "$digest" ] ||
        refuse "the root in ${bundle##*/} is not the one that was signed" "copy the bundle again, or build it again"

    from_root "$root_file" etc/rauc/keyring.pem >"$place/keyring" || refuse "the root of $board has no /etc/rauc/keyring.pem" "build it again"
    cmp -s "$place/keyring" "$keyring" || refuse "the image of $board trusts another keyring than ROBOCAST_KEYRING:" \
        "$(certificates "$place/keyring" 2>/dev/null | grep -m1 subject || echo "no certificate at all")" \
        "build $board with the ROBOCAST_KEYRING of this release"
    if from_root "$root_file" usr/lib/os-release >"$place/os-release"; then
        said=$(sed -n 's/^IMAGE_VERSION=//p' "$place/os-release" | tr -d '"')
        [ -z "$said" ] || [ "$said" = "$version" ] || refuse "the root of $board calls itself $said, and this commit is $version" \
            "build $board of this commit"
    fi
    rm -rf "$place"
    say "$board: the bundle is signed, for $compatible, of $version; its root trusts the keyring"
}

# from_root FILE PATH: a file from a root, squashfs or (Jetson) ext4. openssl's certificates are text, so an empty answer
# means that there is none.
from_root() {
    if [ "$(head -c 4 "$1" | tr -d '\0')" = hsqs ]; then
        unsquashfs -cat "$1" "$2" 2>/dev/null
    else
        command -v debugfs >/dev/null || refuse "debugfs is missing, which reads ext4" "as root: apt-get install e2fsprogs"
        debugfs -R "cat /$2" "$1" 2>/dev/null | grep ''
    fi
}

# collect BOARD: copies its files under their release names, and adds a line of facts to work/boards.
collect() {
    local board=$1 to=$new/robocast-$1-$name file=${image[$1]} to_image disk size='' sum='' start map given
    heading "$board"
    if [[ $file == *.tegraflash-tar.zst ]]; then
        note "What NVIDIA's tools flash is one archive; that its root is the bundle's is not looked at."
        install -m 644 "$file" "$to.tegraflash-tar.zst"
        to_image=$to.tegraflash-tar.zst
    else
        disk=$work/$board.img
        case $file in
            *.xz) xz --decompress --stdout "$file" >"$disk" || refuse "$file cannot be unpacked" "copy it again, or build it again" ;;
            *) cp --sparse=always "$file" "$disk" ;;
        esac
        start=$(sfdisk --json "$disk" 2>/dev/null | parts partition rootfs-a) ||
            refuse "the disk of $board has no partition rootfs-a" "build it again; docs/images.md says what a disk has"
        cmp -s --bytes="$(stat -c %s "$work/root.$board")" --ignore-initial="$start:0" "$disk" "$work/root.$board" ||
            refuse "disk and bundle of $board have two different roots" "build both of one commit"
        size=$(stat -c %s "$disk")
        sum=$(sha256sum <"$disk" | cut -d' ' -f1)
        given=$(map_of "$board")
        map=$to.img.bmap
        if [ -s "$given" ]; then
            install -m 644 "$given" "$map"
        elif command -v bmaptool >/dev/null; then
            # Make holes where the zeros are, whatever tool copied the file.
            fallocate --dig-holes "$disk" 2>/dev/null || true
            sync "$disk"
            bmaptool --quiet create --output "$map" "$disk"
        else
            note "skipped: ${map##*/}, there is no bmaptool (bmap-tools)"
        fi
        case $file in
            *.xz) install -m 644 "$file" "$to.img.xz" ;;
            # Always split into the same blocks, regardless of the number of processors.
            *) xz --threads=2 --block-size=24MiB -6 --stdout "$disk" >"$to.img.xz" ;;
        esac
        rm "$disk"
        to_image=$to.img.xz
    fi
    rm "$work/root.$board"
    install -m 644 "$(bundle_of "$board")" "$to.raucb"
    given=$(sbom_of "$board")
    case ${builder[$board]} in
        virtual)
            cp "$given" "$work/virtual.manifest"
            # The firmware for QEMU.
            given=$(dirname "$file")/u-boot.bin
            [ ! -s "$given" ] || install -m 644 "$given" "$to.u-boot.bin"
            ;;
        yocto)
            install -m 644 "$given" "$to.spdx.json"
            note "Yocto describes its image in SPDX, so ${to##*/}.spdx.json in place of a .cdx.json"
            ;;
        *) install -m 644 "$given" "$to.cdx.json" ;;
    esac
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$board" "$(fact "$board" TITLE)" "${builder[$board]}" "${to_image##*/}" "$size" "$sum" >>"$work/boards"
    say "${to##*/}: $(($(stat -c %s "$to_image") >> 20)) MiB packed"
}
