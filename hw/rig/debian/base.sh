# shellcheck shell=bash disable=SC2154,SC2034
# Sourced beside common.sh, whose variables it shares.
# Debian's packages for a board.

# fetch ADDRESS SHA256 FILE: unless FILE is there already.
fetch() {
    [ ! -e "$3" ] || return 0
    curl --fail --silent --show-error --location --retry 3 --output "$3.part" "$1" &&
        echo "$2  $3.part" | sha256sum --check --status && mv "$3.part" "$3" && return
    complain "download failed, or wrong checksum: $1"
    return 1
}
export -f fetch complain

# fetch_packages LOCK FOLDER: downloads every package of LOCK to FOLDER, with its checksum checked.
fetch_packages() {
    local lock=$1 folder=$2 main security list
    main=$(mirror Debian) security=$(mirror Debian-Security)
    mkdir -p "$folder"
    list=$(mktemp)
    grep -v '^#' "$lock" | while read -r _ _ label path _ digest; do
        site=$main
        [ "$label" = Debian ] || site=$security
        [ -e "$folder/$digest.deb" ] || printf '%s %s %s\n' "$digest" "$site/$path" "$folder"
    done >"$list"
    if [ -s "$list" ]; then
        say "$(wc -l <"$list") packages to fetch"
        # shellcheck disable=SC2016  # expanded by the inner shell
        xargs -P 4 -L 1 bash -c 'fetch "$1" "$0" "$2/$0.deb" || exit 255' <"$list" || {
            rm -f "$list"
            complain "Did Debian publish newer versions? \`hw/rig/virtual/image lock\` writes a new lock; review the difference, then commit it."
            return 1
        }
    fi
    rm -f "$list"
}
