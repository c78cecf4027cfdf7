# shellcheck shell=bash
# Shared by the scripts of the image. To be sourced, with $board set.

buildroot=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$buildroot/.." && pwd)
boards=$repository/hw/boards
# shellcheck source=hw/boards/virtual/board.conf
. "$boards/${board:?}/board.conf"

say() { printf '>>> robocast: %s\n' "$*"; }
fail() {
    printf '>>> robocast: %s\n' "$*" >&2
    exit 1
}

release() { [ "${ROBOCAST_RELEASE:-0}" = 1 ]; }
version() { "$repository/ci/version"; }

# The keys of the image's maker, or the development keys:
#   ROBOCAST_KEYRING    CA certificates (PEM) that the box trusts
#   ROBOCAST_CERT_FILE, ROBOCAST_KEY_FILE    sign the bundle: files, or pkcs11: URIs
find_keys() {
    local development=${ROBOCAST_KEYS:-$repository/target/keys}
    keyring=${ROBOCAST_KEYRING:-} certificate=${ROBOCAST_CERT_FILE:-} key=${ROBOCAST_KEY_FILE:-}
    if [ -n "$keyring" ] && [ -n "$certificate" ] && [ -n "$key" ]; then
        :
    elif [ -n "$keyring$certificate$key" ]; then
        fail "ROBOCAST_KEYRING, ROBOCAST_CERT_FILE and ROBOCAST_KEY_FILE belong together: give all three, or none"
    elif release; then
        fail "a release is not signed by the development CA: give ROBOCAST_KEYRING, ROBOCAST_CERT_FILE and ROBOCAST_KEY_FILE"
    else
        # Its own messages are not part of ours.
        "$repository/hw/keys/development" >&2
        keyring=$development/ca.cert.pem certificate=$development/signing.cert.pem key=$development/signing.key.pem
        say "signed by the development CA: only for boxes in the lab"
    fi
    [ -s "$keyring" ] || fail "there is no keyring $keyring"
    # Under whatever name: recognized by its name, or as the same file.
    if release; then
        # Every certificate of the keyring, not only the first.
        if openssl crl2pkcs7 -nocrl -certfile "$keyring" | openssl pkcs7 -print_certs -noout | grep -qi development; then
            fail "a release does not trust the development CA, and $keyring holds it"
        fi
        if [ -e "$development/ca.cert.pem" ] && cmp -s "$keyring" "$development/ca.cert.pem"; then
            fail "a release does not trust the development CA, and $keyring is it"
        fi
    fi
}
