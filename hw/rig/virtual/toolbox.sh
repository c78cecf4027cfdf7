# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by image, beside common.sh, whose variables it shares.
# The toolbox: an amd64 Debian trixie with everything to make the image: the cross compiler with the libraries it links,
# tools for file systems, disks, bundles and U-Boot; and Rust for both architectures, where the host's has no standard
# library for the board.

# Debian's Rust. Its two architectures can be installed beside each other only when they have the same version. In the
# backports they differ for days after each upload, so the host's Rust is preferred.
rust=(rustc cargo libstd-rust-dev:amd64 libstd-rust-dev:arm64)
# The host's Rust, where it can build for the board; else empty.
host_rust=

find_rust() {
    local sysroot target=aarch64-unknown-linux-gnu
    sysroot=$(rustc --print sysroot)
    if [ ! -d "$sysroot/lib/rustlib/$target/lib" ] && command -v rustup >/dev/null; then
        rustup target add "$target" || note "rustup has no standard library for $target: Debian's Rust is used"
    fi
    if [ -d "$sysroot/lib/rustlib/$target/lib" ]; then
        host_rust=$sysroot
        rust=()
    fi
}
toolbox_packages=(
    ca-certificates apt
    gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev:arm64 pkgconf pkgconf:arm64
    libgstreamer1.0-dev:arm64 libgstreamer-plugins-base1.0-dev:arm64
    make bison flex bc swig python3-dev python3-setuptools python3-pyelftools libssl-dev libgnutls28-dev uuid-dev dpkg-dev
    qemu-user e2fsprogs squashfs-tools dosfstools mtools genimage gdisk fdisk cpio zstd xz-utils
    u-boot-tools device-tree-compiler rauc openssl kmod systemd binutils-aarch64-linux-gnu bmap-tools patchelf
)

make_toolbox() {
    local to=$1 debian security
    debian=$(mirror Debian)
    security=$(mirror Debian-Security)
    cat >"$to/sources.list" <<LIST
deb $debian trixie main
deb $debian trixie-updates main
deb $security trixie-security main
deb $debian trixie-backports main
deb-src $debian trixie main
LIST
    # Rust is newer in the backports; all of it from there, or the two architectures have different versions.
    cat >"$to/rust.pref" <<PREF
Package: src:rustc libstd-rust-*:any
Pin: release n=trixie-backports
Pin-Priority: 600
PREF
    mmdebstrap --mode=root --variant=minbase --architectures=amd64,arm64 \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --setup-hook="install -D -m 644 '$to/rust.pref' \"\$1/etc/apt/preferences.d/rust\"" \
        --include="$(set -- "${rust[@]}" "${toolbox_packages[@]}" && IFS=, && echo "$*")" \
        --format=directory trixie "$to/root" "$to/sources.list"
}

# toolbox: sets `toolbox` to its root.
toolbox() {
    find_rust
    kept toolbox "$(declare -f make_toolbox | key "${rust[@]}" "${toolbox_packages[@]}")" make_toolbox
    toolbox=$kept/root
}
