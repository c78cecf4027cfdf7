//! The owner's key and signature are of the common forms: OpenSSL reads and makes them too.

#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use robocast_stick::names::SETTINGS;
use robocast_stick::{OwnerKey, Signature};
use robocast_tests::programs::is_there;

/// Whether there is an OpenSSL that supports Ed25519.
#[allow(clippy::disallowed_methods)]
fn here() -> bool {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    is_there("an `openssl` with Ed25519", made.is_ok_and(|status| status.success()))
}

#[allow(clippy::disallowed_methods)]
fn put(file: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(file, bytes).expect("a file");
}

#[allow(clippy::disallowed_methods)]
fn openssl(folder: &Path, args: &str) -> Vec<u8> {
    let output =
        Command::new("openssl").args(args.split(' ')).current_dir(folder).output().expect("a sound test");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_key_of_openssl_signs_here_and_openssl_verifies() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    openssl(folder.path(), "genpkey -algorithm ed25519 -out key");
    let key = OwnerKey::from_pem(&std::fs::read(file("key")).unwrap()).unwrap();

    let settings = b"schema = 1\n";
    let text = key.sign(SETTINGS, settings, 7);
    assert_eq!(Signature::parse(text.as_bytes()).unwrap().verify(&key.public(), SETTINGS, settings), Ok(7));

    // The signed text as docs/provisioning.md describes it.
    put(&file("settings"), settings);
    let sum = String::from_utf8(openssl(folder.path(), "dgst -sha256 -r settings")).unwrap();
    let mut covered = String::from("robocast signature 1\nfile: robocast.toml\nserial: 7\nsha256: ");
    writeln!(covered, "{}", &sum[..64]).unwrap();
    put(&file("covered"), covered);
    let signature = text.lines().last().unwrap().strip_prefix("signature: ").unwrap();
    put(&file("signature"), BASE64_STANDARD.decode(signature).unwrap());
    openssl(folder.path(), "pkeyutl -verify -inkey key -rawin -in covered -sigfile signature");
}

#[test]
fn a_key_made_here_is_read_by_openssl() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = OwnerKey::generate();
    put(&folder.path().join("key"), key.to_pem().expose());
    let public = openssl(folder.path(), "pkey -in key -pubout -outform DER");
    let told = format!("ed25519:{}", BASE64_STANDARD.encode(&public[public.len() - 32..]));
    assert_eq!(told, key.public().to_string());
}
