# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by image, beside common.sh, whose variables it shares.
# The programs for the board: this workspace, cross-built in the toolbox, with the crates that the host's cargo fetched.

make_programs() {
    local to=$1 build=$cache/programs-build registry=${CARGO_HOME:-$HOME/.cargo}/registry
    local places=()
    if [[ " ${ROBOCAST_ANEW:-} " == *" programs "* ]]; then
        build+=-anew
        rm -rf "$build"
    fi
    mkdir -p "$build" "$registry"
    (cd "$repository" && cargo fetch --locked --quiet --target aarch64-unknown-linux-gnu)
    # Fixed paths inside, so that no path of this machine gets into the programs.
    places=("$registry:/cargo/registry" "$build:/build")
    [ -z "$host_rust" ] || places+=("$host_rust:/rust")
    # shellcheck disable=SC2016  # expanded in the toolbox
    in_toolbox "${places[@]}" -- sh -ec '
        export PATH=/rust/bin:$PATH CARGO_HOME=/cargo CARGO_TARGET_DIR=/build \
            PKG_CONFIG_aarch64_unknown_linux_gnu=aarch64-linux-gnu-pkgconf PKG_CONFIG_ALLOW_CROSS=1 \
            CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
            RUSTFLAGS="--remap-path-prefix=/cargo=cargo --remap-path-prefix=/repository=robocast --remap-path-prefix=/build=build"
        cd /repository
        cargo build --release --locked --offline --target aarch64-unknown-linux-gnu --package robocast --bins
    '
    install -m 755 "$build/aarch64-unknown-linux-gnu/release/robocast" \
        "$build/aarch64-unknown-linux-gnu/release/robocast-media" "$to/"
}

# programs: sets `programs` to the folder with the two executables.
programs() {
    kept programs "$({ declare -f make_programs; git -C "$repository" ls-files -z Cargo.toml Cargo.lock .cargo crates ":!crates/*/tests/*" ":!*proptest-regressions*" |
        (cd "$repository" && xargs -0 sha256sum --) } | key "$toolbox" "$host_rust" "$(rustc -vV)")" make_programs
    programs=$kept
}
