# shellcheck shell=bash disable=SC2154  # ci/release sets the rest
# A release's keys: which are used, and which are refused. To be sourced by ci/release.

# The name of the development CA, read from the script that sets it, up to its first comma: openssl writes commas in
# more than one way.
development_name() {
    local name
    name=$(sed -n 's/^name="\([^,"]*\).*/\1/p' hw/keys/development)
    [ -n "$name" ] || refuse "hw/keys/development names no CA" "ci/release needs its line name=\"...\""
    printf '%s\n' "$name"
}

# certificates FILE: the subjects in it, one on each line.
certificates() { openssl crl2pkcs7 -nocrl -certfile "$1" | openssl pkcs7 -print_certs -noout | sed '/^$/d'; }

# public_keys FILE: a line for each certificate's key, which stays the same when a certificate is made again.
public_keys() {
    local one count
    count=$(grep -c -e '-----BEGIN.*CERTIFICATE-----' "$1" || true)
    for ((one = 1; one <= count; one++)); do
        awk -v one="$one" '/-----BEGIN.*CERTIFICATE-----/ { n++ } n == one' "$1" |
            openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER 2>/dev/null | sha256sum
    done
}

# is_development FILE: whether one of the certificates is the development CA's, or issued by it: judged by its name, or by the
# keys of this checkout.
is_development() {
    local known folder
    certificates "$1" | grep -qiF "$(development_name)" && return 0
    for folder in "$repository/target/keys" "${CARGO_TARGET_DIR:-$repository/target}/keys"; do
        for known in "$folder"/*.cert.pem; do
            [ -s "$known" ] || continue
            public_keys "$1" | grep -qxF -f <(public_keys "$known") && return 0
        done
    done
    return 1
}

development_keys() {
    local folder=${ROBOCAST_KEYS:-$repository/target/keys} file
    [ -z "${ROBOCAST_KEYRING:-}${ROBOCAST_CERT_FILE:-}${ROBOCAST_KEY_FILE:-}" ] ||
        note "A rehearsal signs with the keys of development: ROBOCAST_KEYRING, ROBOCAST_CERT_FILE, ROBOCAST_KEY_FILE are not used."
    [ -n "${ROBOCAST_KEYS:-}" ] || hw/keys/development "$folder"
    keyring=$folder/ca.cert.pem certificate=$folder/signing.cert.pem key=$folder/signing.key.pem
    for file in "$keyring" "$certificate" "$key"; do
        [ -s "$file" ] || refuse "there is no $file" "ROBOCAST_KEYS names a folder like the one that hw/keys/development makes"
    done
}

# find_keys: sets keyring, certificate, key and token (how openssl reaches a pkcs11: URI, empty without one).
# The key's name is never printed: a URI may have the PIN in it.
find_keys() {
    local given=0 variable
    token=''
    if $rehearse; then
        development_keys
    else
        for variable in ROBOCAST_KEYRING ROBOCAST_CERT_FILE ROBOCAST_KEY_FILE; do
            [ -z "${!variable:-}" ] || given=$((given + 1))
        done
        [ "$given" = 3 ] || refuse "a release needs keys, and ROBOCAST_KEYRING, ROBOCAST_CERT_FILE and ROBOCAST_KEY_FILE are not all given" \
            "export all three (docs/release.md), or rehearse with the development keys: ci/release --rehearse"
        keyring=$ROBOCAST_KEYRING certificate=$ROBOCAST_CERT_FILE key=$ROBOCAST_KEY_FILE
    fi

    [[ $keyring != pkcs11:* ]] || refuse "ROBOCAST_KEYRING is a pkcs11: URI" "it is no secret: give the CA certificates as a file (PEM)"
    keyring=$(from_caller "$keyring" ROBOCAST_KEYRING)
    certificates "$keyring" 2>/dev/null | grep -q . || refuse "$keyring holds no certificate" "ROBOCAST_KEYRING is a file of CA certificates (PEM)"
    if [[ $certificate == pkcs11:* ]] || [[ $key == pkcs11:* ]]; then
        find_token
    fi
    [[ $key == pkcs11:* ]] || key=$(from_caller "$key" ROBOCAST_KEY_FILE)
    if [[ $certificate == pkcs11:* ]]; then
        [ "$token" = provider ] || refuse "ROBOCAST_CERT_FILE is on a token, and openssl's engine reads only keys there" \
            "copy the certificate into a file, it is no secret: p11tool --export URI, or pkcs11-tool --read-object --type cert" \
            "or install openssl's provider: pkcs11-provider"
        openssl x509 -provider default -provider pkcs11 -in "$certificate" -out "$work/signer.pem" 2>"$work/said" ||
            refuse "the token gave no certificate" "$(tail -1 "$work/said")"
        certificate=$work/signer.pem
    else
        certificate=$(from_caller "$certificate" ROBOCAST_CERT_FILE)
    fi
    openssl x509 -noout -in "$certificate" 2>/dev/null || refuse "$certificate holds no certificate" "ROBOCAST_CERT_FILE is the signer's certificate (PEM)"

    if ! $rehearse; then
        ! is_development "$keyring" || refuse "the development CA is in the keyring $keyring, and a release does not trust it" \
            "$(certificates "$keyring")" "set ROBOCAST_KEYRING to only the CA certificates of the release"
        ! is_development "$certificate" || refuse "the signer is of the development CA, and a release is not signed by it" \
            "give the certificate and the key of the release: ROBOCAST_CERT_FILE, ROBOCAST_KEY_FILE"
    fi
    openssl verify -purpose any -CAfile "$keyring" "$certificate" >"$work/said" 2>&1 || refuse "the signer does not verify against the keyring" \
        "$(grep -m1 ^error "$work/said" || head -1 "$work/said")" \
        "ROBOCAST_CERT_FILE must be issued by a CA of ROBOCAST_KEYRING, and be valid today"
    # Checked now, not after an hour of packing.
    printf 'robocast\n' >"$work/try"
    sign "$work/try" "$work/try.cms"
    say "signed by $(openssl x509 -in "$certificate" -noout -subject)"
    certificates "$keyring" | sed -n 's/^subject/trusted: subject/p'
}

# from_caller FILE VARIABLE: its absolute path; a relative one starts where ci/release was called.
from_caller() {
    local path
    path=$(cd "$called_from" && realpath -e -- "$1" 2>/dev/null) || refuse "there is no file $1" "correct $2"
    printf '%s\n' "$path"
}

find_token() {
    if openssl engine pkcs11 2>/dev/null | grep -q pkcs11; then
        token=engine
    elif openssl list -providers -provider default -provider pkcs11 >/dev/null 2>&1; then
        token=provider
    else
        refuse "openssl does not reach tokens here (pkcs11:)" \
            "as root: apt-get install libengine-pkcs11-openssl, or pkcs11-provider where Debian has it"
    fi
}

# sign FILE SIGNATURE: a detached CMS signature (DER), verified at once against the keyring.
sign() {
    local how=(-inkey "$key")
    if [[ $key == pkcs11:* ]]; then
        case $token in
            engine) how+=(-engine pkcs11 -keyform engine) ;;
            provider) how+=(-provider default -provider pkcs11) ;;
        esac
    fi
    openssl cms -sign -binary -md sha256 -outform DER -in "$1" -out "$2" -signer "$certificate" "${how[@]}" 2>"$work/said" ||
        refuse "the key does not sign" "$(grep -m1 -i error "$work/said" | sed 's/pkcs11:[^ ]*/pkcs11:.../g' || true)" \
            "ROBOCAST_KEY_FILE must be the key of ROBOCAST_CERT_FILE; for a token, its URI with the PIN (pin-source=FILE)"
    openssl cms -verify -binary -inform DER -in "$2" -content "$1" -CAfile "$keyring" -purpose any -out /dev/null 2>"$work/said" ||
        refuse "the signature does not verify against the keyring" "$(tail -1 "$work/said")"
}
