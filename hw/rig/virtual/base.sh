# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by image, beside common.sh, whose variables it shares.
# Debian's packages for the board, and the base of its root made of them.

# fetch ADDRESS SHA256 FILE: unless FILE is there already.
fetch() {
    [ ! -e "$3" ] || return 0
    curl --fail --silent --show-error --location --retry 3 --output "$3.part" "$1" &&
        echo "$2  $3.part" | sha256sum --check --status && mv "$3.part" "$3" && return
    complain "not fetched, or not what it should be: $1"
    return 1
}
export -f fetch complain

# fetch_packages FOLDER: every package of packages.lock into FOLDER, checked.
fetch_packages() {
    local folder=$1 debian security list
    debian=$(mirror Debian) security=$(mirror Debian-Security)
    mkdir -p "$folder"
    list=$(mktemp)
    grep -v '^#' "$here/packages.lock" | while read -r _ _ label path _ digest; do
        site=$debian
        [ "$label" = Debian ] || site=$security
        [ -e "$folder/$digest.deb" ] || printf '%s %s %s\n' "$digest" "$site/$path" "$folder"
    done >"$list"
    if [ -s "$list" ]; then
        say "$(wc -l <"$list") packages to fetch"
        # shellcheck disable=SC2016  # expanded by the inner shell
        xargs -P 4 -L 1 bash -c 'fetch "$1" "$0" "$2/$0.deb" || exit 255' <"$list" || {
            rm -f "$list"
            complain "Debian moved on? \`hw/rig/virtual/image lock\` writes a new packages.lock; look at the difference, then commit it."
            return 1
        }
    fi
    rm -f "$list"
}

make_base() {
    fetch_packages "$cache/debs"
    in_toolbox -- /repository/hw/rig/virtual/base "$cache/debs" "$1"
}

# base: sets `base` to the folder of the root before robocast is in it.
base() {
    kept base "$(cd "$here" && cat base packages.lock plugins.txt modules.txt initrd.sh unloaded | key "$toolbox")" make_base
    base=$kept/root
}
