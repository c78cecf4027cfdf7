# The keys: those that were given, else the development CA. A release refuses the latter.

ROBOCAST_KEYS_GIVEN = "${@'1' if all(d.getVar(v) for v in ('ROBOCAST_KEYRING', 'ROBOCAST_CERT_FILE', 'ROBOCAST_KEY_FILE')) else '0'}"
ROBOCAST_TRUSTED = "${@d.getVar('ROBOCAST_KEYRING') if d.getVar('ROBOCAST_KEYS_GIVEN') == '1' else '${ROBOCAST_DEVELOPMENT_CA}/ca.cert.pem'}"
ROBOCAST_SIGNING_CERT = "${@d.getVar('ROBOCAST_CERT_FILE') if d.getVar('ROBOCAST_KEYS_GIVEN') == '1' else '${ROBOCAST_DEVELOPMENT_CA}/signing.cert.pem'}"
ROBOCAST_SIGNING_KEY = "${@d.getVar('ROBOCAST_KEY_FILE') if d.getVar('ROBOCAST_KEYS_GIVEN') == '1' else '${ROBOCAST_DEVELOPMENT_CA}/signing.key.pem'}"

do_configure[depends] += "${@'' if d.getVar('ROBOCAST_KEYS_GIVEN') == '1' else 'robocast-development-ca-native:do_deploy_ca'}"

python () {
    keys = ("ROBOCAST_KEYRING", "ROBOCAST_CERT_FILE", "ROBOCAST_KEY_FILE")
    given = [key for key in keys if d.getVar(key)]
    missing = [key for key in keys if key not in given]
    if missing and (given or d.getVar("ROBOCAST_RELEASE") == "1"):
        why = "set all three keys or none" if given else "a release does not trust the development CA"
        raise bb.parse.SkipRecipe("%s is not set: %s" % (", ".join(missing), why))
}
