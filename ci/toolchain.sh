# shellcheck shell=bash
# Finds cargo, also where rustup puts it without changing PATH. To be sourced.

if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    export PATH
fi
if ! command -v cargo >/dev/null; then
    echo "No Rust toolchain found. Install one from https://rustup.rs, then try again." >&2
    exit 1
fi
