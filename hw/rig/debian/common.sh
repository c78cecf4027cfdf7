# shellcheck shell=bash disable=SC2154
# Shared by all that make a board of Debian's packages: places, content keys, the toolbox, Debian's mirror.
# Sourced by `hw/rig/virtual/image` and `hw/rig/container/image`.

debian=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$debian/../../.." && pwd)
. "$repository/ci/terminal.sh"

# Slow results are cached here, under a key of all their inputs.
cache=${ROBOCAST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/robocast}
mkdir -p "$cache"

export LC_ALL=C.UTF-8 TZ=UTC
umask 022

# The time of everything made: the commit's, so that two builds of one commit agree.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH

# key WORD...: a short name for the content of standard input and the words.
key() { { printf '%s\n' "$@" && cat; } | sha256sum | cut -c1-16; }

# kept NAME KEY MAKE...: runs MAKE with a fresh folder as its last argument, unless cache/NAME-KEY is there;
# sets `kept` to that folder. A run that dies leaves nothing that a later one would take for complete.
kept() {
    local name=$1 content=$2 began=$SECONDS part
    shift 2
    # For comparing two builds: what ROBOCAST_ANEW names is made again, beside the cached result.
    if [[ " ${ROBOCAST_ANEW:-} " == *" $name "* ]]; then
        content=$content-anew
        rm -rf "$cache/$name-$content"
    fi
    kept=$cache/$name-$content
    if [ -e "$kept/.whole" ]; then
        say "$name: from the cache ($content)"
        touch "$kept/.whole"
        return
    fi
    exec {lock}>"$cache/$name.lock"
    flock "$lock"
    if [ ! -e "$kept/.whole" ]; then
        heading "$name ($content)"
        part=$kept.part
        rm -rf "$part" "$kept"
        mkdir -p "$part"
        "$@" "$part"
        touch "$part/.whole"
        mv "$part" "$kept"
        note "$name: $((SECONDS - began)) s"
        forget "$name"
    fi
    exec {lock}>&-
}

# forget NAME: removes all but the three last used results under a name, and the remains of a run that died.
forget() {
    local old
    find "$cache" -maxdepth 1 -name "$1-*.part" -mmin +120 -exec rm -rf {} +
    while read -r old; do
        rm -rf "${old%/.whole}"
    done < <(find "$cache" -mindepth 2 -maxdepth 2 -path "$cache/$1-*/.whole" -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2-)
}

# mirror LABEL: the site from which this machine gets Debian's packages (label Debian or Debian-Security).
mirror() {
    local site
    # shellcheck disable=SC2016  # apt's own placeholders
    site=$(apt-get indextargets --format '$(LABEL) $(SITE)' "Origin: Debian" 2>/dev/null |
        awk -v label="$1" '$1 == label { print $2; exit }')
    if [ -z "$site" ]; then
        complain "No source of Debian's packages (label $1) among this machine's apt sources; see /etc/apt/sources.list.d."
        return 1
    fi
    printf '%s\n' "$site"
}

# in_toolbox [FROM:TO...] -- COMMAND...: runs COMMAND in the toolbox, with the repository at /repository (read-only),
# the cache at its own path, and each FROM at TO. The mounts end with the command.
in_toolbox() {
    # shellcheck disable=SC2016  # expanded by the inner shell
    unshare --mount --propagation private bash -ec '
        toolbox=$1 repository=$2; shift 2
        bind() { mkdir -p "$toolbox$2" && mount --bind "$1" "$toolbox$2"; }
        bind "$repository" /repository
        mount -o remount,bind,ro "$toolbox/repository"
        bind /dev /dev
        mount -t proc proc "$toolbox/proc"
        mount -t tmpfs tmpfs "$toolbox/tmp"
        while [ "$1" != -- ]; do
            bind "${1%%:*}" "${1#*:}"; shift
        done; shift
        exec chroot "$toolbox" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TZ=UTC \
            SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
    ' toolbox "$toolbox" "$repository" "$cache:$cache" "$@"
}

# need_root: tells a user who is not root at once, not after ten minutes.
need_root() {
    [ "$(id -u)" = 0 ] || { complain "$1 needs root (it mounts, and enters another Debian's root): run it with sudo." && exit 1; }
}
